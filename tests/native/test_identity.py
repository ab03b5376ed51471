"""Our files of every family against what the official converter and llama.cpp made of the same.

The other side is in tests/goldens/identity.json, written by `packaging/dev oracle --write`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from quantize import arch
from quantize.gguf_header import read_header
from quantize.types import FileType
from tests.helpers import checkpoints, identity
from tests.helpers.identity import Plan

GOLDENS: dict[str, dict[str, Any]] = json.loads(identity.GOLDENS.read_text(encoding="utf-8"))
GOLDEN_CASES = {name: golden for cases in GOLDENS.values() for name, golden in cases.items()}


@pytest.mark.parametrize("name", checkpoints.CASES)
def test_files_are_the_official_ones(name: str, tmp_path: Path) -> None:
    golden = GOLDEN_CASES[name]
    folder = checkpoints.write_case(tmp_path, name)
    out = tmp_path / "ours"
    out.mkdir()
    matrix: Path | None = None
    sections = {}
    with identity.known_tokenizers(golden["pre_hash"]):
        for plan in identity.plans(checkpoints.CASES[name]):
            if plan.with_matrix:
                matrix = tmp_path / "random.imatrix"
            for type_, path in identity.make_ours(folder, out, plan, matrix).items():
                sections[type_] = identity.section(path)
                found = identity.metadata(path)
                assert found == golden["metadata"]
                assert list(found) == list(golden["metadata"])
                assert identity.file_type(path) is FileType[type_]
                if matrix is None:
                    identity.write_matrix_for(path, tmp_path / "random.imatrix")
    assert sections == golden["types"]


def test_every_family_has_a_case() -> None:
    tested = {arch.FAMILIES[case.family] for case in checkpoints.CASES.values()}
    assert tested == set(arch.FAMILIES.values())
    assert set(GOLDEN_CASES) == set(checkpoints.CASES)


def test_another_weight_changes_the_section(tmp_path: Path) -> None:
    name = "qwen3-moe-288"
    folder = checkpoints.write_case(tmp_path, name)
    weights = bytearray((folder / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (folder / "model.safetensors").write_bytes(weights)
    with identity.known_tokenizers(GOLDEN_CASES[name]["pre_hash"]):
        (path,) = identity.make_ours(folder, tmp_path, Plan(("Q8_0",)), None).values()
    assert identity.section(path) != GOLDEN_CASES[name]["types"]["Q8_0"]
    assert identity.metadata(path) == GOLDEN_CASES[name]["metadata"]


def test_only_explained_keys_are_left_out(tmp_path: Path) -> None:
    name = "qwen3-untied"
    folder = checkpoints.write_case(tmp_path, name)
    with identity.known_tokenizers(GOLDEN_CASES[name]["pre_hash"]):
        (path,) = identity.make_ours(folder, tmp_path, Plan(("Q8_0",)), None).values()
    left_out = set(read_header(path).metadata) - set(GOLDEN_CASES[name]["metadata"])
    assert left_out < set(identity.MAY_DIFFER)
