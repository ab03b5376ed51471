"""The `tokenizer.*` keys that the official converter itself writes for a folder, to compare with.

Needs a Python with torch, transformers and the converter's source; only `official` runs there, in
a process of its own. From the repository's root:

    python -m tests.helpers.tokenizer_oracle PYTHON CONVERTER FOLDER ARCHITECTURE STYLE
    python -m tests.helpers.tokenizer_oracle PYTHON CONVERTER --goldens

The first prints how the folder's keys compare and exits with 1 where one differs; the second
writes tests/goldens/tokenizers.json from `tokenizers.CASES`.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from quantize.config import read_config
from quantize.gguf_header import ArrayRef, read_header
from quantize.gguf_writer import header_bytes
from quantize.tokenizer import VocabStyle, vocabulary
from tests.helpers.tokenizers import CASES, write_case

GOLDENS = Path(__file__).resolve().parents[1] / "goldens" / "tokenizers.json"
PRE_KEY = "tokenizer.ggml.pre"
Values = dict[str, tuple[str, bytes]]  # type and bytes of each key's value

# Only `set_vocab` runs: the model's class is made without its tensors. With a fourth argument every
# pre-tokenizer goes under that name, and its hash is printed.
_OFFICIAL = """
import ast, hashlib, logging, sys
from pathlib import Path
converter, folder, architecture, target, pre = sys.argv[1:]
sys.path[:0] = [converter, converter + "/gguf-py"]
logging.disable(logging.CRITICAL)
import gguf
import conversion
from conversion.base import ModelBase, TextModel
def known(self, tokenizer):
    source = Path(converter, "conversion", "base.py").read_text(encoding="utf-8")
    line = next(line for line in source.splitlines() if line.strip().startswith("chktxt = "))
    text = ast.literal_eval(line.strip().removeprefix("chktxt = "))
    print(hashlib.sha256(str(tokenizer.encode(text)).encode()).hexdigest())
    return pre
if pre:
    TextModel.get_vocab_base_pre = known
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
    python: Path, converter: Path, folder: Path, architecture: str, pre: str = ""
) -> tuple[Values, str]:
    """What the official converter writes, in its order, and with `pre` the hash it found."""
    with tempfile.TemporaryDirectory() as scratch:
        target = Path(scratch, "official.gguf")
        result = subprocess.run(
            [python, "-c", _OFFICIAL, converter, folder, architecture, target, pre],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "HF_HUB_OFFLINE": "1", "TRANSFORMERS_VERBOSITY": "error"},
        )
        if result.returncode:
            raise RuntimeError(result.stderr[-3000:])
        return _values(target), result.stdout.strip()


def ours(folder: Path, style: VocabStyle) -> Values:
    """The same of `quantize.tokenizer`."""
    metadata = vocabulary(folder, read_config(folder), style)
    with tempfile.TemporaryDirectory() as scratch:
        target = Path(scratch, "ours.gguf")
        target.write_bytes(header_bytes(metadata, ()))
        return _values(target)


def differences(expected: Values, got: Values) -> list[str]:
    """A line per key whose value or type differs, and one where only their order does.

    The official list of chat templates is in no order, so these names are not compared.
    """
    lines = [
        f"{key}: {_told(expected.get(key))} expected, {_told(got.get(key))} found"
        for key in dict.fromkeys([*expected, *got])
        if expected.get(key) != got.get(key) and key != "tokenizer.chat_templates"
    ]
    if not lines and list(expected) != list(got):
        lines.append(f"order: {[*expected]} expected, {[*got]} found")
    return lines


def digests(values: Values) -> dict[str, str]:
    """Type and SHA-256 of each value, short enough to commit."""
    return {
        key: f"{type_} {hashlib.sha256(raw).hexdigest()}" for key, (type_, raw) in values.items()
    }


def _values(path: Path) -> Values:
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


def compare(
    python: Path, converter: Path, folder: Path, architecture: str, style: str
) -> list[str]:
    """What differs for a real tokenizer's folder, which needs a config.json."""
    expected, _ = official(python, converter, folder, architecture)
    return differences(expected, ours(folder, VocabStyle[style]))


def write_goldens(python: Path, converter: Path) -> None:
    goldens = {}
    for name, case in CASES.items():
        with tempfile.TemporaryDirectory() as scratch:
            folder = write_case(Path(scratch, name), case)
            values, pre_hash = official(python, converter, folder, case.architecture, pre="known")
            goldens[name] = {"pre_hash": pre_hash, "keys": digests(values)}
    GOLDENS.write_text(json.dumps(goldens, indent=1) + "\n", encoding="utf-8", newline="\n")


def main(python: str, converter: str, *rest: str) -> int:
    if rest == ("--goldens",):
        write_goldens(Path(python), Path(converter))
        return 0
    folder, architecture, style = rest
    lines = compare(Path(python), Path(converter), Path(folder), architecture, style)
    sys.stdout.write("\n  ".join([f"{Path(folder).name}: {len(lines)} keys differ", *lines, ""]))
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
