"""Byte for byte what llama_model_quantize writes: every variant, every option."""

from __future__ import annotations

import ctypes
import dataclasses
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from quantize import pipeline
from quantize.control import Control
from quantize.errors import QuantizeError
from quantize.gguf_header import ArrayRef, read_header
from quantize.imatrix import Imatrix, write_imatrix
from quantize.job import Event, FileDone, Job, KvOverride, Plan, Recipe, TensorType
from quantize.libllama import lib
from quantize.types import GgmlType
from quantize.variants import BY_TYPE, VARIANTS
from tests.helpers.tiny_gguf import Options, quantize_by_llama, random_matrix, write_tiny

# What we add: the file's history.
OUR_KEYS = ("general.quantized_by", "quantize.")
KINDS = ("dense", "experts")


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("sources")
    return {kind: write_tiny(folder / f"{kind}.gguf", experts=kind == "experts") for kind in KINDS}


def _run(job: Job) -> list[Event]:
    events: list[Event] = []
    pipeline.run(job, events.append, Control())
    return events


def _assert_identical(ours: Path, theirs: Path) -> None:
    ours_header, theirs_header = read_header(ours), read_header(theirs)
    assert ours_header.tensors == theirs_header.tensors
    keys = [key for key in ours_header.metadata if not key.startswith(OUR_KEYS)]
    assert keys == list(theirs_header.metadata)
    for key in keys:
        assert _value(ours_header.metadata[key]) == _value(theirs_header.metadata[key]), key
        assert ours_header.value_types[key] == theirs_header.value_types[key], key
    ours_data = ours.read_bytes()[ours_header.data_offset :]
    assert ours_data == theirs.read_bytes()[theirs_header.data_offset :]


def _value(value: Any) -> Any:
    return value.read() if isinstance(value, ArrayRef) else value


def _matrix_file(source: Path, path: Path) -> dict[str, np.ndarray]:
    """Writes the matrix for us; returns it as llama.cpp takes it."""
    values = random_matrix(source)
    shapes = {t.name: math.prod(t.shape[2:]) for t in read_header(source).tensors}
    counts = {name: np.full(shapes[name], 7, np.float32) for name in values}
    sums = {name: (v.reshape(shapes[name], -1) * np.float32(7)) for name, v in values.items()}
    write_imatrix(Imatrix(path, sums, counts, ("made up",), 1, 512))
    return {name: (sums[name] / np.float32(7)).reshape(-1) for name in values}


@pytest.mark.parametrize("kind", KINDS)
def test_every_variant_is_what_llama_cpp_writes(
    sources: dict[str, Path], tmp_path: Path, kind: str
) -> None:
    """All in one pass, without a matrix; each as large as the plan said."""
    types = [v.file_type for v in VARIANTS if not v.needs_imatrix and _possible(v, kind)]
    job = Job(str(sources[kind]), tuple(t.name for t in types), str(tmp_path), n_threads=2)
    plan, *events = _run(job)
    assert isinstance(plan, Plan)
    done = [event for event in events if isinstance(event, FileDone)]
    assert [event.type for event in done] == [t.name for t in types]
    for type_, planned, made in zip(types, plan.files, done, strict=True):
        quantize_by_llama(sources[kind], tmp_path / "theirs.gguf", int(type_))
        _assert_identical(Path(made.path), tmp_path / "theirs.gguf")
        assert Path(made.path).stat().st_size == planned.size_bytes == made.size_bytes


def _possible(variant: Any, kind: str) -> bool:
    """Rows of 320 numbers: llama.cpp knows no other type for Q1_0's blocks of 128."""
    return variant.file_type.name != "Q1_0"


WITH_MATRIX = ("IQ2_XXS", "IQ2_XS", "IQ3_XXS", "Q2_K_S", "Q4_K_M", "Q4_0")
SLOW_TABLES = ("IQ1_S", "IQ1_M", "IQ2_S", "IQ2_M")  # ggml takes 20 s to build them


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "names", [WITH_MATRIX, pytest.param(SLOW_TABLES, marks=pytest.mark.soak)], ids=["usual", "slow"]
)
def test_every_variant_with_a_matrix_is_what_llama_cpp_writes(
    sources: dict[str, Path], tmp_path: Path, kind: str, names: tuple[str, ...]
) -> None:
    matrix = _matrix_file(sources[kind], tmp_path / "m.imatrix")
    job = Job(
        *(str(sources[kind]), names, str(tmp_path)),
        imatrix=str(tmp_path / "m.imatrix"),
        n_threads=2,
    )
    made = [event for event in _run(job) if isinstance(event, FileDone)]
    for name, event in zip(names, made, strict=True):
        ftype = next(v.file_type for v in VARIANTS if v.file_type.name == name)
        theirs = tmp_path / "theirs.gguf"
        quantize_by_llama(sources[kind], theirs, int(ftype), Options(imatrix=matrix))
        _assert_identical(Path(event.path), theirs)
        assert read_header(Path(event.path)).text("quantize.imatrix.file") == "m.imatrix"


