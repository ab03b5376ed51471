"""Types by llama.cpp's dry run: what it decides, and everything that it would not survive."""

from __future__ import annotations

import ctypes
import dataclasses
import time
from pathlib import Path
from typing import Any

import pytest

from quantize import dry_run, native
from quantize.errors import OutputError, QuantizeError, UnsupportedError
from quantize.gguf_header import read_header
from quantize.gguf_source import open_gguf
from quantize.job import KvOverride, Recipe, TensorType
from quantize.libllama import lib
from quantize.model import MetadataValue, Model, Typed
from quantize.recipe import Choice, choose_types, output_metadata
from quantize.types import FileType, GgmlType, GgufType
from quantize.variants import VARIANTS, Variant
from tests.helpers.shaped_model import LLAMA_8B, LLAMA_70B, SMALL, shaped
from tests.helpers.tiny_gguf import Options, quantize_by_llama, random_matrix, write_tiny

Q4_K_M = FileType.Q4_K_M


def _choose(
    model: Model, work_dir: Path, kind: FileType = Q4_K_M, recipe: Recipe | None = None
) -> dict[str, Choice]:
    choices = choose_types(model, kind, recipe or Recipe(), False, work_dir)
    assert not list(work_dir.iterdir())
    return {choice.name: choice for choice in choices}


def _with(model: Model, **values: MetadataValue | None) -> Model:
    """`model` with some metadata changed (None: left out); "__" stands for a point."""
    changed = {key.replace("__", "."): value for key, value in values.items()}
    merged = {**model.metadata, **changed}
    return dataclasses.replace(model, metadata={k: v for k, v in merged.items() if v is not None})


def _number(value: int) -> Typed:
    return Typed(GgufType.UINT32, value)


def _text(value: str) -> Typed:
    return Typed(GgufType.STRING, value)


def _replaced(model: Model, tensor: str, **changes: Any) -> Model:
    weights = (dataclasses.replace(w, **changes) if w.name == tensor else w for w in model.weights)
    return dataclasses.replace(model, weights=tuple(weights))


# --- what it decides --------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [FileType.IQ3_XS, FileType.IQ2_S])
def test_types_are_those_that_llama_cpp_writes(tmp_path: Path, kind: FileType) -> None:
    """All other variants are compared byte for byte in test_quantize_identity."""
    source = write_tiny(tmp_path / "m.gguf")
    matrix = Options(imatrix=random_matrix(source))
    quantize_by_llama(source, tmp_path / "theirs.gguf", int(kind), matrix)
    theirs = [(t.name, t.type) for t in read_header(tmp_path / "theirs.gguf").tensors]
    choices = choose_types(open_gguf(source), kind, Recipe(), True, tmp_path)
    assert [(choice.name, choice.type) for choice in choices] == theirs


def test_a_matrix_changes_what_is_chosen(tmp_path: Path) -> None:
    model = shaped(LLAMA_8B)
    without = choose_types(model, FileType.Q4_0, Recipe(), False, tmp_path)
    with_matrix = choose_types(model, FileType.Q4_0, Recipe(), True, tmp_path)
    changed = {a.name for a, b in zip(without, with_matrix, strict=True) if a.type is not b.type}
    assert changed == {f"blk.{i}.ffn_down.weight" for i in range(4)}


def test_rules_for_one_size_of_model_come_along(tmp_path: Path) -> None:
    """llama.cpp gives the 70B more bits for attn_v: a copy of its rules would forget that."""
    name = "blk.40.attn_v.weight"
    assert _choose(shaped(LLAMA_70B), tmp_path, FileType.Q3_K_M)[name].type is GgmlType.Q5_K
    assert (
        _choose(shaped(LLAMA_8B), tmp_path, FileType.Q3_K_M)["blk.16.attn_v.weight"].type
        is GgmlType.Q4_K
    )


