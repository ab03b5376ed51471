"""Files that are no models: one plain sentence each, and the engine lives on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from app.core.errors import AppError
from app.engine.client import BlockingEngine
from app.engine.protocol import Load
from tests.helpers import gguf_files
from tests.helpers.asking import ask, request
from tests.helpers.changed_model import with_template


def _png(path: Path, _starter: Path) -> None:
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"\0" * 1000)


def _empty(path: Path, _starter: Path) -> None:
    path.touch()


def _cut(fraction: float) -> Callable[[Path, Path], None]:
    def make(path: Path, starter: Path) -> None:
        data = starter.read_bytes()
        path.write_bytes(data[: int(len(data) * fraction)])

    return make


def _strings(path: Path, _starter: Path) -> None:
    path.write_bytes(gguf_files.claims_2_63_strings())


def _unknown(path: Path, _starter: Path) -> None:
    gguf_files.unknown_architecture(path)


def _folder(path: Path, _starter: Path) -> None:
    path.mkdir()


def _missing(path: Path, _starter: Path) -> None:
    pass


BAD = {
    "empty": (_empty, "is empty"),
    "png": (_png, "is not a GGUF file"),
    "cut at 10 %": (_cut(0.10), "damaged: it ends early"),
    "cut at 50 %": (_cut(0.50), "damaged: it ends early"),
    "cut at 99 %": (_cut(0.99), "damaged: it ends early"),
    "2^63 strings": (_strings, "damaged"),
    "unknown architecture": (_unknown, "cannot run models of the kind"),
    "folder": (_folder, "is a folder"),
    "missing": (_missing, "is not there"),
}


@pytest.mark.parametrize(("make", "words"), BAD.values(), ids=BAD.keys())
def test_a_bad_file_is_one_sentence(
    own_engine: BlockingEngine,
    starter_path: Path,
    tmp_path: Path,
    make: Callable[[Path, Path], None],
    words: str,
) -> None:
    path = tmp_path / "model.gguf"
    make(path, starter_path)
    with pytest.raises(AppError) as caught:
        own_engine.load(Load(str(path)))
    sentence = str(caught.value.text)
    assert words in sentence
    assert "\n" not in sentence
    assert caught.value.hint
    own_engine.load(Load(str(starter_path), n_ctx=256))
    assert ask(own_engine, request("Hello", max_tokens=2)).text


def test_an_unreadable_file_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, starter_path: Path
) -> None:
    """Root may read everything, so the refusal is the system call's own error, made by hand."""
    from app.core import library

    def refused(self: Path, *_args: object, **_kwargs: object) -> None:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "open", refused)
    with pytest.raises(AppError, match="not allowed to read"):
        library.describe(starter_path)


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("{% for a in range(99999) %}" * 2 + "{% endfor %}" * 2, "too long"),
        ("{{ ''.__class__.__mro__[1].__subclasses__() }}", "does not work"),
        ("{{ raise_exception('no') }}", "does not work: no"),
        (
            "{% set n = namespace(t='x' * 999999) %}{% for a in range(99) %}"
            "{% set n.t = n.t ~ n.t %}{% endfor %}",
            "a result too large",
        ),
    ],
)
def test_a_hostile_template_in_a_real_file(
    own_engine: BlockingEngine, starter_path: Path, tmp_path: Path, template: str, words: str
) -> None:
    path = tmp_path / "model.gguf"
    with_template(starter_path, path, template)
    own_engine.load(Load(str(path), n_ctx=256))
    with pytest.raises(AppError, match=words):
        ask(own_engine, request("Hello"))
    own_engine.load(Load(str(starter_path), n_ctx=256))
    assert ask(own_engine, request("Hello", max_tokens=2)).text
