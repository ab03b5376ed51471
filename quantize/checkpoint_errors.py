"""Why a checkpoint was refused, in plain words.

Every sentence that `jsonfile`, `config`, `safetensors`, `checkpoint` and `packed` can fail with is
made here, so that they can be read side by side. Names out of files are shortened to one printable
line: they may hold anything.
"""

from __future__ import annotations

from pathlib import Path

from quantize.errors import CheckpointError, UnsupportedError
from quantize.messages import QT_TRANSLATE_NOOP, Message

HEAD_BYTES = 512

_GET_AGAIN = QT_TRANSLATE_NOOP(
    "checkpoint", "Download it again, or copy it again from where it came."
)
_GET_ORIGINAL = QT_TRANSLATE_NOOP(
    "checkpoint", "Get the original, unquantized weights of the same model (BF16 or F16)."
)
_GET_SAFETENSORS = QT_TRANSLATE_NOOP(
    "checkpoint", "PyTorch files can run code when opened. Get the same model as .safetensors."
)
_LOOK_INSIDE = QT_TRANSLATE_NOOP(
    "checkpoint", "Choose a folder that holds config.json, the tokenizer and model.safetensors."
)
_GET_ALL = QT_TRANSLATE_NOOP("checkpoint", "Get all files of the model into one folder.")
_CHECK_DISK = QT_TRANSLATE_NOOP("checkpoint", "Check that the disk it is on is connected.")


def shown(text: str | Path) -> str:
    """One short printable line of `text`."""
    words = text.name or str(text) if isinstance(text, Path) else text
    line = "".join(c if c.isprintable() else "�" for c in words[:1000])
    return line if len(line) <= 120 else line[:80] + "…" + line[-39:]


def _of(path: Path, text: Message, hint: Message | None, detail: str = "") -> CheckpointError:
    return CheckpointError(path, text.fill(name=shown(path)), hint, detail)


# Places


def cannot_read(path: Path, error: OSError | ValueError) -> CheckpointError:
    """Turns the system's errors into sentences; a ValueError is a path with a NUL in it."""
    if isinstance(error, PermissionError):
        text = QT_TRANSLATE_NOOP("checkpoint", "You are not allowed to read {name}.")
        hint = QT_TRANSLATE_NOOP("checkpoint", "Change its permissions, or copy it elsewhere.")
    elif isinstance(error, (FileNotFoundError, NotADirectoryError, ValueError)):
        text = QT_TRANSLATE_NOOP("checkpoint", "{name} is not there.")
        hint = _GET_ALL
    else:
        text = QT_TRANSLATE_NOOP("checkpoint", "{name} cannot be read.")
        hint = _CHECK_DISK
    return _of(path, text, hint, str(error))


def not_ordinary(path: Path) -> CheckpointError:
    return _of(path, QT_TRANSLATE_NOOP("checkpoint", "{name} is not an ordinary file."), _GET_ALL)


def not_a_folder(path: Path) -> CheckpointError:
    text = QT_TRANSLATE_NOOP("checkpoint", "{name} is a file, not a folder with a model.")
    return _of(path, text, _LOOK_INSIDE)


def no_weights(folder: Path) -> CheckpointError:
    text = QT_TRANSLATE_NOOP("checkpoint", "There are no model weights in {name}.")
    return _of(folder, text, _LOOK_INSIDE)


def only_pickles(folder: Path, file_name: str) -> CheckpointError:
    text = QT_TRANSLATE_NOOP(
        "checkpoint", "The weights in {name} are PyTorch files ({file}), which Nibble never opens."
    )
    filled = text.fill(name=shown(folder), file=shown(file_name))
    return CheckpointError(folder, filled, _GET_SAFETENSORS)


def only_consolidated(folder: Path) -> UnsupportedError:
    text = QT_TRANSLATE_NOOP(
        "checkpoint",
        "The weights in {name} are in Mistral's own format (consolidated.safetensors).",
    )
    hint = QT_TRANSLATE_NOOP(
        "checkpoint", "Get the Hugging Face files too: config.json and model*.safetensors."
    )
    return UnsupportedError(folder, text.fill(name=shown(folder)), hint)


def only_an_adapter(folder: Path) -> UnsupportedError:
    text = QT_TRANSLATE_NOOP(
        "checkpoint", "{name} holds an adapter (LoRA), which is only an addition to a model."
    )
    hint = QT_TRANSLATE_NOOP("checkpoint", "Merge it into its model first, or get a merged one.")
    return UnsupportedError(folder, text.fill(name=shown(folder)), hint)


def other_file_names(folder: Path, file_name: str) -> CheckpointError:
    text = QT_TRANSLATE_NOOP(
        "checkpoint", "{name} has {file}, but no weights that are called model….safetensors."
    )
    hint = QT_TRANSLATE_NOOP(
        "checkpoint", "If {file} is the whole model, rename it to model.safetensors."
    )
    filled = text.fill(name=shown(folder), file=shown(file_name))
    return CheckpointError(folder, filled, hint.fill(file=shown(file_name)))


