"""Other apps' folders, laid out as they lay them out, on each platform."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app import paths
from app.core import library
from app.core.library import Source
from app.core.library.apps import gpt4all, huggingface, jan, lmstudio, ollama
from app.core.library.apps.system import System
from app.core.library.group import Found
from tests.helpers.fuzz import fuzz
from tests.helpers.model_folders import (
    COMMIT,
    huggingface_repo,
    jan_model,
    mmproj_bytes,
    model_bytes,
    ollama_model,
    put,
    put_split,
)

_JSON_LEAVES = st.none() | st.booleans() | st.integers() | st.text()
_KEYS = st.sampled_from(["layers", "mediaType", "digest", "config", "x"])


def _nested(inner: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    return st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=3)


@pytest.fixture
def linux(home: Path) -> System:
    home.mkdir(exist_ok=True)
    return System("linux", home, {})


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for all cases of a property: making one takes longer than the case."""
    folder = tmp_path_factory.mktemp("scratch")
    (folder / "manifests" / "h" / "n" / "m").mkdir(parents=True)
    (folder / "models" / "a").mkdir(parents=True)
    return folder


def names(found: Iterable[Found]) -> list[str]:
    return [each.path.name for each in found]


# --- Hugging Face -------------------------------------------------------------------------------


def test_the_hub_cache(tmp_path: Path) -> None:
    data = model_bytes()
    snapshot = huggingface_repo(
        tmp_path, "org/Some.Model-GGUF", {"a-Q4_0.gguf": data, "sub/b-Q8_0.gguf": model_bytes("b")}
    )
    put(tmp_path / "models--org--Some.Model-GGUF" / "blobs" / "abc.incomplete", data[:10])
    put(tmp_path / "datasets--org--x" / "snapshots" / COMMIT / "not.gguf")
    found = list(huggingface.find(tmp_path))
    assert [each.path for each in found] == [
        snapshot / "a-Q4_0.gguf",
        snapshot / "sub" / "b-Q8_0.gguf",
    ]
    assert {each.repo for each in found} == {"org/Some.Model-GGUF"}
    assert {each.commit for each in found} == {COMMIT}
    assert found[0].sha256 == (snapshot / "a-Q4_0.gguf").resolve().name


def test_the_newest_snapshot_comes_first(tmp_path: Path) -> None:
    huggingface_repo(tmp_path, "org/m", {"m.gguf": model_bytes("old")}, commit="a" * 40)
    newest = huggingface_repo(tmp_path, "org/m", {"m.gguf": model_bytes("new")}, commit="f" * 40)
    found = list(huggingface.find(tmp_path))
    assert found[0].path.parent == newest
    assert len(found) == 2


def test_a_split_model_in_the_cache_keeps_its_names(tmp_path: Path) -> None:
    """llama.cpp finds parts by their names, which the blobs have not."""
    files = {path.name: path.read_bytes() for path in put_split(tmp_path / "x", "big", 2)}
    snapshot = huggingface_repo(tmp_path / "hub", "org/big", files)
    (found,) = huggingface.find(tmp_path / "hub")
    assert found.parts == tuple(snapshot / name for name in sorted(files))


def test_where_the_cache_is(linux: System, tmp_path: Path) -> None:
    usual = linux.home / ".cache" / "huggingface" / "hub"
    assert huggingface.folders(linux) == [usual]
    environ = {"HF_HOME": str(tmp_path / "hf"), "HF_HUB_CACHE": str(tmp_path / "cache")}
    moved = System("linux", linux.home, environ)
    assert huggingface.folders(moved) == [tmp_path / "cache", tmp_path / "hf" / "hub", usual]
    assert huggingface.folders(System("win32", linux.home, {})) == [usual]


# --- Ollama -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("manifest", "name"),
    [
        ("registry.ollama.ai/library/llama3.2/3b", "llama3.2:3b"),
        ("registry.ollama.ai/someone/tuned/latest", "someone/tuned:latest"),
        ("hf.co/bartowski/Some-GGUF/Q4_K_M", "hf.co/bartowski/Some-GGUF:Q4_K_M"),
    ],
)
@pytest.mark.parametrize("colon", [False, True])
def test_an_ollama_model(tmp_path: Path, manifest: str, name: str, colon: bool) -> None:
    blob = ollama_model(tmp_path, manifest, model_bytes(), mmproj_bytes(), colon=colon)
    (found,) = ollama.find(tmp_path)
    assert found.path == blob
    assert found.aliases == (name,)
    assert found.sha256 == blob.name[-64:]
    assert found.mmproj is not None
    assert found.mmproj.read_bytes() == mmproj_bytes()