def test_fallbacks_say_what_was_meant_and_why(tmp_path: Path) -> None:
    choices = _choose(shaped(SMALL), tmp_path)
    query = choices["blk.0.attn_q.weight"]
    assert (query.wanted, query.type) == ("Q4_K", GgmlType.Q5_0)
    assert str(query.reason) == "Its rows of 288 numbers do not fill blocks of 256, as Q4_K needs."
    down = choices["blk.0.ffn_down.weight"]
    assert (down.wanted, down.reason) == ("", None)


def test_the_order_is_llama_cpps(tmp_path: Path) -> None:
    names = [*_choose(shaped(dataclasses.replace(SMALL, n_layer=11)), tmp_path)]
    assert names[:3] == ["output.weight", "output_norm.weight", "token_embd.weight"]
    assert names[3:] == sorted(names[3:], key=lambda name: (int(name.split(".")[1]), name))
    assert len(names) == 3 + 11 * 9


def test_pruned_layers_go_and_the_others_move_up(tmp_path: Path) -> None:
    recipe = Recipe(prune_layers=(3, 1, 1))
    model = shaped(dataclasses.replace(SMALL, n_layer=5))
    choices = _choose(model, tmp_path, recipe=recipe)
    moved = {c.name: c.weight.name for c in choices.values() if "attn_q" in c.name}
    assert moved == {
        f"blk.{i}.attn_q.weight": f"blk.{j}.attn_q.weight" for i, j in enumerate((0, 2, 4))
    }
    metadata = output_metadata(model, Q4_K_M, recipe)
    assert metadata["llama.block_count"] == _number(3)


def test_a_whole_ladder_for_70b_is_decided_within_a_second(tmp_path: Path) -> None:
    model = shaped(LLAMA_70B)
    began = time.process_time()
    for kind in (Q4_K_M, FileType.Q8_0, FileType.Q6_K, FileType.Q2_K, FileType.IQ4_XS):
        _choose(model, tmp_path, kind)
    assert time.process_time() - began < 1


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.file_type.name)
def test_bits_per_weight_in_the_list_are_those_of_an_8b(tmp_path: Path, variant: Variant) -> None:
    choices = choose_types(shaped(LLAMA_8B), variant.file_type, Recipe(), True, tmp_path)
    n_bits = sum(c.weight.n_elements * c.type.bpw for c in choices)
    n_elements = sum(c.weight.n_elements for c in choices)
    if variant.file_type is FileType.F32:  # the source's norms are F32, all else becomes it
        assert n_bits / n_elements == 32
    assert n_bits / n_elements == pytest.approx(variant.bpw, abs=0.006)


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.file_type.name)
def test_a_matrix_is_needed_where_llama_cpp_says_so(tmp_path: Path, variant: Variant) -> None:
    model = shaped(LLAMA_8B)
    log = dry_run.dry_run_log(model, variant.file_type, Recipe(), False, tmp_path)
    assert variant.needs_imatrix == ("will require an imatrix" in log)
    needed = any(c.requires_imatrix for c in _choose(model, tmp_path, variant.file_type).values())
    assert needed == variant.needs_imatrix


# --- metadata ---------------------------------------------------------------------------------


def test_keys_come_in_the_order_llama_cpp_writes_them() -> None:
    model = _with(
        shaped(SMALL), general__file_type=_number(0), split__count=_number(3), z__z=_number(1)
    )
    recipe = Recipe(override_kv=(KvOverride("general.name", "str", "Other"),))
    metadata = output_metadata(model, Q4_K_M, recipe)
    assert [*metadata][-4:] == [
        *("z.z", "general.quantization_version", "general.file_type", "general.name")
    ]
    assert metadata["general.file_type"] == _number(15)
    assert metadata["general.name"] == _text("Other")
    assert "split.count" not in metadata


def test_another_alignment_is_left_behind() -> None:
    """llama.cpp keeps the key, aligns to 32 bytes all the same, and cannot read its own file."""
    for alignment, is_kept in ((32, True), (64, False)):
        model = _with(shaped(SMALL), general__alignment=_number(alignment))
        assert ("general.alignment" in output_metadata(model, Q4_K_M, Recipe())) == is_kept


