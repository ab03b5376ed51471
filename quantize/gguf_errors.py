"""Why a file was refused as a GGUF, in plain words.

Every sentence `gguf_header` can fail with is made here, so that they can be read side by side. A
file of another kind is recognised by its first bytes: "not a GGUF" alone does not help a person who
saved an error page.
"""

from __future__ import annotations

from pathlib import Path

from quantize.errors import GgufError
from quantize.messages import QT_TRANSLATE_NOOP, Message

HEAD_BYTES = 512

_GET_AGAIN = QT_TRANSLATE_NOOP("gguf", "Download it again, or copy it again from where it came.")
_GET_NEWER = QT_TRANSLATE_NOOP("gguf", "Get a newer file of the same model.")
_UPDATE = QT_TRANSLATE_NOOP("gguf", "Update Nibble, or choose another variant of the same model.")
_UNITS = (("GB", 10**9), ("MB", 10**6), ("KB", 10**3))

_PNG = QT_TRANSLATE_NOOP(
    "gguf", "This looks like a PNG picture; models for Nibble start with the letters GGUF."
)
_JPEG = QT_TRANSLATE_NOOP(
    "gguf", "This looks like a JPEG picture; models for Nibble start with the letters GGUF."
)
_PDF = QT_TRANSLATE_NOOP(
    "gguf", "This looks like a PDF document; models for Nibble start with the letters GGUF."
)
_ZIP = QT_TRANSLATE_NOOP(
    "gguf", "This looks like a zip archive; if a .gguf file is inside, unpack it first."
)
_HTML = QT_TRANSLATE_NOOP(
    "gguf", "This looks like a web page, perhaps an error page. Download the model again."
)
_POINTER = QT_TRANSLATE_NOOP(
    "gguf", "This is a Git LFS pointer that only stands for the model. Download the model itself."
)
_SAFETENSORS = QT_TRANSLATE_NOOP(
    "gguf", "This looks like original weights (safetensors). Make a GGUF from their folder first."
)
_PYTORCH = QT_TRANSLATE_NOOP(
    "gguf", "This looks like a PyTorch file, which can run code when opened. Get a GGUF instead."
)
_OLD_GGML = QT_TRANSLATE_NOOP(
    "gguf", "This is from before GGUF (2023). Get a newer file of the same model."
)
_ZEROS = QT_TRANSLATE_NOOP(
    "gguf", "It holds zeros, as an unfinished download does. Download it again."
)
_OTHER = QT_TRANSLATE_NOOP(
    "gguf", "Models for Nibble end in .gguf and start with the letters GGUF."
)


def cannot_open(path: Path, error: OSError | ValueError) -> GgufError:
    """Turns the system's errors into sentences; a ValueError is a path with a NUL in it."""
    if isinstance(error, PermissionError):
        text = QT_TRANSLATE_NOOP("gguf", "You are not allowed to read {name}.")
        hint = QT_TRANSLATE_NOOP("gguf", "Change the file's permissions, or copy it elsewhere.")
    elif isinstance(error, (FileNotFoundError, NotADirectoryError, ValueError)):
        text = QT_TRANSLATE_NOOP("gguf", "{name} is not there.")
        hint = QT_TRANSLATE_NOOP("gguf", "It may have been moved, renamed or deleted.")
    else:
        text = QT_TRANSLATE_NOOP("gguf", "{name} cannot be read.")
        hint = QT_TRANSLATE_NOOP("gguf", "Check that the disk it is on is connected.")
    return GgufError(path, _named(text, path), hint, str(error))


def is_folder(path: Path) -> GgufError:
    text = QT_TRANSLATE_NOOP("gguf", "{name} is a folder, not a model file.")
    hint = QT_TRANSLATE_NOOP("gguf", "Choose a .gguf file inside it.")
    return GgufError(path, _named(text, path), hint)


def is_device(path: Path) -> GgufError:
    text = QT_TRANSLATE_NOOP("gguf", "{name} is not an ordinary file.")
    return GgufError(path, _named(text, path), _OTHER)


def is_empty(path: Path) -> GgufError:
    text = QT_TRANSLATE_NOOP("gguf", "{name} is empty.")
    return GgufError(path, _named(text, path), _GET_AGAIN)


def not_gguf(path: Path, head: bytes) -> GgufError:
    """`head` is the first HEAD_BYTES bytes, or all there are."""
    text = QT_TRANSLATE_NOOP("gguf", "{name} is not a GGUF file.")
    return GgufError(path, _named(text, path), _looks_like(head), f"starts with {head[:16]!r}")