def test_tags_of_one_blob_are_one_model(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "starter_model", lambda: None)
    monkeypatch.setattr(ollama, "SERVICE", home / "nowhere")
    root = home / ".ollama" / "models"
    for tag in ("latest", "3b", "3b-instruct-q4_K_M"):
        blob = ollama_model(root, f"registry.ollama.ai/library/llama3.2/{tag}", model_bytes("L"))
    (model,) = library.installed()
    assert model.path == blob
    assert model.aliases == ("llama3.2:3b", "llama3.2:3b-instruct-q4_K_M", "llama3.2:latest")
    assert (model.source, model.app_name, model.name) == (Source.OLLAMA, "Ollama", "L")


def test_a_blob_without_a_name_goes_by_ollamas(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "starter_model", lambda: None)
    monkeypatch.setattr(ollama, "SERVICE", home / "nowhere")
    ollama_model(
        home / ".ollama" / "models", "registry.ollama.ai/library/phi4/14b", model_bytes("")
    )
    (model,) = library.installed()
    assert model.name == "phi4:14b"


def test_where_ollama_is(linux: System, tmp_path: Path) -> None:
    usual = linux.home / ".ollama" / "models"
    assert ollama.folders(linux) == [usual, Path("/usr/share/ollama/.ollama/models")]
    environ = {"OLLAMA_MODELS": str(tmp_path)}
    assert ollama.folders(System("darwin", linux.home, environ)) == [tmp_path, usual]
    assert ollama.folders(System("linux", linux.home, {"OLLAMA_MODELS": "relative"}))[0] == usual


def _manifest(**changes: object) -> dict[str, object]:
    layer = {"mediaType": "application/vnd.ollama.image.model", "digest": "sha256:" + "a" * 64}
    return {"layers": [{**layer, **changes}]}


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe\x00",
        b"[" * 200_000,
        b'{"layers": ' + b"[" * 50_000,
        json.dumps({"layers": {}}).encode(),
        json.dumps({"layers": [None, 1, "x", [], {}]}).encode(),
        json.dumps(_manifest(digest=7)).encode(),
        json.dumps(_manifest(digest="sha256:../../../../etc/passwd")).encode(),
        json.dumps(_manifest(digest="sha256:" + "../" * 21 + "a")).encode(),
        json.dumps(_manifest(digest="sha256:" + "A" * 64)).encode(),
        json.dumps(_manifest(digest="/etc/passwd")).encode(),
        json.dumps(_manifest(digest="sha256:" + "a" * 64 + "\n")).encode(),
        json.dumps(_manifest(digest="sha256:\0" + "a" * 63)).encode(),
        json.dumps(_manifest(mediaType=["application/vnd.ollama.image.model"])).encode(),
        json.dumps({"layers": _manifest()["layers"] * 100_000}).encode(),  # type: ignore[operator]
        b"x" * 3_000_000,
    ],
)
def test_a_hostile_manifest_is_passed_over(tmp_path: Path, text: bytes) -> None:
    ollama_model(tmp_path, "registry.ollama.ai/library/good/latest", model_bytes())
    put(tmp_path / "manifests" / "registry.ollama.ai" / "library" / "bad" / "latest", text)
    assert [found.aliases for found in ollama.find(tmp_path)] == [("good:latest",)]


def test_a_manifest_cannot_lead_out_of_the_blobs(tmp_path: Path) -> None:
    """Not even to a GGUF that is there."""
    put(tmp_path / "outside.gguf")
    put(tmp_path / "ollama" / "blobs" / "x", b"")
    bad = json.dumps(_manifest(digest="../../outside.gguf")).encode()
    put(tmp_path / "ollama" / "manifests" / "h" / "n" / "m" / "t", bad)
    assert list(ollama.find(tmp_path / "ollama")) == []


@fuzz
@given(st.recursive(_JSON_LEAVES, _nested, max_leaves=8))
def test_any_json_is_only_a_manifest_or_none(scratch: Path, value: object) -> None:
    (scratch / "manifests" / "h" / "n" / "m" / "t").write_text(json.dumps(value))
    assert list(ollama.find(scratch)) == []


# --- LM Studio ----------------------------------------------------------------------------------


def test_an_lm_studio_model(tmp_path: Path) -> None:
    path = put(tmp_path / "lmstudio-community" / "gemma-GGUF" / "gemma-Q4_K_M.gguf")
    see = put(path.with_name("mmproj-model-f16.gguf"), mmproj_bytes())
    put(path.with_name("downloading_gemma-Q8_0.gguf.part"))
    (found,) = lmstudio.find(tmp_path)
    assert (found.path, found.mmproj) == (path, see)
    assert found.repo == "lmstudio-community/gemma-GGUF"


def test_where_lm_studio_is(linux: System, tmp_path: Path) -> None:
    home = linux.home
    usual = [home / ".lmstudio" / "models", home / ".cache" / "lm-studio" / "models"]
    assert lmstudio.folders(linux) == usual
    put(home / ".lmstudio-home-pointer", f"{tmp_path / 'lms'}\n".encode())
    settings = json.dumps({"downloadsFolder": str(tmp_path / "big disk"), "theme": 1})
    put(tmp_path / "lms" / "settings.json", settings.encode())
    assert lmstudio.folders(linux) == [tmp_path / "big disk", tmp_path / "lms" / "models", *usual]


