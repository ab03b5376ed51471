"""What llama.cpp itself decides about every tensor, asked in a dry run over a header-only file.

The model's header is written with its data left out (a sparse file of the right size),
llama_model_quantize runs over it with `dry_run`, and what it logs about each tensor is read. A log
that does not account for every tensor is refused: better no file than a wrong one.

Rejected: llama_quant_compute_types, which says the same without a log, is C++ and not exported
under a stable name.

Source: llama.cpp at 0c1e57098, src/llama-quant.cpp (llama_model_quantize_impl).
"""

from __future__ import annotations

import ctypes
import os
import re
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from quantize import native
from quantize.errors import UnsupportedError
from quantize.gguf_writer import cannot_write, header_bytes, lay_out
from quantize.job import Recipe
from quantize.libllama import lib
from quantize.messages import QT_TRANSLATE_NOOP
from quantize.model import Model
from quantize.options import TYPES_BY_NAME, DryRunParams
from quantize.types import FileType, GgmlType

_TENSOR = re.compile(
    r"^\[ *\d+/ *\d+\] +(\S+) +- \[[^]\n]*\], type = +(\S+), size = [^(\n]*(?:\((\S+)\))?", re.M
)
_FALLBACK = re.compile(
    r"^warning: (\S+) +- ncols +(\d+) not divisible by +(\d+) \(required for type +(\S+)\)", re.M
)
_RENAMED = re.compile(r"^\S+: tensor (\S+) remapped to (\S+)$", re.M)
_PRUNED = re.compile(r"^\S+: pruning tensor (\S+)$", re.M)
_FAILED = re.compile(r"failed to quantize: (.*)")
_lock = threading.Lock()


@dataclass(frozen=True, slots=True)
class Fallback:
    """The type that was meant, whose blocks of `block` the rows of `n_cols` numbers do not fill."""

    wanted: GgmlType
    n_cols: int
    block: int


@dataclass(frozen=True, slots=True)
class Decision:
    """`name` is the tensor's in the file to be, `source_name` the model's own."""

    name: str
    source_name: str
    type: GgmlType
    fallback: Fallback | None


def decide(
    model: Model, file_type: FileType, recipe: Recipe, has_imatrix: bool, work_dir: Path
) -> tuple[Decision, ...]:
    """For every tensor that stays, in the order llama.cpp writes them.

    Raises UnsupportedError where llama.cpp cannot use the model or the options, OutputError where
    `work_dir` does not take the header-only file.
    """
    _check_names(model)
    log = dry_run_log(model, file_type, recipe, has_imatrix, work_dir)
    try:
        return _read_log(log, {weight.name for weight in model.weights})
    except ValueError as error:
        raise UnsupportedError(model.path, _UNREADABLE, _UNREADABLE_HINT, str(error)) from error


def _check_names(model: Model) -> None:
    """Raises UnsupportedError for names that would be misread in the log."""
    for weight in model.weights:
        if not weight.name.isprintable() or len(weight.name.split()) != 1 or " " in weight.name:
            text = _ODD_NAME.fill(name=ascii(weight.name)[:100])
            raise UnsupportedError(model.path, text)


def _read_log(log: str, names: set[str]) -> tuple[Decision, ...]:
    """Raises ValueError where the log does not account for exactly the tensors `names`."""
    source_names = {new: old for old, new in _RENAMED.findall(log)}
    fallbacks = {
        name: Fallback(_type(wanted), int(n_cols), int(block))
        for name, n_cols, block, wanted in _FALLBACK.findall(log)
    }
    decisions = tuple(
        Decision(name, source_names.get(name, name), _type(new or old), fallbacks.get(name))
        for name, old, new in _TENSOR.findall(log)
    )
    told = [*(decision.source_name for decision in decisions), *_PRUNED.findall(log)]
    if len(told) != len(names) or set(told) != names:
        raise ValueError(f"{sorted(set(told) ^ names)[:5]} of {len(told)}/{len(names)} tensors")
    return decisions


def _type(name: str) -> GgmlType:
    type_ = TYPES_BY_NAME.get(name.lower())
    if type_ is None:
        raise ValueError(f"unknown type {name}")
    return type_


