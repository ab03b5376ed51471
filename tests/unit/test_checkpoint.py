"""Folders of weights: how their files are found, and what is said about those that are no model."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from quantize.checkpoint import Checkpoint, open_checkpoint
from quantize.errors import CheckpointError, QuantizeError, UnsupportedError
from quantize.types import GgmlType
from tests.helpers import safetensors_files as files
from tests.helpers.safetensors_files import Value, bf16, shard_name, write_checkpoint

TENSORS: dict[str, Value] = {
    "model.norm.weight": np.arange(4, dtype=np.float32),
    "model.embed_tokens.weight": bf16(np.arange(12).reshape(3, 4)),
    "lm_head.weight": np.arange(12, dtype=np.float16).reshape(3, 4),
    "position_ids": np.arange(5).reshape(1, 5),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "Tiny-Test"


def refused(folder: Path) -> QuantizeError:
    with pytest.raises(QuantizeError) as caught:
        open_checkpoint(folder)
    assert str(caught.value).isprintable()
    return caught.value


def check_tensors(found: Checkpoint) -> None:
    assert set(found.tensors) == set(TENSORS)
    embedding = found.tensors["model.embed_tokens.weight"]
    assert (embedding.type, embedding.shape) == (GgmlType.BF16, (3, 4))
    assert embedding.rows.read(1, 3).tolist() == [[4, 5, 6, 7], [8, 9, 10, 11]]
    assert found.tensors["lm_head.weight"].type is GgmlType.F16
    assert found.tensors["model.norm.weight"].type is GgmlType.F32
    assert found.tensors["position_ids"].type is GgmlType.F32
    assert found.tensors["position_ids"].rows.read(0, 1).tolist() == [[0, 1, 2, 3, 4]]


# Sound folders


def test_one_file(folder: Path) -> None:
    found = open_checkpoint(write_checkpoint(folder, TENSORS))
    check_tensors(found)
    assert found.config.model_type == "llama"
    assert found.source_bytes == 16 + 24 + 24 + 40
    assert found.tensors["lm_head.weight"].origin == "model.safetensors: lm_head.weight"


def test_several_files_with_an_index(folder: Path) -> None:
    found = open_checkpoint(write_checkpoint(folder, TENSORS, n_shards=3))
    check_tensors(found)
    assert found.tensors["model.norm.weight"].origin.startswith("model-00001-of-00003.safetensors")


def test_several_files_without_an_index(folder: Path) -> None:
    write_checkpoint(folder, TENSORS, n_shards=3)
    (folder / files.INDEX).unlink()
    check_tensors(open_checkpoint(folder))


def test_files_that_the_index_does_not_list_are_left_alone(folder: Path) -> None:
    write_checkpoint(folder, TENSORS, n_shards=2)
    (folder / "model.fp16.safetensors").write_bytes(b"junk")
    (folder / "consolidated.safetensors").write_bytes(b"junk")
    (folder / "pytorch_model.bin").write_bytes(b"\x80\x02")
    check_tensors(open_checkpoint(folder))


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege there")
def test_snapshot_of_links_to_blobs(folder: Path) -> None:
    """As the Hugging Face cache keeps them."""
    write_checkpoint(folder / "files", TENSORS, n_shards=2)
    blobs, snapshot = folder / "blobs", folder / "snapshots" / "abc"
    blobs.mkdir()
    snapshot.mkdir(parents=True)
    for i, path in enumerate((folder / "files").iterdir()):
        shutil.move(path, blobs / f"blob{i}")
        (snapshot / path.name).symlink_to(Path("../../blobs") / f"blob{i}")
    check_tensors(open_checkpoint(snapshot))
    (snapshot / shard_name(1, 2)).resolve().unlink()
    assert str(refused(snapshot)).startswith("model-00002-of-00002.safetensors is missing")


def test_most_common_type_is_the_source_type(folder: Path) -> None:
    tensors = {"a": bf16(np.zeros((9, 9))), "b": np.zeros(80, np.float32)}
    assert open_checkpoint(write_checkpoint(folder, tensors)).source_type == "BF16"


def test_order_is_by_file_then_name(folder: Path) -> None:
    tensors: dict[str, Value] = {name: bf16([1]) for name in ("c", "b", "a", "d")}
    write_checkpoint(folder, tensors, n_shards=2)
    assert list(open_checkpoint(folder).tensors) == ["a", "c", "b", "d"]


def test_opening_a_70b_takes_no_time(folder: Path) -> None:
    """30 files of a Llama 70B: 723 tensors, 141 GB of holes."""
    write_70b(folder)
    took = 9.0
    for _ in range(3):
        started = time.perf_counter()
        found = open_checkpoint(folder)
        took = min(took, time.perf_counter() - started)
    assert len(found.tensors) == 723
    assert found.source_bytes > 141e9
    assert took < 0.2


def write_70b(folder: Path) -> None:
    tensors: dict[str, tuple[int, ...]] = {"model.embed_tokens.weight": (128_256, 8192)}
    for i in range(80):
        tensors |= {f"model.layers.{i}.{name}.weight": shape for name, shape in LAYER_70B.items()}
    tensors |= {"model.norm.weight": (8192,), "lm_head.weight": (128_256, 8192)}
    names = list(tensors)
    files.write_config(folder, {"model_type": "llama"})
    where = {name: shard_name(i * 30 // len(names), 30) for i, name in enumerate(names)}
    for shard in dict.fromkeys(where.values()):
        part = {n: ("BF16", tensors[n], 2 * int(np.prod(tensors[n])))
                for n in names if where[n] == shard}  # fmt: skip
        files.write_sparse(folder / shard, part)
    files.write_index(folder, where)


LAYER_70B = {
    "self_attn.q_proj": (8192, 8192),
    "self_attn.o_proj": (8192, 8192),
    "self_attn.k_proj": (1024, 8192),
    "self_attn.v_proj": (1024, 8192),
    "mlp.gate_proj": (28_672, 8192),
    "mlp.up_proj": (28_672, 8192),
    "mlp.down_proj": (8192, 28_672),
    "input_layernorm": (8192,),
    "post_attention_layernorm": (8192,),
}


# Folders that are no model


def test_places_that_hold_nothing(folder: Path) -> None:
    assert str(refused(folder)) == "Tiny-Test is not there."
    folder.mkdir()
    assert str(refused(folder)) == "There are no model weights in Tiny-Test."
    (folder / "config.json").write_text("{}", encoding="utf-8")
    error = refused(folder)
    assert str(error) == "There are no model weights in Tiny-Test."
    assert str(error.hint).startswith("Choose a folder that holds config.json")
    error = refused(folder / "config.json")
    assert str(error) == "config.json is a file, not a folder with a model."


@pytest.mark.parametrize(
    "name", ["pytorch_model.bin", "model.pt", "consolidated.00.pth", "sd.ckpt", "model-1.pkl"]
)
def test_pickles_are_refused_by_name(folder: Path, name: str) -> None:
    folder.mkdir()
    (folder / name).write_bytes(b"junk")
    error = refused(folder)
    assert str(error) == (
        f"The weights in Tiny-Test are PyTorch files ({name}), which Nibble never opens."
    )
    assert "Get the same model as .safetensors." in str(error.hint)


def test_pickles_are_refused_by_their_first_bytes(folder: Path) -> None:
    write_checkpoint(folder, TENSORS)
    (folder / "model.safetensors").write_bytes(b"\x80\x02" + bytes(100))
    error = refused(folder)
    assert str(error) == "model.safetensors is not a safetensors file."
    assert "PyTorch file under another name" in str(error.hint)


@pytest.mark.parametrize(
    ("names", "kind", "words"),
    [
        (["consolidated.safetensors", "params.json"], UnsupportedError, "Mistral's own format"),
        (["consolidated-00001-of-2.safetensors"], UnsupportedError, "Mistral's own format"),
        (["adapter_config.json", "adapter_model.safetensors"], UnsupportedError, "an adapter"),
        (["weights.safetensors"], CheckpointError, "has weights.safetensors, but no weights that"),
        (["model-Q4_K_M.gguf"], CheckpointError, "holds a GGUF file and no original weights"),
    ],
)
def test_weights_of_other_kinds(
    folder: Path, names: list[str], kind: type[QuantizeError], words: str
) -> None:
    folder.mkdir()
    for name in names:
        (folder / name).write_bytes(b"junk")
    error = refused(folder)
    assert words in str(error)
    assert isinstance(error, kind)
    assert error.hint is not None


def test_no_config(folder: Path) -> None:
    write_checkpoint(folder, TENSORS)
    (folder / "config.json").unlink()
    assert str(refused(folder)) == "Tiny-Test has no config.json, which describes the model."


def test_no_tensors(folder: Path) -> None:
    assert "There are no model weights" in str(refused(write_checkpoint(folder, {})))


def test_tensor_without_elements(folder: Path) -> None:
    error = refused(write_checkpoint(folder, {"a": np.zeros((0, 4), np.float32)}))
    assert str(error) == "model.safetensors: a has no elements."


def test_numbers_that_cannot_be_read(folder: Path) -> None:
    error = refused(write_checkpoint(folder, {"a": files.Raw("F4", (4,), b"ab")}))
    assert str(error) == "model.safetensors: a is stored as F4, which Nibble does not know."


# Folders whose files contradict each other


def test_missing_shard(folder: Path) -> None:
    write_checkpoint(folder, TENSORS, n_shards=3)
    (folder / shard_name(1, 3)).unlink()
    error = refused(folder)
    assert str(error) == "model-00002-of-00003.safetensors is missing: the model is not complete."
    assert error.path == folder / shard_name(1, 3)


def test_missing_shard_without_an_index(folder: Path) -> None:
    write_checkpoint(folder, TENSORS, n_shards=3)
    (folder / files.INDEX).unlink()
    (folder / shard_name(2, 3)).unlink()
    assert str(refused(folder)).startswith("model-00003-of-00003.safetensors is missing")


def test_index_alone(folder: Path) -> None:
    write_checkpoint(folder, TENSORS, n_shards=2)
    for path in folder.glob("*.safetensors"):
        path.unlink()
    assert str(refused(folder)).startswith("model-00001-of-00002.safetensors is missing")


def test_cut_shard(folder: Path) -> None:
    write_checkpoint(folder, TENSORS, n_shards=2)
    shard = folder / shard_name(0, 2)
    os.truncate(shard, shard.stat().st_size - 1)
    error = refused(folder)
    assert "model-00001-of-00002.safetensors is damaged: it ends early" in str(error)
    assert error.path == shard


@pytest.mark.parametrize(
    "shard",
    [
        *("../model.safetensors", "/etc/model.safetensors", "a/../../b.safetensors", ".."),
        *("sub\\model.safetensors", "C:\\model.safetensors", "C:model.safetensors", "", "."),
        *("model\0.safetensors", "sub/model.safetensors"),
    ],
)
def test_shard_names_stay_in_the_folder(folder: Path, shard: str) -> None:
    write_checkpoint(folder, TENSORS)
    files.write_index(folder, dict.fromkeys(TENSORS, shard))
    error = refused(folder)
    assert str(error).startswith("model.safetensors.index.json points outside its folder, to “")


def test_shard_outside_is_not_opened(folder: Path) -> None:
    """The file outside is sound, so only the name can be what is refused."""
    write_checkpoint(folder.parent / "other", TENSORS)
    write_checkpoint(folder, TENSORS)
    files.write_index(folder, dict.fromkeys(TENSORS, "../other/model.safetensors"))
    assert "points outside its folder" in str(refused(folder))


@pytest.mark.parametrize("shard", ["x" * 300, "\ud800", "model.safetensors/x"])
def test_shard_names_that_no_file_can_have(folder: Path, shard: str) -> None:
    write_checkpoint(folder, TENSORS)
    files.write_index(folder, dict.fromkeys(TENSORS, shard))
    assert isinstance(refused(folder), CheckpointError)


def test_pickle_in_the_index(folder: Path) -> None:
    write_checkpoint(folder, TENSORS)
    (folder / "model.bin").write_bytes(b"junk")
    files.write_index(folder, dict.fromkeys(TENSORS, "model.bin"))
    assert "lists “model.bin”, a PyTorch file, which Nibble never opens" in str(refused(folder))


def _set(key: str, value: object) -> Callable[[dict[str, object]], dict[str, object]]:
    return lambda index: {**index, key: value}


@pytest.mark.parametrize(
    "change", [_set("weight_map", 3), _set("weight_map", {"a": 1}), _set("weight_map", None)]
)
def test_index_of_the_wrong_kind(
    folder: Path, change: Callable[[dict[str, object]], dict[str, object]]
) -> None:
    write_checkpoint(folder, TENSORS, n_shards=2)
    index = folder / files.INDEX
    index.write_text(json.dumps(change(json.loads(index.read_bytes()))), encoding="utf-8")
    error = refused(folder)
    assert str(error).startswith("model.safetensors.index.json is damaged: it does not say")


def test_index_that_is_no_json(folder: Path) -> None:
    write_checkpoint(folder, TENSORS, n_shards=2)
    (folder / files.INDEX).write_bytes(b"[" * 100_000)
    error = refused(folder)
    assert str(error) == "model.safetensors.index.json is damaged: it is not valid JSON."


def test_tensor_missing_from_its_shard(folder: Path) -> None:
    write_checkpoint(folder, TENSORS)
    where = dict.fromkeys([*TENSORS, "model.layers.0.weight"], "model.safetensors")
    files.write_index(folder, where)
    assert str(refused(folder)) == (
        "model.safetensors lacks model.layers.0.weight, which the model's list has."
    )


def test_tensor_that_the_index_does_not_list(folder: Path) -> None:
    write_checkpoint(folder, {**TENSORS, "extra": bf16([1])})
    files.write_index(folder, dict.fromkeys(TENSORS, "model.safetensors"))
    assert str(refused(folder)) == "model.safetensors has extra, which the model's list lacks."


def test_tensor_in_two_files(folder: Path) -> None:
    write_checkpoint(folder, TENSORS)
    shutil.copy(folder / "model.safetensors", folder / "model2.safetensors")
    assert str(refused(folder)) == (
        "lm_head.weight is both in model.safetensors and in model2.safetensors."
    )


def test_duplicate_names_in_one_file(folder: Path) -> None:
    write_checkpoint(folder, TENSORS)
    (folder / "model.safetensors").write_bytes(files.double_name())
    error = refused(folder)
    assert str(error).startswith("model.safetensors is damaged: its list of contents")
    assert error.detail == "'a' is there twice"


def test_names_of_anything_can_be_printed(folder: Path) -> None:
    name = "evil\x1b[31m\n" + "x" * 500
    write_checkpoint(folder, {name: files.Raw("F4", (4,), b"ab")})
    error = refused(folder)
    assert "evil�[31m�xxx" in str(error)
    assert len(str(error)) < 250
