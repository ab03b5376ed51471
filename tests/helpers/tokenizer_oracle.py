"""The `tokenizer.*` keys that the official converter itself writes for a folder, to compare with.

Needs a Python with torch, transformers and the converter's source; only `official` runs there, in
a process of its own. Usage, from the repository's root:

    python -m tests.helpers.tokenizer_oracle PYTHON CONVERTER FOLDER ARCHITECTURE STYLE

prints one line per key, and exits with 1 where one differs.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from quantize.config import read_config
from quantize.gguf_header import ArrayRef, read_header
from quantize.gguf_writer import header_bytes
from quantize.tokenizer import VocabStyle, vocabulary

ROOT = Path(__file__).resolve().parents[2]

# Only `set_vocab` runs: the model's class is made without its tensors.
_OFFICIAL = """
import logging, sys
from pathlib import Path
converter, folder, architecture, target = sys.argv[1:]
sys.path[:0] = [converter, converter + "/gguf-py"]
logging.disable(logging.CRITICAL)
import gguf
import conversion
from conversion.base import ModelBase
model_class = conversion.get_model_class(architecture)
model = object.__new__(model_class)
hparams = ModelBase.load_hparams(Path(folder), False)
if "text_config" in hparams:
    hparams = {**hparams, **hparams["text_config"]}
model.dir_model, model.hparams = Path(folder), hparams
model.hf_arch = model.origin_hf_arch = architecture
model.target_model_dir = None
model.gguf_writer = gguf.GGUFWriter(target, "llama")
model.set_vocab()
model.gguf_writer.write_header_to_file()
model.gguf_writer.write_kv_data_to_file()
model.gguf_writer.close()
"""


def official(
    python: Path, converter: Path, folder: Path, architecture: str
) -> dict[str, tuple[str, bytes]]:
    """Each key's type and value as the official converter writes it, in its order."""
    with tempfile.TemporaryDirectory() as scratch:
        target = Path(scratch, "official.gguf")
        result = subprocess.run(
            [python, "-c", _OFFICIAL, converter, folder, architecture, target],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "HF_HUB_OFFLINE": "1", "TRANSFORMERS_VERBOSITY": "error"},
        )
        if result.returncode:
            raise RuntimeError(result.stderr[-3000:])
        return _values(target)


def ours(folder: Path, style: VocabStyle) -> dict[str, tuple[str, bytes]]:
    """The same of `quantize.tokenizer`."""
    metadata = vocabulary(folder, read_config(folder), style)
    with tempfile.TemporaryDirectory() as scratch:
        target = Path(scratch, "ours.gguf")
        target.write_bytes(header_bytes(metadata, ()))
        return _values(target)


def differences(
    expected: dict[str, tuple[str, bytes]], got: dict[str, tuple[str, bytes]]
) -> list[str]:
    """A line per key whose value or type differs, and one where only their order does."""
    lines = [
        f"{key}: {_told(expected.get(key))} expected, {_told(got.get(key))} found"
        for key in dict.fromkeys([*expected, *got])
        if expected.get(key) != got.get(key)
    ]
    if not lines and list(expected) != list(got):
        lines.append(f"order: {[*expected]} expected, {[*got]} found")
    return lines


def digests(values: dict[str, tuple[str, bytes]]) -> dict[str, str]:
    """Type and SHA-256 of each value, short enough to commit."""
    return {
        key: f"{type_} {hashlib.sha256(raw).hexdigest()}" for key, (type_, raw) in values.items()
    }


def _values(path: Path) -> dict[str, tuple[str, bytes]]:
    header = read_header(path)
    values = {}
    for key, value in header.metadata.items():
        type_ = header.value_types[key].name
        if isinstance(value, ArrayRef):
            values[key] = (f"{type_} {value.type.name} {value.count}", value.read_raw())
        else:
            values[key] = (type_, repr(value).encode("utf-8", "surrogatepass"))
    return {key: value for key, value in values.items() if key.startswith("tokenizer.")}


def _told(value: tuple[str, bytes] | None) -> str:
    return f"{value[0]} {value[1][:60]!r}" if value else "nothing"


def main(python: str, converter: str, folder: str, architecture: str, style: str) -> int:
    expected = official(Path(python), Path(converter), Path(folder), architecture)
    got = ours(Path(folder), VocabStyle[style])
    lines = differences(expected, got)
    same = len([key for key in expected if expected[key] == got.get(key)])
    print(f"{Path(folder).name}: {same} of {len(expected)} keys equal", *lines, sep="\n  ")  # noqa: T201
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
