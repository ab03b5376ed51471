"""Other apps' files really loaded where they lie, and the command line over a real library."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import filelock
import pytest

from app import paths
from app.core import library
from app.core.library import Source
from app.core.settings import MODEL, Settings
from app.engine.client import BlockingEngine
from app.engine.protocol import Load
from tests.helpers.asking import ask, request
from tests.helpers.model_folders import COMMIT, ollama_model, put, put_split


@pytest.fixture
def ollama_blob(home: Path, starter_path: Path) -> Path:
    """The starter as Ollama keeps it: under its sum, without a suffix."""
    root = home / ".ollama" / "models"
    data = starter_path.read_bytes()
    return ollama_model(root, "registry.ollama.ai/library/smollm2/135m", data)


def test_an_ollama_blob_chats(home: Path, own_engine: BlockingEngine, ollama_blob: Path) -> None:
    """And nothing of Ollama's is changed, nor anything put there."""
    path = library.find("smollm2:135m")
    assert path == ollama_blob
    before, files = ollama_blob.stat(), set(home.rglob("*"))
    own_engine.load(Load(str(path), n_ctx=256))
    assert ask(own_engine, request("Hello", max_tokens=3)).text
    after = ollama_blob.stat()
    assert (after.st_size, after.st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    ollama = home / ".ollama"
    assert {path for path in files if ollama in path.parents} == set(ollama.rglob("*"))


def test_a_link_of_the_hub_cache_chats(
    home: Path, own_engine: BlockingEngine, starter_path: Path
) -> None:
    folder = home / "cache" / "huggingface" / "hub" / "models--org--SmolLM2-GGUF"
    blob = folder / "blobs" / ("a" * 64)
    blob.parent.mkdir(parents=True)
    os.link(starter_path, blob) if _same_disk(starter_path, blob) else shutil.copy(
        starter_path, blob
    )
    snapshot = folder / "snapshots" / COMMIT
    snapshot.mkdir(parents=True)
    (snapshot / "smollm2.gguf").symlink_to(f"../../blobs/{blob.name}")
    path = library.find("org/SmolLM2-GGUF")
    own_engine.load(Load(str(path), n_ctx=256))
    assert ask(own_engine, request("Hello", max_tokens=3)).text


def _same_disk(one: Path, other: Path) -> bool:
    return one.stat().st_dev == other.parent.stat().st_dev


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-m", "app", "models", *arguments],
        input="",
        capture_output=True,
        text=True,
    )


def entries() -> list[dict[str, Any]]:
    result = run("--json")
    assert result.returncode == 0, result.stderr
    found: list[dict[str, Any]] = json.loads(result.stdout)
    return found


def test_the_command_line_lists_sources_and_duplicates(
    ollama_blob: Path, starter_path: Path
) -> None:
    parts = put_split(paths.models_dir() / "org" / "big", "big", 2)
    found = {entry["path"]: entry for entry in entries()}
    assert found[str(parts[0])]["source"] == "nibble"
    assert found[str(parts[0])]["repo"] == "org/big"
    assert found[str(parts[0])]["parts"] == [str(path) for path in parts]
    blob = found[str(ollama_blob)]
    assert (blob["source"], blob["label"]) == ("ollama", "From Ollama")
    assert blob["aliases"] == ["smollm2:135m"]
    assert blob["is_duplicate_of"] == str(starter_path)
    assert not blob["is_surely_duplicate"]
    text = run().stdout
    assert "also called smollm2:135m" in text
    assert f"probably the same as {starter_path}" in text


def test_verify_finds_what_changed(ollama_blob: Path) -> None:
    result = run("--verify", "smollm2:135m", "--json")
    assert result.returncode == 0, result.stderr
    (entry,) = json.loads(result.stdout)
    assert entry["state"] == "verified"
    assert entry["sha256"] == ollama_blob.name[-64:]
    with ollama_blob.open("r+b") as file:
        file.seek(50_000_000)
        file.write(b"changed")
    result = run("--verify", "smollm2:135m", "--json")
    assert result.returncode == 1
    (entry,) = json.loads(result.stdout)
    assert entry["state"] == "changed"
    assert entry["expected_sha256"] == ollama_blob.name[-64:]
    assert "is not what Ollama downloaded" in run().stdout


def test_a_first_verify_takes_the_sum_down(home: Path) -> None:
    path = put(paths.models_dir() / "m.gguf")
    (entry,) = json.loads(run("--verify", "m", "--json").stdout)
    assert entry["state"] == "recorded"
    assert entry["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    path.write_bytes(path.read_bytes() + b" ")
    assert run("--verify", "m").returncode == 1


def test_delete_wants_a_yes(home: Path) -> None:
    path = put(paths.models_dir() / "org" / "m" / "m.gguf")
    result = run("--delete", "m")
    assert result.returncode == 1
    assert str(path) in result.stderr
    assert result.stderr.endswith(
        "Nothing was deleted.\nAdd --yes to delete without being asked.\n"
    )
    size_bytes = path.stat().st_size
    result = run("--delete", "org/m", "--yes", "--json")
    assert json.loads(result.stdout) == {"deleted": [str(path)], "freed_bytes": size_bytes}
    assert not path.parent.parent.exists()


def test_delete_leaves_other_apps_alone(ollama_blob: Path) -> None:
    result = run("--delete", "smollm2:135m", "--yes")
    assert result.returncode == 1
    assert "belongs to Ollama" in result.stderr
    assert ollama_blob.exists()


def test_the_model_of_an_open_window_stays(home: Path) -> None:
    path = put(paths.models_dir() / "m.gguf")
    Settings(paths.settings_file()).set(MODEL, str(path))
    with filelock.FileLock(paths.lock_file()):
        result = run("--delete", "m", "--yes")
    assert result.returncode == 1
    assert result.stderr.startswith("m is loaded.\n")
    assert run("--delete", "m", "--yes").returncode == 0


@pytest.mark.parametrize("option", ["--delete", "--verify"])
def test_an_unknown_name_is_one_sentence(option: str) -> None:
    result = run(option, "nothing")
    assert result.returncode == 1
    assert result.stderr.startswith("There is no model called “nothing”.\n")


def test_verify_and_delete_exclude_each_other() -> None:
    assert run("--verify", "--delete", "m").returncode == 2


def test_a_source_of_every_model_has_words() -> None:
    assert set(library.SOURCE_WORDS) == set(Source)
