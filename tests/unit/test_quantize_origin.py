"""A file says what it was made from, as far as the source's folder tells."""

from __future__ import annotations

from pathlib import Path

from quantize.origin import Origin, origin_of

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def test_the_hub_cache_names_repository_and_revision(tmp_path: Path) -> None:
    folder = tmp_path / "models--Qwen--Qwen3-0.6B" / "snapshots" / COMMIT
    folder.mkdir(parents=True)
    assert origin_of(folder) == Origin("Qwen/Qwen3-0.6B", COMMIT)


def test_a_download_into_a_folder_names_its_revision(tmp_path: Path) -> None:
    notes = tmp_path / ".cache" / "huggingface" / "download"
    notes.mkdir(parents=True)
    (notes / "config.json.metadata").write_text(f"{COMMIT}\nabc\n1700000000.0\n")
    assert origin_of(tmp_path) == Origin("", COMMIT)


def test_a_stray_file_there_is_no_revision(tmp_path: Path) -> None:
    notes = tmp_path / ".cache" / "huggingface" / "download"
    notes.mkdir(parents=True)
    (notes / "config.json.metadata").write_bytes(b"\xff\xfe not a commit")
    assert origin_of(tmp_path) == Origin()


def test_any_other_folder_tells_nothing(tmp_path: Path) -> None:
    assert origin_of(tmp_path) == Origin()
    assert origin_of(tmp_path / "model.gguf") == Origin()