def only_gguf(folder: Path, file_name: str) -> CheckpointError:
    text = QT_TRANSLATE_NOOP("checkpoint", "{name} holds a GGUF file and no original weights.")
    hint = QT_TRANSLATE_NOOP("checkpoint", "Choose the file {file} itself.")
    filled = text.fill(name=shown(folder))
    return CheckpointError(folder, filled, hint.fill(file=shown(file_name)))


# JSON files


def json_too_large(path: Path, size_bytes: int, max_bytes: int) -> CheckpointError:
    text = QT_TRANSLATE_NOOP("checkpoint", "{name} is far too large ({size} MB).")
    filled = text.fill(name=shown(path), size=f"{size_bytes / 1e6:.0f}")
    return CheckpointError(path, filled, _GET_AGAIN, f"at most {max_bytes} bytes are read")


def not_json(path: Path, detail: str) -> CheckpointError:
    text = QT_TRANSLATE_NOOP("checkpoint", "{name} is damaged: it is not valid JSON.")
    return _of(path, text, _GET_AGAIN, detail)


def wrong_json(path: Path, detail: str) -> CheckpointError:
    text = QT_TRANSLATE_NOOP("checkpoint", "{name} is damaged: it does not say what it should.")
    return _of(path, text, _GET_AGAIN, detail)


def no_config(folder: Path) -> CheckpointError:
    text = QT_TRANSLATE_NOOP("checkpoint", "{name} has no config.json, which describes the model.")
    return _of(folder, text, _GET_ALL)


def missing_key(path: Path, key: str) -> CheckpointError:
    text = QT_TRANSLATE_NOOP("checkpoint", "{name} does not say “{key}”.")
    return CheckpointError(path, text.fill(name=shown(path), key=shown(key)), _GET_ALL)


_KINDS = {
    "int": QT_TRANSLATE_NOOP("checkpoint", "{name}: “{key}” should be a whole number."),
    "float": QT_TRANSLATE_NOOP("checkpoint", "{name}: “{key}” should be a number."),
    "str": QT_TRANSLATE_NOOP("checkpoint", "{name}: “{key}” should be text."),
    "object": QT_TRANSLATE_NOOP("checkpoint", "{name}: “{key}” should be an object."),
}


def wrong_kind(path: Path, key: str, kind: str, value: object) -> CheckpointError:
    """`kind`: "int", "float", "str" or "object"."""
    filled = _KINDS[kind].fill(name=shown(path), key=shown(key))
    return CheckpointError(path, filled, _GET_AGAIN, f"it is {shown(repr(value))}")


# Files of weights


def not_safetensors(path: Path, head: bytes) -> CheckpointError:
    """`head` is the first HEAD_BYTES bytes, or all there are."""
    text = QT_TRANSLATE_NOOP("checkpoint", "{name} is not a safetensors file.")
    return _of(path, text, _looks_like(head), f"starts with {head[:16]!r}")


def is_empty(path: Path) -> CheckpointError:
    return _of(path, QT_TRANSLATE_NOOP("checkpoint", "{name} is empty."), _GET_AGAIN)


def damaged(path: Path, detail: str) -> CheckpointError:
    text = QT_TRANSLATE_NOOP(
        "checkpoint", "{name} is damaged: its list of contents cannot be right."
    )
    return _of(path, text, _GET_AGAIN, shown(detail))


def damaged_tensor(path: Path, tensor: str, detail: str) -> CheckpointError:
    text = QT_TRANSLATE_NOOP("checkpoint", "{name} is damaged: {tensor} cannot be right.")
    filled = text.fill(name=shown(path), tensor=shown(tensor))
    return CheckpointError(path, filled, _GET_AGAIN, shown(detail))


def ends_early(path: Path, have_bytes: int, need_bytes: int) -> CheckpointError:
    text = QT_TRANSLATE_NOOP(
        "checkpoint", "{name} is damaged: it ends early ({have} of {need} bytes)."
    )
    filled = text.fill(name=shown(path), have=f"{have_bytes:,}", need=f"{need_bytes:,}")
    return CheckpointError(path, filled, _GET_AGAIN)


def changed_while_read(path: Path, tensor: str) -> CheckpointError:
    text = QT_TRANSLATE_NOOP("checkpoint", "{name} ended within {tensor} while it was being read.")
    hint = QT_TRANSLATE_NOOP("checkpoint", "Let downloads finish before you convert their files.")
    return CheckpointError(path, text.fill(name=shown(path), tensor=shown(tensor)), hint)


def cannot_read_tensor(path: Path, tensor: str, error: OSError) -> CheckpointError:
    text = QT_TRANSLATE_NOOP("checkpoint", "{tensor} cannot be read from {name}.")
    filled = text.fill(tensor=shown(tensor), name=shown(path))
    return CheckpointError(path, filled, _CHECK_DISK, str(error))


def unknown_dtype(path: Path, tensor: str, dtype: str) -> UnsupportedError:
    text = QT_TRANSLATE_NOOP(
        "checkpoint", "{name}: {tensor} is stored as {dtype}, which Nibble does not know."
    )
    filled = text.fill(name=shown(path), tensor=shown(tensor), dtype=shown(dtype))
    return UnsupportedError(path, filled, _GET_ORIGINAL)