def _overrides(*entries: tuple[str, int, str, Any]) -> Any:
    array = (lib.llama_model_kv_override * (len(entries) + 1))()
    for i, (key, tag, member, value) in enumerate(entries):
        array[i].key, array[i].tag = key.encode(), tag
        setattr(array[i].value, member, value)
    return array


def _tensor_types(*entries: tuple[str, GgmlType]) -> Any:
    kind = lib.llama_model_tensor_override
    return (kind * (len(entries) + 1))(*(kind(p.encode(), int(t)) for p, t in entries), kind())


CASES = {
    "pure": (Recipe(pure=True), {"pure": True}),
    "tensor types": (
        Recipe(tensor_types=(TensorType(r"attn_[qk]", "q8_0"), TensorType("ffn", "Q5_K"))),
        {"tt_overrides": (_tensor_types, (r"attn_[qk]", GgmlType.Q8_0), ("ffn", GgmlType.Q5_K))},
    ),
    "output": (Recipe(output_tensor_type="F16"), {"output_tensor_type": int(GgmlType.F16)}),
    "embedding": (
        Recipe(token_embedding_type="q3_k"),
        {"token_embedding_type": int(GgmlType.Q3_K)},
    ),
    "leave output": (Recipe(leave_output_tensor=True), {"quantize_output_tensor": False}),
    "prune": (
        Recipe(prune_layers=(1,)),
        {"prune_layers": (lambda *n: (ctypes.c_int32 * len(n))(*n), 1, -1)},
    ),
    "override": (
        Recipe(
            override_kv=(
                KvOverride("llama.context_length", "int", "-64"),
                KvOverride("a.flag", "bool", "true"),
                KvOverride("a.number", "float", "0.25"),
                KvOverride("general.name", "str", "Other"),
            )
        ),
        {
            "kv_overrides": (
                _overrides,
                ("llama.context_length", lib.LLAMA_KV_OVERRIDE_TYPE_INT, "val_i64", -64),
                ("a.flag", lib.LLAMA_KV_OVERRIDE_TYPE_BOOL, "val_bool", True),
                ("a.number", lib.LLAMA_KV_OVERRIDE_TYPE_FLOAT, "val_f64", 0.25),
                ("general.name", lib.LLAMA_KV_OVERRIDE_TYPE_STR, "val_str", b"Other"),
            )
        },
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_every_option_does_what_llama_cpps_does(
    sources: dict[str, Path], tmp_path: Path, case: str
) -> None:
    recipe, native = CASES[case]
    values = {k: v[0](*v[1:]) if isinstance(v, tuple) else v for k, v in native.items()}
    quantize_by_llama(sources["dense"], tmp_path / "theirs.gguf", 15, Options(values))
    _run(Job(str(sources["dense"]), ("Q4_K_M",), str(tmp_path), recipe=recipe, n_threads=2))
    _assert_identical(tmp_path / "dense-Q4_K_M.gguf", tmp_path / "theirs.gguf")
    plain = tmp_path / "plain.gguf"
    quantize_by_llama(sources["dense"], plain, 15)
    assert plain.read_bytes() != (tmp_path / "theirs.gguf").read_bytes()


def test_a_quantized_source_is_requantized_as_llama_cpp_does(
    sources: dict[str, Path], tmp_path: Path
) -> None:
    quantize_by_llama(sources["dense"], tmp_path / "q8.gguf", 7)
    quantize_by_llama(
        *(tmp_path / "q8.gguf", tmp_path / "theirs.gguf", 15), Options({"allow_requantize": True})
    )
    recipe = Recipe(allow_requantize=True)
    plan = _run(Job(str(tmp_path / "q8.gguf"), ("Q4_K_M",), str(tmp_path), recipe=recipe))[0]
    assert isinstance(plan, Plan)
    assert "loss of both steps" in str(plan.warnings[0])
    _assert_identical(tmp_path / "q8-Q4_K_M.gguf", tmp_path / "theirs.gguf")


def test_a_quantized_source_is_copied_where_nothing_changes(
    sources: dict[str, Path], tmp_path: Path
) -> None:
    quantize_by_llama(sources["dense"], tmp_path / "q8.gguf", 7)
    out = tmp_path / "out"
    _run(Job(str(tmp_path / "q8.gguf"), ("Q8_0",), str(out)))
    _assert_identical(out / "q8-Q8_0.gguf", tmp_path / "q8.gguf")


@pytest.mark.parametrize(
    ("recipe", "sentence"),
    [
        (Recipe(prune_layers=(3,)), "There is no layer 3: the last one is 2."),
        (Recipe(prune_layers=(0, 1, 2)), "At least one layer has to stay."),
        (Recipe(output_tensor_type="Q9_X"), "There is no tensor type “Q9_X”."),
        (Recipe(output_tensor_type="I32"), "There is no tensor type “I32”."),
        (Recipe(tensor_types=(TensorType("(", "Q8_0"),)), "“(” is not a regular expression."),
        (
            Recipe(override_kv=(KvOverride("a", "int", "x"),)),
            "a cannot be set to “x” as int.",
        ),
        (
            Recipe(override_kv=(KvOverride("k" * 200, "int", "1"),)),
            "k" * 200 + " cannot be set to “1” as int.",
        ),
        (
            Recipe(override_kv=(KvOverride("a", "str", "v" * 200),)),
            "a cannot be set to “" + "v" * 200 + "” as str.",
        ),
    ],
)
def test_impossible_options_are_said_before_any_work(
    sources: dict[str, Path], tmp_path: Path, recipe: Recipe, sentence: str
) -> None:
    with pytest.raises(QuantizeError) as caught:
        _run(Job(str(sources["dense"]), ("Q4_K_M",), str(tmp_path), recipe=recipe))
    assert str(caught.value) == sentence
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_not_finite_is_named(tmp_path: Path, bad: float) -> None:
    source = write_tiny(tmp_path / "m.gguf")
    header = read_header(source)
    tensor = next(t for t in header.tensors if t.name == "blk.1.ffn_up.weight")
    data = bytearray(source.read_bytes())
    at = header.data_offset + tensor.offset + 4 * 1000
    data[at : at + 4] = np.float32(bad).tobytes()
    source.write_bytes(data)
    with pytest.raises(QuantizeError, match=r"m\.gguf: blk\.1\.ffn_up\.weight .* not finite") as e:
        _run(Job(str(source), ("Q4_K_M",), str(tmp_path / "out")))
    assert "row 3, column 232" in e.value.detail
    assert not list((tmp_path / "out").iterdir())


def test_llama_cpp_makes_no_variant_that_the_list_leaves_out(
    sources: dict[str, Path], tmp_path: Path
) -> None:
    """…and those that need a matrix, by its own word, are those the list says need one."""
    from quantize.gguf_source import open_gguf
    from quantize.recipe import choose_types
    from quantize.types import FileType

    model = _wide(open_gguf(sources["dense"]))
    for kind in FileType:
        if kind not in BY_TYPE:
            with pytest.raises(QuantizeError):
                choose_types(model, kind, Recipe(), False, tmp_path)
            continue
        choices = choose_types(model, kind, Recipe(), False, tmp_path)
        assert BY_TYPE[kind].needs_imatrix == any(c.requires_imatrix for c in choices)


def _wide(model: Any) -> Any:
    """The same tensors with rows that fill every block; nothing is read from them."""
    weights = [
        dataclasses.replace(w, shape=(256 if w.shape[0] == 320 else w.shape[0], *w.shape[1:]))
        for w in model.weights
    ]
    return dataclasses.replace(model, weights=tuple(weights))


def test_trailing_dimensions_of_one_are_left_out(tmp_path: Path) -> None:
    shapes = {"extra.weight": (256, 1), "more.weight": (1, 1), "rows.weight": (1, 32, 1)}
    source = write_tiny(tmp_path / "m.gguf", extra=shapes)
    quantize_by_llama(source, tmp_path / "theirs.gguf", 15)
    _run(Job(str(source), ("Q4_K_M",), str(tmp_path)))
    _assert_identical(tmp_path / "m-Q4_K_M.gguf", tmp_path / "theirs.gguf")


def test_a_split_source_is_read_through_all_its_files(
    sources: dict[str, Path], tmp_path: Path
) -> None:
    _split(sources["dense"], tmp_path, 3)
    _run(Job(str(tmp_path / "dense-00002-of-00003.gguf"), ("Q4_K_M",), str(tmp_path / "out")))
    _run(Job(str(sources["dense"]), ("Q4_K_M",), str(tmp_path / "whole")))
    split, whole = (tmp_path / d / "dense-Q4_K_M.gguf" for d in ("out", "whole"))
    assert split.read_bytes() == whole.read_bytes()
    (tmp_path / "dense-00003-of-00003.gguf").unlink()
    with pytest.raises(QuantizeError, match=r"dense-00003-of-00003\.gguf is not there"):
        _run(Job(str(tmp_path / "dense-00001-of-00003.gguf"), ("Q8_0",), str(tmp_path / "out")))


def _split(source: Path, folder: Path, n_parts: int) -> None:
    from tests.helpers.gguf_files import Tensor, write_gguf
    from tests.helpers.tiny_gguf import _metadata

    header = read_header(source)
    data = source.read_bytes()
    tensors: Sequence[Tensor] = [
        Tensor(
            t.name, int(t.type), t.shape, data[(s := header.data_offset + t.offset) : s + t.n_bytes]
        )
        for t in header.tensors
    ]
    for part in range(n_parts):
        values: dict[str, object] = {"split.no": part, "split.count": n_parts}
        values |= {"split.tensors.count": len(tensors)}
        head = _metadata(False) if part == 0 else {}
        name = f"dense-{part + 1:05}-of-{n_parts:05}.gguf"
        write_gguf(folder / name, head | values, tensors[part::n_parts])
