"""Runs in the oracle's own environment: the official converter over several folders.

Usage: PYTHON convert.py CONVERTER_FOLDER PRE < jobs    (jobs: a JSON list of [folder, out, type])

Prints a JSON object: by folder, the hash of its pre-tokenizer ("" where it has none) or what went
wrong. With PRE, every pre-tokenizer that the converter does not know goes under that name.
"""

from __future__ import annotations

import ast
import hashlib
import importlib
import json
import logging
import os
import sys
import traceback
from pathlib import Path
from typing import Any

_results: dict[str, dict[str, str]] = {}


def main(converter: str, pre: str) -> None:
    os.environ.update(HF_HUB_OFFLINE="1", TRANSFORMERS_VERBOSITY="error", TQDM_DISABLE="1")
    out = os.dup(1)
    os.dup2(2, 1)
    sys.path[:0] = [converter, f"{converter}/gguf-py"]
    script: Any = importlib.import_module("convert_hf_to_gguf")
    logging.disable(logging.CRITICAL)
    if pre:
        _name_unknown(importlib.import_module("conversion.base"), pre)
    for folder, target, type_ in json.load(sys.stdin):
        _convert(script, folder, target, type_)
    os.write(out, json.dumps(_results).encode())


def _convert(script: Any, folder: str, target: str, type_: str) -> None:
    result = _results[folder] = {"pre_hash": "", "error": ""}
    sys.argv = ["convert", folder, "--outfile", target, "--outtype", type_]
    try:
        script.main()
    except (Exception, SystemExit):
        result["error"] = traceback.format_exc(limit=-12)


def _name_unknown(base: Any, pre: str) -> None:
    """Give tokenizers that were made for tests a name, and remember their hashes."""
    ask = base.TextModel.get_vocab_base_pre
    text = _check_text(Path(base.__file__))

    def known(self: Any, tokenizer: Any) -> str:
        try:
            return str(ask(self, tokenizer))
        except NotImplementedError:
            numbers = str(tokenizer.encode(text)).encode()
            _results[str(self.dir_model)]["pre_hash"] = hashlib.sha256(numbers).hexdigest()
            return pre

    base.TextModel.get_vocab_base_pre = known


def _check_text(source: Path) -> str:
    """What the converter hashes, from its source: it is a local variable there."""
    lines = source.read_text(encoding="utf-8").splitlines()
    line = next(line.strip() for line in lines if line.strip().startswith("chktxt = "))
    return str(ast.literal_eval(line.removeprefix("chktxt = ")))


if __name__ == "__main__":
    main(*sys.argv[1:])
