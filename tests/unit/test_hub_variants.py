"""Variants from file names as the makers of GGUFs write them, and what a person asks for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.catalog import FileKind
from app.hub import variants
from app.hub.errors import HubError, NotFoundError
from app.hub.reference import Reference, looks_like_reference, parse_reference
from app.hub.repo import RemoteFile, RemoteVariant, Repo, RepoSummary
from tests.helpers.fuzz import fuzz

COMMIT = "0123456789" * 4


def repo(*paths: str, name: str = "maker/Model-GGUF") -> Repo:
    """File number i (from 1) has i bytes."""
    files = tuple(RemoteFile(name, COMMIT, path, i) for i, path in enumerate(paths, 1))
    return Repo(RepoSummary(name), COMMIT, files)


def found(*paths: str) -> dict[str, list[str]]:
    return {v.name: [file.path for file in v.files] for v in variants.group(repo(*paths))}


def variant(*paths: str, name: str = "maker/Model-GGUF") -> RemoteVariant:
    return variants.group(repo(*paths, name=name))[0]


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("Llama-3.2-1B-Instruct-Q4_K_M.gguf", "Q4_K_M"),
        ("model.Q8_0.gguf", "Q8_0"),
        ("meta-llama-3.1-8b-instruct-q4_0.gguf", "Q4_0"),
        ("gemma-4-26B_q4_0-it.gguf", "Q4_0"),
        ("Qwen3.5-35B-A3B-UD-Q4_K_XL.gguf", "UD-Q4_K_XL"),
        ("model-UD_IQ2_XXS.gguf", "UD-IQ2_XXS"),
        ("model-IQ4_XS.gguf", "IQ4_XS"),
        ("model-iq4_nl.gguf", "IQ4_NL"),
        ("model-TQ1_0.gguf", "TQ1_0"),
        ("ggml-model-f16.gguf", "F16"),
        ("model-fp16.gguf", "F16"),
        ("BF16/model-00001-of-00001.gguf", "BF16"),
        ("gpt-oss-20b-MXFP4.gguf", "MXFP4"),
        ("openai_gpt-oss-120b-MXFP4_MOE.gguf", "MXFP4_MOE"),
        ("phi-4-Q4_K.gguf", "Q4_K"),
        ("Q6_K_L/model.gguf", "Q6_K_L"),
        ("IQ1-fan-7B.gguf", "IQ1"),
        ("model-Q4_K_M-v2.gguf", "Q4_K_M"),
        ("Qwen3-8B.gguf", "Qwen3-8B"),
        ("MODEL-Q5_K_S.GGUF", "Q5_K_S"),
    ],
)
def test_names(path: str, name: str) -> None:
    assert list(found(path)) == [name]


def test_parts_are_joined_in_order_and_sizes_summed() -> None:
    made = variants.group(
        repo("Q8_0/m-Q8_0-00002-of-00003.gguf", "Q8_0/m-Q8_0-00001-of-00003.gguf", "m-Q4_0.gguf",
             "Q8_0/m-Q8_0-00003-of-00003.gguf")
    )  # fmt: skip
    assert [(v.name, v.size_bytes) for v in made] == [("Q8_0", 7), ("Q4_0", 3)]
    assert [file.path[-19:] for file in made[0].files] == [
        f"-0000{i}-of-00003.gguf"[-19:] for i in (1, 2, 3)
    ]


@pytest.mark.parametrize(
    "paths",
    [
        ("m-Q8_0-00001-of-00003.gguf", "m-Q8_0-00003-of-00003.gguf"),
        ("m-Q8_0-00002-of-00002.gguf",),
        ("m-Q8_0-00000-of-00000.gguf",),
        ("m-Q8_0-00001-of-99999.gguf",),
        ("a/m-Q8_0-00001-of-00002.gguf", "b/m-Q8_0-00002-of-00002.gguf"),
    ],
)
def test_incomplete_models_are_no_variants(paths: tuple[str, ...]) -> None:
    assert found(*paths) == {}
    assert "has only some parts" in str(variants.why_none(repo(*paths)))


def test_data_and_other_files_are_no_variants() -> None:
    others = ("imatrix_unsloth.gguf", "m.imatrix.gguf", "imatrix.dat", "README.md", "a.safetensors")
    assert found(*others, "ggml-vocab-llama.gguf", "m-imatrix-Q4_K_M.gguf") == {
        "Q4_K_M": ["m-imatrix-Q4_K_M.gguf"]
    }


@pytest.mark.parametrize(
    ("paths", "best"),
    [
        (("mmproj-BF16.gguf", "mmproj-F16.gguf", "mmproj-F32.gguf"), "mmproj-F16.gguf"),
        (("mmproj-m-Q8_0.gguf", "mmproj-m-bf16.gguf"), "mmproj-m-bf16.gguf"),
        (("Ministral-3-3B-BF16-mmproj.gguf",), "Ministral-3-3B-BF16-mmproj.gguf"),
        (("mmproj-model-f16-4B.gguf",), "mmproj-model-f16-4B.gguf"),
        (("gemma-4-E2B-it-mmproj.gguf",), "gemma-4-E2B-it-mmproj.gguf"),
        (("mmproj-kquant.gguf", "mmproj-Q4_K_M.gguf", "mmproj-Q8_0.gguf"), "mmproj-Q8_0.gguf"),
    ],
)
def test_the_best_mmproj_is_attached(paths: tuple[str, ...], best: str) -> None:
    made = variants.group(repo("m-Q4_K_M.gguf", *paths, "m-Q8_0.gguf"))
    assert [v.name for v in made] == ["Q8_0", "Q4_K_M"]
    assert {file.path for v in made for file in v.mmproj} == {best}


def test_the_plainest_of_several_alike_keeps_the_name() -> None:
    assert found("L-230M-QAD-Q4_0.gguf", "L-230M-Q4_0.gguf") == {
        "QAD-Q4_0": ["L-230M-QAD-Q4_0.gguf"],
        "Q4_0": ["L-230M-Q4_0.gguf"],
    }
    assert set(found("dspark-Qwen3-8B-Q8_0.gguf", "Qwen3-8B-Q8_0.gguf")) == {
        "Q8_0",
        "dspark-Qwen3-8B-Q8_0",
    }


def test_what_the_makers_trained_for() -> None:
    qat = variant("gemma-3-4b-it-q4_0.gguf", name="google/gemma-3-4b-it-qat-q4_0-gguf")
    assert variants.kind_of(qat) is FileKind.QAT
    assert variants.kind_of(variant("L-QAD-Q4_0.gguf")) is FileKind.QAT
    assert variants.kind_of(variant("gpt-oss-20b-MXFP4.gguf")) is FileKind.ORIGINAL
    for path in ("m-Q4_0.gguf", "m-qat-Q8_0.gguf", "Qwen3-30B-MXFP4_MOE.gguf"):
        assert variants.kind_of(variant(path)) is FileKind.QUANTIZED, path


@pytest.mark.parametrize(
    ("wanted", "name"),
    [
        ("q4_k_m", "Q4_K_M"),
        ("UD-Q4_K_XL", "UD-Q4_K_XL"),
        ("q4_k_xl", "UD-Q4_K_XL"),
        ("sub/m-Q8_0-00001-of-00002.gguf", "Q8_0"),
        ("m-Q8_0-00002-of-00002.gguf", "Q8_0"),
    ],
)
def test_choosing(wanted: str, name: str) -> None:
    assert variants.choose(variants.group(_SEVERAL), wanted).name == name


_SEVERAL = repo(
    *("m-Q4_K_M.gguf", "m-UD-Q4_K_XL.gguf", "sub/m-Q8_0-00001-of-00002.gguf"),
    *("sub/m-Q8_0-00002-of-00002.gguf", "m-BF16.gguf"),
)


def test_choosing_what_is_not_there_names_the_nearest() -> None:
    with pytest.raises(NotFoundError) as caught:
        variants.choose(variants.group(_SEVERAL), "Q4_K_S")
    assert str(caught.value) == "There is no variant “Q4_K_S” there."
    assert str(caught.value.hint).startswith("There are: Q4_K_M, ")


@pytest.mark.parametrize(
    ("paths", "words", "hint"),
    [
        (("model.safetensors", "config.json"), "has original weights", "Quantize them here"),
        (("pytorch_model.bin",), "has no files that Nibble can use", "Search for a GGUF"),
        ((), "has no files that Nibble can use", "Search for a GGUF"),
    ],
)
def test_a_repository_without_gguf(paths: tuple[str, ...], words: str, hint: str) -> None:
    error = variants.why_none(repo(*paths))
    assert words in str(error)
    assert str(error.hint).startswith(hint)


_NAMES = st.one_of(
    st.text(max_size=20),
    st.sampled_from(
        ["-00001-of-00002", ".gguf", "Q4_K_M", "/", "mmproj", "-00002-of-00002", "UD-"]
    ),
)


@given(paths=st.lists(st.lists(_NAMES, max_size=5).map("".join), max_size=8, unique=True))
@fuzz
def test_any_names_give_unmistakable_variants(paths: list[str]) -> None:
    made = variants.group(repo(*paths))
    names = [v.name for v in made]
    assert len(set(names)) == len(names)
    files = [file.path for v in made for file in v.files]
    assert len(set(files)) == len(files)


# What a person types


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        ("maker/model", Reference("maker/model")),
        (" maker/model:Q4_K_M\n", Reference("maker/model", "Q4_K_M")),
        ("maker/model:sub/file.gguf", Reference("maker/model", "sub/file.gguf")),
        ("hf.co/maker/model:Q4_K_M", Reference("maker/model", "Q4_K_M")),
        ("ollama run hf.co/maker/model:q8_0", Reference("maker/model", "q8_0")),
        ("llama-server -hf maker/model:Q4_0", Reference("maker/model", "Q4_0")),
        ("huggingface.co/maker/model/", Reference("maker/model")),
        ("https://huggingface.co/maker/model?library=x", Reference("maker/model")),
        ("https://huggingface.co/maker/model/tree/main", Reference("maker/model")),
        ("https://huggingface.co/maker/model/tree/v1.0/sub", Reference("maker/model", "", "v1.0")),
        ("https://huggingface.co/m/n?show_file_info=a-Q8_0.gguf", Reference("m/n", "a-Q8_0.gguf")),
        ("https://huggingface.co/m/n/blob/main/file.gguf", Reference("m/n", "file.gguf")),
        (
            "<https://huggingface.co/m/n/resolve/abc/sub/a%20b.gguf?download=true>",
            Reference("m/n", "sub/a b.gguf", "abc"),
        ),
        ("hf://m/n", Reference("m/n")),
    ],
)
def test_references(text: str, reference: Reference) -> None:
    assert parse_reference(text) == reference
    assert looks_like_reference(text)


@pytest.mark.parametrize(
    "text",
    [
        *("", "model", "a/b/c", "../../etc/passwd", "/etc/passwd", "C:\\models\\x.gguf", "a..b/c"),
        *("a/b--c", "-/-", "a b/c", "мой/модель", "https://[", "x" * 5000, "ftp://hf.co/a/b"),
        *("https://huggingface.co/datasets/a/b", "https://huggingface.co/maker"),
        *("https://ollama.com/library/llama3", "https://huggingface.co@evil.example/a/b"),
        "https://evil.example/huggingface.co/a/b",
    ],
)
def test_what_names_no_repository(text: str) -> None:
    with pytest.raises(NotFoundError) as caught:
        parse_reference(text)
    assert len(str(caught.value)) < 200
    assert "maker/model" in str(caught.value.hint)
    assert not looks_like_reference(text)


def test_addresses_of_a_mirror(monkeypatch: pytest.MonkeyPatch) -> None:
    address = "https://mirror.example/m/n/blob/main/f.gguf"
    assert not looks_like_reference(address)
    monkeypatch.setenv("HF_ENDPOINT", "https://mirror.example")
    assert parse_reference(address) == Reference("m/n", "f.gguf")


@given(text=st.one_of(st.text(), st.text().map("https://huggingface.co/".__add__)))
@fuzz
def test_any_text_is_a_reference_or_refused(text: str) -> None:
    try:
        reference = parse_reference(text)
    except HubError:
        return
    assert reference.repo.count("/") == 1