def wrong_version(path: Path, version: int) -> GgufError:
    """For any version but 2 and 3. A byte-swapped number gives a big-endian file away."""
    hint = _GET_NEWER
    if version & 0xFFFF == 0 and version:
        text = QT_TRANSLATE_NOOP("gguf", "{name} is made for big-endian computers.")
        hint = QT_TRANSLATE_NOOP("gguf", "Get the usual, little-endian file of the same model.")
    elif version == 1:
        text = QT_TRANSLATE_NOOP("gguf", "{name} is in the first form of GGUF, no longer in use.")
    elif version == 0:
        return damaged(path, "GGUF version 0")
    else:
        text = QT_TRANSLATE_NOOP("gguf", "{name} is in a newer form of GGUF than Nibble can read.")
        hint = _UPDATE
    return GgufError(path, _named(text, path), hint, f"GGUF version {version}")


def damaged(path: Path, detail: str) -> GgufError:
    """The header contradicts itself, the file's size, or what llama.cpp accepts."""
    text = QT_TRANSLATE_NOOP("gguf", "{name} is damaged: its list of contents cannot be right.")
    return GgufError(path, _named(text, path), _GET_AGAIN, detail)


def header_ends_early(path: Path, have_bytes: int) -> GgufError:
    text = QT_TRANSLATE_NOOP("gguf", "{name} is damaged: it ends early, within its description.")
    return GgufError(path, _named(text, path), _GET_AGAIN, f"ends after {have_bytes} bytes")


def ends_early(path: Path, have_bytes: int, need_bytes: int) -> GgufError:
    text = QT_TRANSLATE_NOOP("gguf", "{name} is damaged: it ends early ({have} of {need} {unit}).")
    have, need, unit = _sizes(have_bytes, need_bytes)
    filled = text.fill(name=_shown_name(path), have=have, need=need, unit=unit)
    return GgufError(path, filled, _GET_AGAIN, f"{need_bytes} bytes expected, {have_bytes} there")


def removed_type(path: Path, tensor: str, name: str) -> GgufError:
    text = QT_TRANSLATE_NOOP("gguf", "{name} is a {variant} file, which llama.cpp no longer reads.")
    filled = text.fill(name=_shown_name(path), variant=name)
    return GgufError(path, filled, _GET_NEWER, f"tensor {tensor!r} has the removed type {name}")


def unknown_type(path: Path, tensor: str, type_id: int) -> GgufError:
    text = QT_TRANSLATE_NOOP("gguf", "{name} is damaged, or of a kind newer than this Nibble.")
    detail = f"tensor {tensor!r} has the unknown type {type_id}"
    return GgufError(path, _named(text, path), _UPDATE, detail)


def _named(text: Message, path: Path) -> Message:
    return text.fill(name=_shown_name(path))


def _shown_name(path: Path) -> str:
    """The file's name, printable even where it is not valid Unicode."""
    return (path.name or str(path)).encode("utf-8", "replace").decode("utf-8")


def _sizes(have_bytes: int, need_bytes: int) -> tuple[str, str, str]:
    """Both in the unit of the larger, with as few decimals as tell them apart."""
    unit, factor = next((u for u in _UNITS if need_bytes >= u[1]), ("bytes", 1))
    have = need = ""
    for decimals in range(10):
        have = f"{have_bytes / factor:.{decimals}f}"
        need = f"{need_bytes / factor:.{decimals}f}"
        if have != need:
            break
    return have, need, unit


def _looks_like(head: bytes) -> Message:
    for prefix, hint in _PREFIXES:
        if head.startswith(prefix):
            return hint
    if head.startswith(b"PK\x03\x04"):
        return _PYTORCH if b"data.pkl" in head else _ZIP
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if text.startswith((b"<!doctype html", b"<html", b"<head")):
        return _HTML
    if head[8:9] == b"{" and int.from_bytes(head[:8], "little") <= 100_000_000:
        return _SAFETENSORS
    return _OTHER if head.strip(b"\0") else _ZEROS


_PREFIXES = (
    (b"\x89PNG", _PNG),
    (b"\xff\xd8\xff", _JPEG),
    (b"%PDF", _PDF),
    (b"version https://git-lfs", _POINTER),
    (b"\x80\x02", _PYTORCH),
    (b"\x80\x03", _PYTORCH),
    (b"\x80\x04", _PYTORCH),
    (b"\x80\x05", _PYTORCH),
    (b"lmgg", _OLD_GGML),
    (b"fmgg", _OLD_GGML),
    (b"tjgg", _OLD_GGML),
)