def dry_run_log(
    model: Model, file_type: FileType, recipe: Recipe, has_imatrix: bool, work_dir: Path
) -> str:
    """What llama.cpp logs. Raises UnsupportedError with its own words as detail."""
    params = DryRunParams(model.path, file_type, recipe, has_imatrix)
    with _header_only(model, work_dir) as path, _lock, _captured_log() as lines:
        arguments = (os.fsencode(path), os.fsencode(path) + b".out", ctypes.byref(params.struct))
        try:
            failed = native.survive(lambda: lib.llama_model_quantize(*arguments))
        except native.Aborted as aborted:
            raise UnsupportedError(model.path, _REFUSED, _REFUSED_HINT, str(aborted)) from aborted
    log = "".join(lines)
    if failed:
        said = _FAILED.findall(log)
        raise UnsupportedError(
            model.path, _REFUSED, _REFUSED_HINT, said[-1] if said else log[-500:]
        )
    return log


@contextmanager
def _header_only(model: Model, work_dir: Path) -> Iterator[Path]:
    """A GGUF with the model's header and a hole for its data, which llama.cpp checks for its size.

    The hole takes no disk wherever files can be sparse (NTFS, APFS, ext4, tmpfs …). On exFAT and
    FAT it is allocated, or refused: then the error says that the disk is full, so `work_dir` is
    better the system's temporary folder than one beside the results. The vocabulary is left out:
    types do not depend on it, and it is most of a header.
    """
    layout = lay_out((weight.name, weight.shape, weight.type) for weight in model.weights)
    values = {key: v for key, v in model.metadata.items() if not key.startswith(_LEFT_OUT)}
    header = header_bytes(values, layout)
    path = None
    try:
        handle, name = tempfile.mkstemp(suffix=".gguf", dir=work_dir)
        path = Path(name)
        with os.fdopen(handle, "wb") as file:
            _allow_holes(file.fileno())
            file.write(header)
            file.truncate(len(header) + layout[-1].offset + layout[-1].n_bytes)
    except OSError as error:
        _remove(path)
        raise cannot_write(path or work_dir, error) from error
    try:
        yield path
    finally:
        _remove(path)


_LEFT_OUT = ("tokenizer.", "general.alignment", "split.")


def _remove(path: Path | None) -> None:
    """Windows keeps what is still mapped (after an assertion): the folder's owner clears up."""
    if path is not None:
        with suppress(OSError):
            path.unlink()


def _allow_holes(descriptor: int) -> None:
    """NTFS allocates all of a file unless it is marked as sparse first."""
    if sys.platform == "win32":
        import msvcrt

        handle = ctypes.c_void_p(msvcrt.get_osfhandle(descriptor))
        n_bytes = ctypes.c_ulong()
        ctypes.windll.kernel32.DeviceIoControl(
            handle, _FSCTL_SET_SPARSE, None, 0, None, 0, ctypes.byref(n_bytes), None
        )


_FSCTL_SET_SPARSE = 0x900C4


@contextmanager
def _captured_log() -> Iterator[list[str]]:
    """Everything llama.cpp logs meanwhile, in pieces as they come; then as before."""
    pieces: list[str] = []

    def keep(_level: int, text: bytes, _data: object) -> None:
        pieces.append(text.decode("utf-8", "replace"))

    before, data = lib.llama_log_callback(), ctypes.c_void_p()
    lib.llama_log_get(ctypes.byref(before), ctypes.byref(data))
    callback = lib.llama_log_callback(keep)
    lib.llama_log_set(callback, None)
    try:
        yield pieces
    finally:
        lib.llama_log_set(before, data)


_REFUSED = QT_TRANSLATE_NOOP("recipe", "llama.cpp cannot make this file.")
_REFUSED_HINT = QT_TRANSLATE_NOOP("recipe", "Choose another type, or leave the options out.")
_ODD_NAME = QT_TRANSLATE_NOOP("recipe", "The source has a tensor with an impossible name: {name}.")
_UNREADABLE = QT_TRANSLATE_NOOP(
    "recipe", "Which types llama.cpp would choose could not be understood."
)
_UNREADABLE_HINT = QT_TRANSLATE_NOOP("recipe", "This is Nibble's fault: please report it.")
