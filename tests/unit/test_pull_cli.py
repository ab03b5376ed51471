"""`nibble pull` as a person uses it, against the fake hub."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from app import cli, paths
from app.cli import wanted
from app.core.catalog import CatalogFile, FileKind, load_catalog
from app.core.hardware import simulated
from tests.helpers.fake_hub import FakeHub, Seeded
from tests.helpers.gguf_files import METADATA, TENSORS, gguf_bytes
from tests.helpers.pulling import left_over, sha256

REPO = "maker/Model-GGUF"
SMALL, BIG = Seeded(1, 300_000), Seeded(2, 4_000_000)
FILES = {
    "Model-Q4_K_M.gguf": SMALL,
    "Model-Q8_0-00001-of-00002.gguf": BIG,
    "Model-Q8_0-00002-of-00002.gguf": Seeded(3, 1_000_000),
    "mmproj-Model-F16.gguf": Seeded(4, 50_000),
    "config.json": "{}",
}


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    with FakeHub() as hub:
        hub.add_repo(REPO, FILES)
        monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
        monkeypatch.setattr("app.hub.options.RESERVE_BYTES", 0)
        yield hub


def folder(repo: str = REPO) -> Path:
    return paths.models_dir().joinpath(*repo.split("/"))


def test_the_usual_variant(hub: FakeHub, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["pull", REPO]) == 0
    said = capsys.readouterr()
    assert said.out.strip() == str(folder() / "Model-Q4_K_M.gguf")
    assert sha256(folder() / "Model-Q4_K_M.gguf") == SMALL.sha256
    assert left_over(folder()) == ["Model-Q4_K_M.gguf", "mmproj-Model-F16.gguf"]
    assert said.err.splitlines()[0] == f"{REPO} Q4_K_M, 350 kB"


def test_a_split_variant_with_what_it_sees_with(
    hub: FakeHub, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["pull", REPO + ":q8_0", "--json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    done = lines[-1]
    assert {line["event"] for line in lines[:-1]} == {"progress"}
    assert done["event"] == "done"
    assert done["path"].endswith("Model-Q8_0-00001-of-00002.gguf")
    assert done["sha256"] == BIG.sha256
    assert len(done["files"]) == 3
    assert done["size_bytes"] == 5_050_000


def test_a_file_by_its_name(hub: FakeHub) -> None:
    assert cli.run(["pull", REPO + ":Model-Q4_K_M.gguf"]) == 0


def test_the_original_weights(hub: FakeHub, capsys: pytest.CaptureFixture[str]) -> None:
    files = {
        "config.json": "{}",
        "tokenizer.json": "{}",
        "model.safetensors": Seeded(5, 2_000_000),
        "pytorch_model.bin": b"pickle",
    }
    hub.add_repo("maker/Model", files, gguf=False)
    assert cli.run(["pull", "maker/Model", "--original"]) == 0
    assert capsys.readouterr().out.strip() == str(folder("maker/Model"))
    assert left_over(folder("maker/Model")) == [
        "config.json",
        "model.safetensors",
        "tokenizer.json",
    ]


def test_a_catalogue_model_is_taken_as_the_catalogue_pins_it(
    hub: FakeHub, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its commit and hash count, not what the hub says of main; the variant is the pick."""
    listed = load_catalog()[0]
    commit = hub.add_repo("maker/Pinned-GGUF", {"a-Q8_0.gguf": BIG, "a-Q4_K_M.gguf": SMALL})
    hub.add_repo("maker/Pinned-GGUF", {"a-Q8_0.gguf": b"GGUF", "a-Q4_K_M.gguf": b"GGUF"})
    files = tuple(
        CatalogFile(
            "maker/Pinned-GGUF",
            commit,
            variant,
            FileKind.QUANTIZED,
            ((f"a-{variant}.gguf", content.size, content.sha256),),
        )
        for variant, content in (("Q8_0", BIG), ("Q4_K_M", SMALL))
    )
    import dataclasses

    model = dataclasses.replace(listed, id="pinned-1b", files=files, mmproj=None)
    monkeypatch.setattr(
        wanted, "find_model", lambda name: model if name.casefold() == "pinned-1b" else None
    )
    monkeypatch.setattr("app.engine.client.examine", lambda folder: simulated(64 * 10**9))
    assert cli.run(["pull", "Pinned-1B"]) == 0
    assert capsys.readouterr().out.strip().endswith("a-Q8_0.gguf")
    assert cli.run(["pull", "pinned-1b:q4_k_m"]) == 0
    assert sha256(folder("maker/Pinned-GGUF") / "a-Q4_K_M.gguf") == SMALL.sha256


@pytest.mark.parametrize(
    "name", ["maker/none", REPO + ":Q3_K_S", "no such thing", "../..", "maker/Empty"]
)
def test_what_cannot_be_had_is_one_sentence(
    hub: FakeHub, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    hub.add_repo("maker/Empty", {"README.md": "# Nothing"}, gguf=False)
    assert cli.run(["pull", name]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert 1 <= len(said.err.splitlines()) <= 2
    assert "Traceback" not in said.err


def test_ctrl_c_keeps_what_there_is(hub: FakeHub, capsys: pytest.CaptureFixture[str]) -> None:
    hub.faults.bytes_per_s, hub.faults.only = 1e6, "/cdn/"
    ended = threading.Event()

    def interrupt() -> None:
        while hub.traffic < 1_500_000 and not ended.wait(0.01):
            pass
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    try:
        assert cli.run(["pull", REPO + ":Q8_0"]) == cli.CANCELLED
    finally:
        ended.set()
        thread.join()
    assert "stays" in capsys.readouterr().err
    assert "Model-Q8_0-00001-of-00002.gguf.part" in left_over(folder())
    hub.faults.clear()
    assert cli.run(["pull", REPO + ":Q8_0"]) == 0


def test_what_was_pulled_is_found_by_its_name(hub: FakeHub, tmp_path: Path) -> None:
    from app.core import library

    hub.add_repo("maker/Tiny-GGUF", {"Tiny-Q8_0.gguf": gguf_bytes(METADATA, TENSORS)})
    assert cli.run(["pull", "maker/Tiny-GGUF"]) == 0
    assert library.find("Tiny-Q8_0") == folder("maker/Tiny-GGUF") / "Tiny-Q8_0.gguf"