# A checkpoint of several files


def bad_shard_name(index: Path, shard: str) -> CheckpointError:
    text = QT_TRANSLATE_NOOP("checkpoint", "{name} points outside its folder, to “{shard}”.")
    return CheckpointError(index, text.fill(name=shown(index), shard=shown(shard)), _GET_AGAIN)


def pickle_shard(index: Path, shard: str) -> CheckpointError:
    text = QT_TRANSLATE_NOOP(
        "checkpoint", "{name} lists “{shard}”, a PyTorch file, which Nibble never opens."
    )
    filled = text.fill(name=shown(index), shard=shown(shard))
    return CheckpointError(index, filled, _GET_SAFETENSORS)


def missing_shard(folder: Path, shard: str) -> CheckpointError:
    text = QT_TRANSLATE_NOOP("checkpoint", "{shard} is missing: the model is not complete.")
    return CheckpointError(folder / shard, text.fill(shard=shown(shard)), _GET_ALL)


def missing_tensor(path: Path, tensor: str) -> CheckpointError:
    text = QT_TRANSLATE_NOOP("checkpoint", "{name} lacks {tensor}, which the model's list has.")
    return CheckpointError(path, text.fill(name=shown(path), tensor=shown(tensor)), _GET_ALL)


def extra_tensor(path: Path, tensor: str) -> CheckpointError:
    text = QT_TRANSLATE_NOOP("checkpoint", "{name} has {tensor}, which the model's list lacks.")
    hint = QT_TRANSLATE_NOOP("checkpoint", "Files of two models may be mixed. Get them again.")
    return CheckpointError(path, text.fill(name=shown(path), tensor=shown(tensor)), hint)


def double_tensor(path: Path, other: Path, tensor: str) -> CheckpointError:
    text = QT_TRANSLATE_NOOP("checkpoint", "{tensor} is both in {name} and in {other}.")
    hint = QT_TRANSLATE_NOOP("checkpoint", "Files of two models may be mixed. Get them again.")
    filled = text.fill(tensor=shown(tensor), name=shown(path), other=shown(other))
    return CheckpointError(path, filled, hint)


def empty_tensor(path: Path, tensor: str) -> CheckpointError:
    text = QT_TRANSLATE_NOOP("checkpoint", "{name}: {tensor} has no elements.")
    return CheckpointError(path, text.fill(name=shown(path), tensor=shown(tensor)), _GET_AGAIN)


# Checkpoints that are quantized already


def unsupported_method(folder: Path, method: str) -> UnsupportedError:
    text = QT_TRANSLATE_NOOP(
        "checkpoint", "{name} is quantized with {method}, which Nibble cannot unpack."
    )
    return UnsupportedError(
        folder, text.fill(name=shown(folder), method=shown(method)), _GET_ORIGINAL
    )


def lacks_part(path: Path, tensor: str, part: str) -> CheckpointError:
    text = QT_TRANSLATE_NOOP("checkpoint", "{name}: {tensor} is quantized, but {part} is missing.")
    filled = text.fill(name=shown(path), tensor=shown(tensor), part=shown(part))
    return CheckpointError(path, filled, _GET_AGAIN)


def wrong_parts(path: Path, tensor: str, detail: str) -> CheckpointError:
    text = QT_TRANSLATE_NOOP(
        "checkpoint", "{name}: the quantized parts of {tensor} do not fit together."
    )
    filled = text.fill(name=shown(path), tensor=shown(tensor))
    return CheckpointError(path, filled, _GET_AGAIN, shown(detail))


# Files of another kind

_PICKLE = QT_TRANSLATE_NOOP(
    "checkpoint", "This is a PyTorch file under another name, which can run code when opened."
)
_ZIP = QT_TRANSLATE_NOOP("checkpoint", "This looks like a zip archive; unpack it first.")
_HTML = QT_TRANSLATE_NOOP(
    "checkpoint", "This looks like a web page, perhaps an error page. Download the model again."
)
_POINTER = QT_TRANSLATE_NOOP(
    "checkpoint",
    "This is a Git LFS pointer that only stands for the weights. Download the weights themselves.",
)
_GGUF = QT_TRANSLATE_NOOP("checkpoint", "This is a GGUF file; give it the ending .gguf.")
_ZEROS = QT_TRANSLATE_NOOP(
    "checkpoint", "It holds zeros, as an unfinished download does. Download it again."
)
_PREFIXES = (
    (b"version https://git-lfs", _POINTER),
    (b"GGUF", _GGUF),
    *((bytes([0x80, protocol]), _PICKLE) for protocol in range(1, 6)),
)


def _looks_like(head: bytes) -> Message:
    for prefix, hint in _PREFIXES:
        if head.startswith(prefix):
            return hint
    if head.startswith(b"PK\x03\x04"):
        return _PICKLE if b".pkl" in head else _ZIP
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if text.startswith((b"<!doctype html", b"<html", b"<head")):
        return _HTML
    return _GET_AGAIN if head.strip(b"\0") else _ZEROS
