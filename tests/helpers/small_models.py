"""Small models that run: the architecture of a real one, random weights, a few hundred tokens."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

from tests.helpers import checkpoints, identity
from tests.helpers.identity import Plan

_HASHES = json.loads(identity.GOLDENS.read_text(encoding="utf-8"))


def make(folder: Path, name: str, type_: str = "F32", **config: Any) -> Path:
    """The GGUF of the case `name` in `tests.helpers.checkpoints`, with `config` changed."""
    case = checkpoints.CASES[name]
    changed = replace(case, config=case.config | config)
    with mock.patch.dict(checkpoints.CASES, {name: changed}):
        source = checkpoints.write_case(folder, name)
    out = folder / "made"
    out.mkdir(exist_ok=True)
    pre_hash = next(cases[name]["pre_hash"] for cases in _HASHES.values() if name in cases)
    with identity.known_tokenizers(pre_hash):
        return identity.make_ours(source, out, Plan((type_,)), None)[type_]
