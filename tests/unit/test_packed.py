"""Packed weights: unpacked as independent formulas say, by any rows; what is refused, and how.

The formulas here are written from the formats' own descriptions, element by element, and were held
against the official converter (llama.cpp at 0c1e57098, conversion/base.py), bit for bit.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantize.checkpoint import Checkpoint, Tensor, open_checkpoint
from quantize.errors import CheckpointError, QuantizeError, UnsupportedError
from quantize.packed.recent import Recent
from quantize.rows import RawGathered, RawRows, RawSliced, RawStacked
from quantize.types import GgmlType
from tests.helpers.fuzz import fuzz
from tests.helpers.safetensors_files import Raw, Value, bf16, fp8, raw, write_checkpoint

F32 = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
rng = np.random.default_rng(7)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "Packed-Test"


def opened(folder: Path, tensors: Mapping[str, Value], quantization: object) -> Checkpoint:
    config: dict[str, Any] = {"model_type": "llama"}
    if quantization is not None:
        config["quantization_config"] = quantization
    return open_checkpoint(write_checkpoint(folder, tensors, config))


def refused(folder: Path, tensors: Mapping[str, Value], quantization: object) -> QuantizeError:
    with pytest.raises(QuantizeError) as caught:
        opened(folder, tensors, quantization)
    return caught.value


def check(tensor: Tensor, want: F32) -> None:
    """`want`, of the tensor's shape, comes out bit for bit however it is cut into rows."""
    assert tensor.shape == want.shape
    flat = want.reshape(-1, want.shape[-1])
    rows = tensor.rows
    assert (rows.n_rows, rows.n_cols) == flat.shape
    assert rows.source_bytes > 0
    n = len(flat)
    for start, stop in ((0, n), (0, 1), (n - 1, n), (n // 3, n // 2 + 2), (1, n)):
        got = rows.read(start, stop)
        assert got.flags.c_contiguous
        assert got.flags.writeable
        assert np.array_equal(got.view(np.uint32), flat[start:stop].view(np.uint32))


def pack(codes: Ints, bits: int) -> npt.NDArray[np.int32]:
    """Rows of codes into words as a stream of bits, lowest first."""
    as_bits = codes[:, :, None] >> np.arange(bits) & 1
    data = np.packbits(as_bits.reshape(len(codes), -1).astype(np.uint8), axis=1, bitorder="little")
    return data.view(np.int32)


# GPTQ


def gptq(
    bits: int, group_of: Ints, n_rows: int, offset: int
) -> tuple[dict[str, Value], npt.NDArray[np.float32]]:
    n_groups, top = int(group_of.max()) + 1, 2**bits
    codes = rng.integers(0, top, (n_rows, len(group_of)))
    zeros = rng.integers(0, top, (n_groups, n_rows))
    scales = rng.normal(size=(n_groups, n_rows)).astype(np.float16)
    parts: dict[str, Value] = {
        "a.qweight": np.ascontiguousarray(pack(codes, bits).T),
        "a.qzeros": pack(zeros, bits),
        "a.scales": scales,
        "a.g_idx": group_of.astype(np.int32),
        "a.bias": np.zeros(n_rows, np.float16),
    }
    want = np.empty((n_rows, len(group_of)), np.float32)
    for column, group in enumerate(group_of):
        difference = codes[:, column] - (zeros[group] + offset)
        want[:, column] = scales[group].astype(np.float32) * difference.astype(np.float32)
    return parts, want


@pytest.mark.parametrize("bits", [2, 3, 4, 8])
@pytest.mark.parametrize("layout", ["gptq", "gptq_v2"])
@pytest.mark.parametrize("desc_act", [False, True])
def test_gptq(folder: Path, bits: int, layout: str, desc_act: bool) -> None:
    group_of = np.arange(96) // 32
    if desc_act:
        group_of = rng.permutation(group_of)
    parts, want = gptq(bits, group_of, 64, 1 if layout == "gptq" else 0)
    found = opened(folder, parts, {"quant_method": "gptq", "checkpoint_format": layout})
    assert set(found.tensors) == {"a.weight", "a.bias"}
    assert found.tensors["a.weight"].type is GgmlType.F32
    assert found.tensors["a.weight"].origin == "model.safetensors: a.qweight"
    assert found.source_type == "GPTQ"
    check(found.tensors["a.weight"], want)


@pytest.mark.parametrize("g_idx", [None, np.zeros(0, np.int32)])
def test_gptq_without_g_idx(folder: Path, g_idx: npt.NDArray[np.int32] | None) -> None:
    parts, want = gptq(4, np.arange(64) // 16, 32, 1)
    del parts["a.g_idx"]
    if g_idx is not None:
        parts["a.g_idx"] = g_idx
    found = opened(folder, parts, {"quant_method": "gptq", "bits": 4})
    check(found.tensors["a.weight"], want)


def test_gptq_with_settings_in_a_file_of_their_own(folder: Path) -> None:
    parts, want = gptq(4, np.arange(64) // 16, 32, 1)
    folder.mkdir()
    (folder / "quantize_config.json").write_text('{"bits": 4}', encoding="utf-8")
    check(opened(folder, parts, None).tensors["a.weight"], want)


@pytest.mark.parametrize("part", ["qzeros", "scales"])
def test_gptq_without_a_part(folder: Path, part: str) -> None:
    parts, _ = gptq(4, np.arange(64) // 16, 32, 1)
    del parts[f"a.{part}"]
    error = refused(folder, parts, {"quant_method": "gptq"})
    assert str(error) == f"model.safetensors: a.qweight is quantized, but a.{part} is missing."


def test_gptq_with_groups_that_are_not_there(folder: Path) -> None:
    parts, _ = gptq(4, np.arange(64) // 16, 32, 1)
    parts["a.g_idx"] = np.full(64, 4, np.int32)
    tensor = opened(folder, parts, {"quant_method": "gptq"}).tensors["a.weight"]
    with pytest.raises(CheckpointError) as caught:
        tensor.rows.read(0, 1)
    assert str(caught.value) == (
        "model.safetensors: the quantized parts of a.qweight do not fit together."
    )


# AWQ


def awq(n_rows: int, n_cols: int, group: int) -> tuple[dict[str, Value], npt.NDArray[np.float32]]:
    order = [0, 2, 4, 6, 1, 3, 5, 7]
    codes = rng.integers(0, 16, (n_cols, n_rows))
    zeros = rng.integers(0, 16, (n_cols // group, n_rows))
    scales = rng.normal(size=(n_cols // group, n_rows)).astype(np.float16)
    mixed = [codes.reshape(n_cols, -1, 8), zeros.reshape(n_cols // group, -1, 8)]
    qweight, qzeros = (pack(part[:, :, order].reshape(len(part), -1), 4) for part in mixed)
    parts: dict[str, Value] = {"a.qweight": qweight, "a.qzeros": qzeros, "a.scales": scales}
    wide = np.arange(n_cols) // group
    difference = (codes - zeros[wide]).astype(np.float32)
    want = np.ascontiguousarray((difference * scales[wide].astype(np.float32)).T)
    return parts, want


AWQ = {"quant_method": "awq", "bits": 4, "group_size": 32, "version": "gemm", "zero_point": True}


def test_awq(folder: Path) -> None:
    parts, want = awq(48, 96, 32)
    found = opened(folder, parts, AWQ)
    assert list(found.tensors) == ["a.weight"]
    assert found.source_type == "AWQ"
    check(found.tensors["a.weight"], want)


def test_awq_without_zero_points_is_symmetric(folder: Path) -> None:
    parts, _ = awq(48, 96, 32)
    parts["a.qzeros"] = np.full((3, 6), 0x88888888, np.uint32)
    want = opened(folder, parts, AWQ).tensors["a.weight"].rows.read(0, 48)
    del parts["a.qzeros"]
    check(opened(folder, parts, AWQ).tensors["a.weight"], want)


@pytest.mark.parametrize(
    ("change", "method"),
    [
        ({"version": "gemv"}, "AWQ (gemv)"),
        ({"bits": 3}, "AWQ (3)"),
        ({"quant_method": "gptq", "checkpoint_format": "marlin"}, "GPTQ (marlin)"),
        ({"quant_method": "gptq", "is_marlin_format": True}, "GPTQ (marlin)"),
    ],
)
def test_other_layouts_are_named(folder: Path, change: dict[str, object], method: str) -> None:
    error = refused(folder, awq(8, 32, 32)[0], {**AWQ, **change})
    assert isinstance(error, UnsupportedError)
    assert str(error) == (f"Packed-Test is quantized with {method}, which Nibble cannot unpack.")
    assert str(error.hint).startswith("Get the original, unquantized weights")


# FP8 and int8 with scales

CODES = rng.permutation(np.delete(np.arange(256), [127, 255]).repeat(2))


def e4m3(codes: npt.NDArray[Any]) -> F32:
    exponent, mantissa = codes >> 3 & 15, codes & 7
    size = np.where(exponent == 0, mantissa / 512, (1 + mantissa / 8) * 2.0 ** (exponent - 7.0))
    return np.where(codes > 127, -size, size).astype(np.float32)


def expanded(scale: F32, shape: tuple[int, ...], block: tuple[int, int]) -> F32:
    wide = scale.repeat(block[0], axis=-2).repeat(block[1], axis=-1)
    return wide[..., : shape[-2], : shape[-1]]


@pytest.mark.parametrize("shape", [(20, 25), (2, 10, 25)])
def test_fp8_blocks_of_deepseek(folder: Path, shape: tuple[int, ...]) -> None:
    codes = CODES[:500].reshape(shape)
    scale = rng.random((*shape[:-2], -(-shape[-2] // 8), 2)).astype(np.float32)
    parts = {"a.weight": fp8(codes), "a.weight_scale_inv": scale, "n.weight": bf16([1, 2])}
    found = opened(folder, parts, {"quant_method": "fp8", "weight_block_size": [8, 16]})
    assert set(found.tensors) == {"a.weight", "n.weight"}
    assert (found.tensors["a.weight"].type, found.source_type) == (GgmlType.F32, "F8_E4M3")
    check(found.tensors["a.weight"], e4m3(codes) * expanded(scale, shape, (8, 16)))


@pytest.mark.parametrize(
    ("method", "weight", "scale_name", "scale_shape"),
    [
        ("fp8", "a.weight", "a.weight_scale_inv", ()),
        ("fp8", "a.weight", "a.weight_scale_inv", (1,)),
        ("fp8", "a.weight", "a.qscale_weight", ()),
        ("fp8", "a.gate_up_proj", "a.gate_up_proj_scale_inv", ()),
        ("fbgemm_fp8", "a.weight", "a.weight_scale", (20, 1)),
        ("modelopt", "a.weight", "a.weight_scale", ()),
        ("modelopt", "a.weight", "a.weight_scale", (20,)),
        (None, "a.weight", "a.weight_scale", (20, 1)),
    ],
)
def test_fp8_with_a_scale_for_all_or_each_row(
    folder: Path, method: str | None, weight: str, scale_name: str, scale_shape: tuple[int, ...]
) -> None:
    codes = CODES[:500].reshape(20, 25)
    scale = rng.random(scale_shape).astype(np.float32).reshape(scale_shape)
    parts: dict[str, Value] = {
        weight: fp8(codes),
        scale_name: scale,
        "a.input_scale": bf16([1]),
        "a.k_scale": bf16([1]),
        "a.weight_activation_scale": bf16(1),
    }
    found = opened(folder, parts, {"quant_method": method} if method else None)
    assert list(found.tensors) == [weight]
    check(found.tensors[weight], e4m3(codes) * scale.reshape(-1, 1))


def test_scales_may_be_bfloat16_or_powers_of_two(folder: Path) -> None:
    codes = CODES[:500].reshape(20, 25)
    parts = {"a.weight": fp8(codes), "a.weight_scale_inv": bf16([0.75])}
    check(opened(folder, parts, {"quant_method": "fp8"}).tensors["a.weight"], e4m3(codes) * 0.75)
    parts["a.weight_scale_inv"] = fp8([124], "F8_E8M0")
    check(opened(folder, parts, {"quant_method": "fp8"}).tensors["a.weight"], e4m3(codes) / 8)


def test_fp8_without_any_scale_is_only_a_cast(folder: Path) -> None:
    codes = CODES[:500].reshape(20, 25)
    check(opened(folder, {"a.weight": fp8(codes)}, None).tensors["a.weight"], e4m3(codes))


def test_fp8_that_lacks_its_scale(folder: Path) -> None:
    error = refused(folder, {"a.weight": fp8([[1, 2]])}, {"quant_method": "fp8"})
    assert str(error) == (
        "model.safetensors: a.weight is quantized, but a.weight_scale is missing."
    )


@pytest.mark.parametrize("value", ["x", [8], [8, 0], [8, 2.5], [8, 10**30], {"a": 1}])
def test_block_size_of_the_wrong_kind(folder: Path, value: object) -> None:
    parts = {"a.weight": fp8([[1, 2]]), "a.weight_scale_inv": np.ones((1, 1), np.float32)}
    error = refused(folder, parts, {"quant_method": "fp8", "weight_block_size": value})
    assert str(error) == "config.json is damaged: it does not say what it should."


# compressed-tensors


def compressed(layout: str, **weights: object) -> dict[str, object]:
    groups = {"group_0": {"targets": ["Linear"], "weights": weights}}
    return {"quant_method": "compressed-tensors", "format": layout, "config_groups": groups}


def packed_rows(codes: Ints, bits: int) -> npt.NDArray[np.int32]:
    """32 // bits codes to a word, from its lowest bit on, the last word of a row filled with 0."""
    per_word = 32 // bits
    padded = np.pad(codes, ((0, 0), (0, -codes.shape[1] % per_word)))
    words = padded.reshape(len(codes), -1, per_word) << (np.arange(per_word) * bits)
    return words.sum(axis=2).astype(np.uint32).view(np.int32)


@pytest.mark.parametrize("bits", [3, 4, 8])
@pytest.mark.parametrize("zero_point", [None, "packed", "int8"])
@pytest.mark.parametrize("n_groups", [3, 1])
def test_packed_words(folder: Path, bits: int, zero_point: str | None, n_groups: int) -> None:
    codes = rng.integers(0, 2**bits, (50, 99))
    zeros = np.full((50, n_groups), 2 ** (bits - 1))
    scale = rng.random((50, n_groups)).astype(np.float32)
    parts: dict[str, Value] = {
        "a.weight_packed": packed_rows(codes, bits),
        "a.weight_scale": bf16(scale),
        "a.weight_shape": np.array([50, 99]),
        "a.input_scale": bf16([1]),
    }
    if zero_point:
        zeros = rng.integers(0, 2**bits, (50, n_groups))
        signed = (zeros - 2 ** (bits - 1)).astype(np.int8)
        as_words = np.ascontiguousarray(packed_rows(zeros.T, bits).T)
        parts["a.weight_zero_point"] = as_words if zero_point == "packed" else signed
    found = opened(folder, parts, compressed("pack-quantized", num_bits=bits))
    assert list(found.tensors) == ["a.weight"]
    assert found.source_type == f"INT{bits}"
    cut_scale = (scale.view(np.uint32) >> 16 << 16).view(np.float32)
    wide = np.arange(99) // (99 // n_groups)
    want = (codes - zeros[:, wide]).astype(np.float32) * cut_scale[:, wide]
    check(found.tensors["a.weight"], want)


@pytest.mark.parametrize("zero_point", [False, True])
def test_packed_words_in_reordered_groups(folder: Path, zero_point: bool) -> None:
    codes = rng.integers(0, 16, (16, 96))
    group_of = rng.permutation(np.arange(96) // 32)
    scale = rng.random((16, 3)).astype(np.float32)
    zeros = rng.integers(-8, 8, (16, 3)) if zero_point else np.zeros((16, 3), np.int64)
    parts: dict[str, Value] = {
        "a.weight_packed": packed_rows(codes, 4),
        "a.weight_scale": scale,
        "a.weight_shape": np.array([16, 96]),
        "a.weight_g_idx": group_of.astype(np.int32),
    }
    if zero_point:
        parts["a.weight_zero_point"] = zeros.astype(np.int8)
    found = opened(folder, parts, compressed("pack-quantized", actorder="group"))
    want = (codes - 8 - zeros[:, group_of]).astype(np.float32) * scale[:, group_of]
    check(found.tensors["a.weight"], want)


def test_packed_words_with_one_scale_for_all(folder: Path) -> None:
    codes = rng.integers(0, 16, (16, 96))
    parts: dict[str, Value] = {
        "a.weight_packed": packed_rows(codes, 4),
        "a.weight_scale": np.array([0.3], np.float32),
        "a.weight_shape": np.array([16, 96]),
        "a.weight_g_idx": np.full(96, -1, np.int32),
    }
    found = opened(folder, parts, compressed("pack-quantized", strategy="tensor"))
    check(found.tensors["a.weight"], (codes - 8).astype(np.float32) * np.float32(0.3))


def test_packed_words_are_unpacked_without_a_config(folder: Path) -> None:
    parts: dict[str, Value] = {
        "a.weight_packed": packed_rows(np.zeros((2, 8), np.int64), 4),
        "a.weight_scale": np.ones((2, 1), np.float32),
        "a.weight_shape": np.array([2, 8]),
    }
    assert (opened(folder, parts, None).tensors["a.weight"].rows.read(0, 2) == -8).all()


@pytest.mark.parametrize("layout", ["float-quantized", "naive-quantized"])
def test_compressed_fp8(folder: Path, layout: str) -> None:
    codes = CODES[:500].reshape(20, 25)
    scale = rng.random((20, 1)).astype(np.float32)
    parts = {"a.weight": fp8(codes), "a.weight_scale": scale}
    found = opened(folder, parts, compressed(layout, strategy="channel"))
    check(found.tensors["a.weight"], e4m3(codes) * scale)
    parts["a.weight_scale"] = rng.random((3, 2)).astype(np.float32)
    found = opened(folder, parts, compressed(layout, block_structure=[8, 16]))
    want = e4m3(codes) * expanded(parts["a.weight_scale"], (20, 25), (8, 16))
    check(found.tensors["a.weight"], want)


@pytest.mark.parametrize("zero_point", [False, True])
def test_compressed_int8(folder: Path, zero_point: bool) -> None:
    codes = rng.integers(-128, 128, (20, 25))
    zeros = rng.integers(-128, 128, (20, 1)) if zero_point else np.zeros((20, 1), np.int64)
    scale = rng.random((20, 1)).astype(np.float32)
    parts: dict[str, Value] = {"a.weight": codes.astype(np.int8), "a.weight_scale": scale}
    if zero_point:
        parts["a.weight_zero_point"] = zeros.astype(np.int8)
    found = opened(folder, parts, compressed("int-quantized", strategy="channel"))
    assert list(found.tensors) == ["a.weight"]
    check(found.tensors["a.weight"], (codes - zeros).astype(np.float32) * scale)


# BitNet


def test_bitnet(folder: Path) -> None:
    trits = rng.integers(-1, 2, (28, 10))
    quarters = (trits + 1).reshape(4, 7, 10)
    packed = sum(quarters[i] << (2 * i) for i in range(4)).astype(np.uint8)
    parts = {"a.weight": packed, "a.weight_scale": bf16([0.375])}
    found = opened(folder, parts, {"quant_method": "bitnet"})
    check(found.tensors["a.weight"], trits.astype(np.float32) / np.float32(0.375))


# MXFP4

FP4 = np.array([0, 0.5, 1, 1.5, 2, 3, 4, 6, 0, -0.5, -1, -1.5, -2, -3, -4, -6], np.float32)


def mxfp4() -> tuple[dict[str, Value], Ints, npt.NDArray[np.uint8]]:
    """Two experts of six rows of 96 numbers: parts, codes and scales."""
    codes = rng.integers(0, 16, (2, 6, 96))
    scales = rng.integers(0, 250, (2, 6, 3)).astype(np.uint8)
    pairs = (codes[..., 0::2] | codes[..., 1::2] << 4).astype(np.uint8)
    parts: dict[str, Value] = {
        "m.gate_up_proj_blocks": pairs.reshape(2, 6, 3, 16),
        "m.gate_up_proj_scales": scales,
        "m.gate_up_proj_bias": bf16(np.zeros((2, 6))),
    }
    return parts, codes, scales


def raw_rows(codes: Ints, scales: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """ggml's block_mxfp4, (12, 51): a scale, then numbers i and i + 16 in byte i."""
    blocks = codes.reshape(12, 3, 32)
    halves = blocks[:, :, :16] | blocks[:, :, 16:] << 4
    return (
        np.concatenate([scales.reshape(12, 3, 1), halves], axis=2).astype(np.uint8).reshape(12, 51)
    )


def mxfp4_rows(folder: Path) -> tuple[RawRows, npt.NDArray[np.uint8]]:
    parts, codes, scales = mxfp4()
    rows = opened(folder, parts, {"quant_method": "mxfp4"}).tensors["m.gate_up_proj"].rows
    assert isinstance(rows, RawRows)
    return rows, raw_rows(codes, scales)


@pytest.mark.parametrize("quantization", [{"quant_method": "mxfp4"}, None])
def test_mxfp4(folder: Path, quantization: object) -> None:
    parts, codes, scales = mxfp4()
    found = opened(folder, parts, quantization)
    assert set(found.tensors) == {"m.gate_up_proj", "m.gate_up_proj_bias"}
    tensor = found.tensors["m.gate_up_proj"]
    assert (tensor.type, found.source_type) == (GgmlType.MXFP4, "MXFP4")
    with np.errstate(under="ignore"):
        powers = np.ldexp(np.float64(1), scales.astype(int) - 127).repeat(32, axis=2)
        check(tensor, (FP4[codes] * powers).astype(np.float32))
    assert isinstance(tensor.rows, RawRows)
    for start, stop in ((0, 12), (5, 7), (11, 12)):
        want = raw_rows(codes, scales)[start:stop].tobytes()
        assert tensor.rows.read_raw(start, stop) == want


def test_raw_blocks_can_be_gathered_sliced_and_stacked(folder: Path) -> None:
    """As gpt-oss needs it: the even rows are the gate, the odd ones the up projection."""
    rows, want = mxfp4_rows(folder)
    gate = RawGathered(rows, np.arange(0, 12, 2))
    assert gate.read_raw(1, 5) == want[2:10:2].tobytes()
    assert np.array_equal(gate.read(1, 5), rows.read(0, 12)[2:10:2])
    part = RawSliced(rows, 6, 12)
    assert part.read_raw(1, 3) == want[7:9].tobytes()
    both = RawStacked((gate, part))
    assert both.read_raw(4, 8) == want[[8, 10, 6, 7]].tobytes()
    for wrapper in (gate, part, both):
        assert isinstance(wrapper, RawRows)


# Methods that are refused


@pytest.mark.parametrize(
    ("method", "tensors", "name"),
    [
        ("bitsandbytes", {"a.weight": np.zeros((4, 1), np.uint8)}, "bitsandbytes"),
        (None, {"a.weight": bf16([1]), "a.weight.absmax": bf16([1])}, "bitsandbytes"),
        (None, {"a.weight": bf16([1]), "a.SCB": bf16([1])}, "bitsandbytes"),
        ("hqq", {"a.W_q": np.zeros((4, 1), np.uint8)}, "HQQ"),
        (None, {"a.W_q": np.zeros((4, 1), np.uint8)}, "HQQ"),
        ("exl2", {"a.q_weight": np.zeros((4, 1), np.int32)}, "EXL2"),
        ("exl3", {"a.trellis": np.zeros((4, 1), np.int16)}, "EXL3"),
        (
            "modelopt",
            {"a.weight": np.zeros((4, 1), np.uint8), "a.weight_scale_2": bf16(1)},
            "NVFP4",
        ),
        ("aqlm", {"a.codes": np.zeros((4, 1), np.int16)}, "AQLM"),
        ("brand-new", {"a.codes": np.zeros((4, 1), np.int16)}, "brand-new"),
        ("brand-new", {"a.weight": fp8([[1]])}, "brand-new"),
    ],
)
def test_methods_that_are_refused(
    folder: Path, method: str | None, tensors: dict[str, Value], name: str
) -> None:
    error = refused(folder, tensors, {"quant_method": method} if method else None)
    assert isinstance(error, UnsupportedError)
    assert str(error) == f"Packed-Test is quantized with {name}, which Nibble cannot unpack."
    assert error.hint is not None


@pytest.mark.parametrize("layout", ["nvfp4-pack-quantized", "marlin-24", "mxfp4-pack-quantized"])
def test_layouts_of_compressed_tensors_that_are_refused(folder: Path, layout: str) -> None:
    error = refused(folder, {"a": bf16([[1]])}, compressed(layout))
    assert f"compressed-tensors ({layout})" in str(error)
    mixed = compressed("mixed-precision")
    mixed["config_groups"] = {
        "group_0": {"format": layout},
        "group_1": {"format": "pack-quantized"},
    }
    assert f"compressed-tensors ({layout})" in str(refused(folder, {"a": bf16([[1]])}, mixed))


@pytest.mark.parametrize("method", ["bitsandbytes", "gptq", "awq", "fp8", "compressed-tensors"])
def test_plain_weights_are_read_whatever_the_config_says(folder: Path, method: str) -> None:
    found = opened(folder, {"a.weight": bf16([[1, 2]])}, {"quant_method": method})
    assert found.tensors["a.weight"].type is GgmlType.BF16
    assert found.source_type == "BF16"


def test_packed_words_of_an_unnamed_method(folder: Path) -> None:
    error = refused(folder, awq(8, 32, 32)[0], None)
    assert str(error) == "config.json does not say “quantization_config”."


def test_weight_that_is_there_twice(folder: Path) -> None:
    parts, _ = gptq(4, np.arange(64) // 16, 32, 1)
    error = refused(folder, {**parts, "a.weight": bf16([[1]])}, {"quant_method": "gptq"})
    assert "do not fit together" in str(error)


@pytest.mark.parametrize(
    ("name", "part", "shape"),
    [
        ("awq", "a.scales", (3, 16)),
        ("awq", "a.qzeros", (2, 3)),
        ("awq", "a.qweight", (64, 3)),
        ("awq", "a.qweight", (2, 64, 2)),
        ("gptq", "a.g_idx", (63,)),
        ("gptq", "a.qzeros", (3, 4)),
        ("gptq", "a.qweight", (8, 31)),
        ("gptq", "a.scales", (4, 0)),
        ("gptq3", "a.qweight", (8, 32)),
        ("compressed", "a.weight_packed", (7, 4)),
        ("compressed", "a.weight_packed", (8, 5)),
        ("compressed", "a.weight_scale", (8, 0)),
        ("compressed", "a.weight_scale", (4, 2)),
        ("compressed", "a.weight_shape", (3,)),
        ("compressed", "a.weight_g_idx", (31,)),
        ("compressed", "a.weight_zero_point", (1, 1)),
        ("int8", "a.weight_zero_point", (1,)),
        ("int8", "a.weight_scale", (3, 1)),
        ("fp8", "a.weight_scale_inv", (2, 1, 1)),
        ("fp8", "a.weight_scale_inv", (3, 2)),
        ("bitnet", "a.weight_scale", (2,)),
        ("mxfp4", "m.gate_up_proj_scales", (2, 6, 2)),
        ("mxfp4", "m.gate_up_proj_blocks", (2, 6, 3, 8)),
    ],
)
def test_parts_that_do_not_fit(shared: Path, name: str, part: str, shape: tuple[int, ...]) -> None:
    tensors, quantization = SOUND[name]
    error = refused(shared, {**tensors, part: reshaped(tensors[part], shape)}, quantization)
    assert "do not fit together" in str(error)


@pytest.mark.parametrize(
    ("name", "optional", "part", "shape"),
    [
        ("awq", ["a.qzeros"], "a.scales", (3, 16)),
        ("compressed", ["a.weight_zero_point", "a.weight_g_idx"], "a.weight_scale", (8, 0)),
        ("compressed", ["a.weight_zero_point", "a.weight_g_idx"], "a.weight_scale", (8, 3)),
    ],
)
def test_required_parts_that_do_not_fit(
    shared: Path, name: str, optional: list[str], part: str, shape: tuple[int, ...]
) -> None:
    tensors = {key: value for key, value in SOUND[name][0].items() if key not in optional}
    tensors[part] = reshaped(tensors[part], shape)
    assert "do not fit together" in str(refused(shared, tensors, SOUND[name][1]))


def test_groups_that_do_not_divide_the_columns(shared: Path) -> None:
    tensors = {**SOUND["gptq"][0], "a.g_idx": np.zeros(0, np.int32)}
    tensors["a.scales"] = reshaped(tensors["a.scales"], (3, 32))
    tensors["a.qzeros"] = reshaped(tensors["a.qzeros"], (3, 4))
    assert "do not fit together" in str(refused(shared, tensors, SOUND["gptq"][1]))


# What is kept in memory


class _Block:
    n_bytes = 40


def test_recent_keeps_two_and_more_only_below_the_limit() -> None:
    recent: Recent[_Block] = Recent(max_bytes=100)
    loads: list[str] = []

    def get(name: str) -> None:
        recent.get(name, lambda: loads.append(name) or _Block())  # type: ignore[func-returns-value]

    for name in "ababcab":
        get(name)
    assert loads == ["a", "b", "c", "a", "b"]
    assert recent.n_bytes == 80
    loads.clear()
    for name in "bcbab":
        get(name)
    assert loads == ["c", "a"]
    tight: Recent[_Block] = Recent(max_bytes=1)
    tight.get("a", _Block)
    tight.get("b", _Block)
    assert tight.n_bytes == 80


# Parts that were changed: they fit together, or the error says so

SOUND: dict[str, tuple[dict[str, Value], object]] = {
    "gptq": (gptq(4, np.arange(64) // 16, 32, 1)[0], {"quant_method": "gptq"}),
    "gptq3": (gptq(3, np.arange(96) // 32, 32, 1)[0], {"quant_method": "gptq"}),
    "awq": (awq(16, 64, 32)[0], AWQ),
    "fp8": (
        {"a.weight": fp8(CODES[:96].reshape(8, 12)), "a.weight_scale_inv": bf16([[1, 2], [3, 4]])},
        {"quant_method": "fp8", "weight_block_size": [4, 8]},
    ),
    "compressed": (
        {
            "a.weight_packed": packed_rows(rng.integers(0, 16, (8, 32)), 4),
            "a.weight_scale": bf16(np.ones((8, 2))),
            "a.weight_shape": np.array([8, 32]),
            "a.weight_zero_point": rng.integers(0, 2**31, (1, 2)).astype(np.int32),
            "a.weight_g_idx": rng.permutation(np.arange(32) // 16).astype(np.int32),
        },
        compressed("pack-quantized"),
    ),
    "int8": (
        {
            "a.weight": rng.integers(-9, 9, (4, 6)).astype(np.int8),
            "a.weight_scale": bf16(np.ones((4, 1))),
            "a.weight_zero_point": np.ones((4, 1), np.int8),
        },
        compressed("int-quantized"),
    ),
    "bitnet": (
        {"a.weight": np.ones((2, 3), np.uint8), "a.weight_scale": bf16([2])},
        {"quant_method": "bitnet"},
    ),
    "mxfp4": (mxfp4()[0], {"quant_method": "mxfp4"}),
}
SIZES = {"I32": 4, "I64": 8, "F16": 2, "BF16": 2, "F32": 4, "F8_E4M3": 1, "I8": 1, "U8": 1}


def reshaped(value: Value, shape: tuple[int, ...]) -> Raw:
    """`value` in another shape, its bytes repeated or cut to fit."""
    part = raw(value)
    size = SIZES[part.dtype]
    n_bytes = int(np.prod(shape, dtype=np.int64)) * size
    data = (part.data or bytes(size)) * (n_bytes // max(1, len(part.data)) + 1)
    return Raw(part.dtype, shape, data[:n_bytes])


def retyped(value: Value, dtype: str) -> Raw:
    part = raw(value)
    same = Raw(dtype, part.shape, part.data)
    return reshaped(same, part.shape)


def filled(value: Value, fill: int) -> Raw:
    part = raw(value)
    return Raw(part.dtype, part.shape, bytes([fill]) * len(part.data))


@st.composite
def changed_parts(draw: st.DrawFn) -> tuple[dict[str, Value], object]:
    tensors, quantization = SOUND[draw(st.sampled_from(sorted(SOUND)))]
    tensors = dict(tensors)
    for name in draw(st.lists(st.sampled_from(sorted(tensors)), min_size=1, max_size=2)):
        shape = list(raw(tensors[name]).shape)
        kind = draw(st.sampled_from(["drop", "type", "fill", "size", "size", "turn", "more"]))
        if kind == "drop":
            del tensors[name]
            break
        if kind == "type":
            tensors[name] = retyped(tensors[name], draw(st.sampled_from(sorted(SIZES))))
        elif kind == "fill":
            tensors[name] = filled(tensors[name], draw(st.sampled_from([0, 1, 0x7F, 0x80, 0xFF])))
        elif kind == "size" and shape:
            i = draw(st.integers(0, len(shape) - 1))
            shape[i] = draw(st.sampled_from([0, 1, shape[i] - 1, shape[i] + 1, shape[i] * 2]))
            tensors[name] = reshaped(tensors[name], tuple(shape))
        elif kind == "turn":
            tensors[name] = reshaped(tensors[name], tuple(reversed(shape)))
        elif kind == "more":
            tensors[name] = reshaped(
                tensors[name], draw(st.sampled_from([(*shape, 1), (1, *shape)]))
            )
    return tensors, quantization


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("packed") / "fuzz"


def read_all(folder: Path, tensors: dict[str, Value], quantization: object) -> None:
    for tensor in opened(folder, tensors, quantization).tensors.values():
        rows = tensor.rows
        assert rows.read(0, rows.n_rows).shape == (rows.n_rows, rows.n_cols)
        assert rows.read(rows.n_rows - 1, rows.n_rows).shape == (1, rows.n_cols)
        if isinstance(rows, RawRows):
            assert len(rows.read_raw(0, 1)) == rows.n_cols // 32 * 17


@pytest.mark.parametrize("name", sorted(SOUND))
def test_unchanged_parts_fit_together(shared: Path, name: str) -> None:
    read_all(shared, *SOUND[name])


@given(case=changed_parts())
@fuzz
def test_only_our_errors_come_out_of_changed_parts(
    shared: Path, case: tuple[dict[str, Value], object]
) -> None:
    with suppress(QuantizeError):
        read_all(shared, *case)