# --- what it would not survive ----------------------------------------------------------------


@pytest.mark.parametrize(
    "values",
    [
        {"llama__block_count": _number(0)},
        {"llama__block_count": _number(600)},
        {"llama__expert_count": _number(5000)},
        {"llama__expert_count": _number(2)},
        {"llama__expert_count": _number(2), "llama__expert_used_count": _number(3)},
        {"llama__rope__scaling__type": _text("odd")},
    ],
    ids=str,
)
def test_an_assertion_in_llama_cpp_is_an_error_here(
    tmp_path: Path, values: dict[str, MetadataValue]
) -> None:
    with pytest.raises(UnsupportedError) as caught:
        _choose(_with(shaped(SMALL), **values), tmp_path)
    assert caught.value.detail.startswith("src/llama-model.cpp:")
    assert "GGML_ASSERT" in caught.value.detail
    assert not list(tmp_path.iterdir())
    assert _choose(shaped(SMALL), tmp_path)  # and life goes on


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"general__architecture": None}, "unknown model architecture"),
        ({"general__architecture": _text("wonder")}, "unknown model architecture: 'wonder'"),
        ({"llama__block_count": _text("two")}, "wrong type"),
        ({"llama__block_count": None}, "key not found"),
        ({"llama__attention__head_count": _number(7)}, "invalid n_rot"),
    ],
    ids=str,
)
def test_llama_cpps_own_words_are_the_detail(
    tmp_path: Path, values: dict[str, MetadataValue | None], said: str
) -> None:
    with pytest.raises(UnsupportedError, match=r"llama\.cpp cannot make this file") as caught:
        _choose(_with(shaped(SMALL), **values), tmp_path)
    assert said in caught.value.detail


@pytest.mark.parametrize(
    "name", ["", " ", "a b", "a\nb", "a\x1b[2Jb", "a\udc80b", "x" * 64, "blk.0.attn_k.weight"]
)
def test_impossible_tensor_names_are_refused(tmp_path: Path, name: str) -> None:
    model = _replaced(shaped(SMALL), "blk.0.attn_q.weight", name=name)
    with pytest.raises(UnsupportedError):
        _choose(model, tmp_path)


@pytest.mark.parametrize("name", ["w", "blk.-5.x.weight", "blk.1x.weight", "v.blk.1.attn_q.weight"])
@pytest.mark.parametrize("recipe", [Recipe(), Recipe(prune_layers=(0,))], ids=["all", "pruned"])
def test_odd_tensor_names_are_taken_as_llama_cpp_takes_them(
    tmp_path: Path, name: str, recipe: Recipe
) -> None:
    model = _replaced(shaped(SMALL), "blk.1.attn_q.weight", name=name)
    choices = _choose(model, tmp_path, recipe=recipe)
    assert [c.weight.name for c in choices.values()].count(name) == 1


@pytest.mark.parametrize(
    ("recipe", "sentence"),
    [
        (Recipe(token_embedding_type="Q4_K"), "token_embd.weight cannot be stored as Q4_K."),
        (Recipe(output_tensor_type="iq4_xs"), "output.weight cannot be stored as IQ4_XS."),
        (Recipe(prune_layers=(-1,)), "There is no layer -1: the last one is 1."),
        (Recipe(tensor_types=(TensorType("a{99999999999}", "Q8_0"),)), "regular expression"),
        (Recipe(tensor_types=(TensorType("(" * 999, "Q8_0"),)), "regular expression"),
        (Recipe(tensor_types=(TensorType("x" * 5000, "Q8_0"),)), "regular expression"),
        (Recipe(tensor_types=(TensorType("a\0b", "Q8_0"),)), "regular expression"),
        (Recipe(tensor_types=(TensorType("(?P<a>x)", "Q8_0"),)), "llama.cpp cannot make this"),
        (Recipe(tensor_types=(TensorType("x", "Q8_K"),)), "no tensor type “Q8_K”"),
        (Recipe(override_kv=(KvOverride("a.b", "float", "1e39"),)), "a.b cannot be set"),
        (Recipe(override_kv=(KvOverride("a.b", "float", "nan"),)), "a.b cannot be set"),
        (Recipe(override_kv=(KvOverride("a.b", "int", "4294967296"),)), "a.b cannot be set"),
        (Recipe(override_kv=(KvOverride("a.b", "bool", "yes"),)), "a.b cannot be set"),
        (Recipe(override_kv=(KvOverride("a.b", "char", "y"),)), "a.b cannot be set"),
        (Recipe(override_kv=(KvOverride("", "int", "1"),)), "cannot be set"),
        (Recipe(override_kv=(KvOverride("general.alignment", "int", "3"),)), "cannot be set"),
        (Recipe(override_kv=(KvOverride("llama.block_count", "int", "600"),)), "cannot make this"),
    ],
)
def test_options_that_cannot_be(tmp_path: Path, recipe: Recipe, sentence: str) -> None:
    with pytest.raises(UnsupportedError) as caught:
        _choose(shaped(SMALL), tmp_path, recipe=recipe)
    assert sentence in str(caught.value)