@pytest.mark.parametrize("platform", ["linux", "darwin", "win32"])
def test_older_lm_studio_settings(home: Path, tmp_path: Path, platform: str) -> None:
    places = {
        "linux": home / ".config",
        "darwin": home / "Library" / "Application Support",
        "win32": home / "AppData" / "Roaming",
    }
    settings = json.dumps({"downloadsFolder": str(tmp_path / "models")})
    put(places[platform] / "LM Studio" / "settings.json", settings.encode())
    assert lmstudio.folders(System(platform, home, {}))[0] == tmp_path / "models"


@pytest.mark.parametrize("text", [b"\xff", b"[1]", b'{"downloadsFolder": 3}', b"\0/x", b"../x"])
def test_odd_lm_studio_settings(linux: System, text: bytes) -> None:
    put(linux.home / ".lmstudio" / "settings.json", text)
    put(linux.home / ".lmstudio-home-pointer", text)
    assert len(lmstudio.folders(linux)) == 2


# --- GPT4All ------------------------------------------------------------------------------------


def test_gpt4all_models(tmp_path: Path) -> None:
    put(tmp_path / "Llama-3.2-1B-Instruct-Q4_0.gguf")
    put(tmp_path / "incomplete-Phi-3.gguf", model_bytes()[:50])
    put(tmp_path / "localdocs_v3.db", b"")
    assert names(gpt4all.find(tmp_path)) == ["Llama-3.2-1B-Instruct-Q4_0.gguf"]


@pytest.mark.parametrize(
    ("platform", "place"),
    [
        ("linux", ".local/share/nomic.ai/GPT4All"),
        ("darwin", "Library/Application Support/nomic.ai/GPT4All"),
        ("win32", "AppData/Local/nomic.ai/GPT4All"),
    ],
)
def test_where_gpt4all_is(home: Path, platform: str, place: str) -> None:
    assert gpt4all.folders(System(platform, home, {})) == [home / place]


def test_gpt4all_with_a_folder_of_its_own(linux: System, tmp_path: Path) -> None:
    settings = f"[General]\nmodelPath={tmp_path}/my models/\nserverChat=false\n"
    put(linux.home / ".config" / "nomic.ai" / "GPT4All.ini", settings.encode())
    assert gpt4all.folders(linux)[0] == tmp_path / "my models"


# --- Jan ----------------------------------------------------------------------------------------


def test_a_jan_model(tmp_path: Path) -> None:
    path = jan_model(tmp_path, "unsloth/Qwen3-4B-GGUF", model_bytes())
    (found,) = jan.find(tmp_path)
    assert (found.path, found.aliases) == (path, ("unsloth/Qwen3-4B-GGUF",))


def test_a_model_imported_into_jan_lies_elsewhere(tmp_path: Path) -> None:
    path = put(tmp_path / "downloads" / "my.gguf")
    see = put(tmp_path / "downloads" / "eyes.gguf", mmproj_bytes())
    text = f"model_path: '{path}'\nmmproj_path: \"{see}\"\nname: my # mine\n"
    put(tmp_path / "jan" / "llamacpp" / "models" / "my" / "model.yml", text.encode())
    (found,) = jan.find(tmp_path / "jan")
    assert (found.path, found.mmproj) == (path, see)


def test_an_older_jan(tmp_path: Path) -> None:
    path = put(tmp_path / "models" / "cortex.so" / "tiny" / "model.gguf")
    text = f"id: tiny\nfiles:\n  - {path.relative_to(tmp_path)}\nversion: 2\n"
    put(tmp_path / "models" / "cortex.so" / "tiny" / "model.yml", text.encode())
    (found,) = jan.find(tmp_path)
    assert found.path == path


def test_jan_without_a_description(tmp_path: Path) -> None:
    put(tmp_path / "models" / "loose" / "loose.gguf")
    assert names(jan.find(tmp_path)) == ["loose.gguf"]


def test_where_jan_is(linux: System, tmp_path: Path) -> None:
    home = linux.home
    assert jan.folders(linux) == [
        home / ".local" / "share" / "Jan" / "data",
        home / ".config" / "Jan" / "data",
        home / "jan",
    ]
    settings = json.dumps({"data_folder": str(tmp_path / "moved")})
    put(home / "AppData" / "Roaming" / "Jan" / "settings.json", settings.encode())
    assert jan.folders(System("win32", home, {}))[0] == tmp_path / "moved"
    mac = home / "Library" / "Application Support" / "Jan" / "data"
    assert jan.folders(System("darwin", home, {}))[0] == mac


@fuzz
@given(st.text() | st.from_regex(r"(model_path|files|mmproj_path): ?.{0,80}\n( - .*\n)?"))
def test_any_text_is_only_a_description_or_none(scratch: Path, text: str) -> None:
    (scratch / "models" / "a" / "model.yml").write_bytes(text.encode("utf-8", "replace"))
    assert list(jan.find(scratch)) == []