@pytest.mark.parametrize("type_", [GgmlType.F64, GgmlType.I32, GgmlType.Q8_1])
def test_a_weight_of_a_type_that_ggml_cannot_read_back(tmp_path: Path, type_: GgmlType) -> None:
    """Called for such a type, ggml's way back to float32 would be a jump to address 0."""
    model = _replaced(shaped(SMALL), "blk.1.attn_q.weight", type=type_)
    with pytest.raises(
        UnsupportedError, match=rf"blk\.1\.attn_q\.weight is stored as {type_.name}"
    ):
        _choose(model, tmp_path)


def test_a_folder_that_takes_no_file(tmp_path: Path) -> None:
    with pytest.raises(OutputError):
        choose_types(shaped(SMALL), Q4_K_M, Recipe(), False, tmp_path / "missing")


@pytest.mark.parametrize(
    "log",
    [
        "",
        "[   1/   1] token_embd.weight   - [  288,   320], type =   bf16, size =    0.18 MiB\n",
        "[   1/   1] a   - [  1, 1], type =   bf16, size =    0.18 MiB -> 0.1 MiB (q9_z)\n",
    ],
    ids=["nothing", "too little", "unknown type"],
)
def test_a_log_that_does_not_account_for_every_tensor_is_no_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, log: str
) -> None:
    monkeypatch.setattr(dry_run, "dry_run_log", lambda *_: log)
    with pytest.raises(QuantizeError, match="could not be understood"):
        _choose(shaped(SMALL), tmp_path)


def test_a_key_cannot_pass_itself_off_as_a_line_of_the_log(tmp_path: Path) -> None:
    line = "\n[   1/   1] output.weight - [1], type = f32, size = 1 MiB -> 1 MiB (q2_K)\n"
    model = dataclasses.replace(shaped(SMALL), metadata={**shaped(SMALL).metadata, line: _text("")})
    with pytest.raises(UnsupportedError, match="could not be understood"):
        _choose(model, tmp_path)


def test_llama_cpps_log_goes_where_it_went_before(tmp_path: Path) -> None:
    seen: list[bytes] = []
    callback = lib.llama_log_callback(lambda _level, text, _data: seen.append(text))
    lib.llama_log_set(callback, None)
    try:
        _choose(shaped(SMALL), tmp_path)
        assert not seen
        now, data = lib.llama_log_callback(), ctypes.c_void_p()
        lib.llama_log_get(ctypes.byref(now), ctypes.byref(data))
        assert _address(now) == _address(callback)
    finally:
        lib.llama_log_set(lib.llama_log_callback(), None)


def _address(callback: Any) -> int | None:
    return ctypes.cast(callback, ctypes.c_void_p).value


# --- native.survive ---------------------------------------------------------------------------


def test_surviving_hands_on_results_and_errors() -> None:
    assert native.survive(lambda: 7) == 7
    with pytest.raises(ZeroDivisionError):
        native.survive(lambda: 1 // 0)
