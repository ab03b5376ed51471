"""Which files of an original the quantizer gets, and which it must not."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from app.hub.errors import NotFoundError
from app.hub.repo import RemoteFile, RemoteVariant, Repo, RepoSummary
from app.hub.snapshot import saved_bytes, snapshot_bytes, snapshot_files

_QUANTIZE = Path(__file__).parents[2] / "quantize"
_FILE_NAME = re.compile(r'"([A-Za-z0-9_]+\.(?:json|model|txt|jinja))"')
COMMIT = "c" * 40


def repo(*paths: str, size: int = 10) -> Repo:
    files = tuple(RemoteFile("maker/Model", COMMIT, path, size) for path in paths)
    return Repo(RepoSummary("maker/Model"), COMMIT, files)


def names(*paths: str) -> list[str]:
    return [file.path for file in snapshot_files(repo(*paths))]


SMALL = ("config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json")
PAPERS = ("LICENSE", "README.md", "LICENSE.txt", "NOTICE", "USE_POLICY.md")


def test_weights_once_and_what_describes_them() -> None:
    wanted = [*SMALL, *PAPERS, "chat_template.jinja", "additional_chat_templates/tools.jinja"]
    parts = [f"model-0000{i}-of-00002.safetensors" for i in (1, 2)]
    unwanted = [
        *("pytorch_model.bin", "model.pth", "onnx/model.onnx", "consolidated.safetensors"),
        *("original/consolidated.00.pth", "model.fp16.safetensors", "adapter_model.safetensors"),
        *("modeling_custom.py", "training_args.bin", "logo.png", "sub/model.safetensors"),
        *("tf_model.h5", "flax_model.msgpack", "model.gguf", ".gitattributes"),
    ]
    index = "model.safetensors.index.json"
    assert names(*unwanted, *parts, index, *wanted) == [index, *wanted, *parts]


def test_one_file_of_weights() -> None:
    assert names("config.json", "model.safetensors") == ["config.json", "model.safetensors"]


def test_parts_and_the_whole_without_an_index_are_the_same_twice() -> None:
    parts = [f"model-0000{i}-of-00002.safetensors" for i in (1, 2)]
    assert names("config.json", "model.safetensors", *parts) == ["config.json", "model.safetensors"]


def test_a_huge_readme_is_left_behind() -> None:
    files = snapshot_files(repo("config.json", "model.safetensors", "README.md", size=5 * 1024**2))
    assert "README.md" not in [file.path for file in files]


@pytest.mark.parametrize(
    ("paths", "words"),
    [
        (("config.json", "model-00001-of-00002.safetensors"), "is not whole: model-00002-of-00002"),
        (("config.json", "pytorch_model.bin"), "in PyTorch files only"),
        (("model-Q4_0.gguf", "config.json"), "has GGUF files"),
        (("adapter_config.json", "adapter_model.safetensors"), "is an addition to another model"),
        (("consolidated.safetensors", "params.json"), "in Mistral's own format"),
        (("model.safetensors",), "has no original weights"),
        ((), "has no original weights"),
    ],
)
def test_what_is_no_original(paths: tuple[str, ...], words: str) -> None:
    with pytest.raises(NotFoundError) as caught:
        snapshot_files(repo(*paths))
    assert words in str(caught.value)
    assert caught.value.hint


def test_every_file_that_the_quantizer_looks_for_is_fetched() -> None:
    sources = [*_QUANTIZE.rglob("*.py")]
    looked_for = {name for path in sources for name in _FILE_NAME.findall(path.read_text("utf-8"))}
    looked_for -= {"adapter_config.json", "calibration.txt"}  # looked for to refuse it; our own
    assert {"config.json", "tokenizer.model", "tekken.json"} < looked_for
    assert looked_for <= set(names("model.safetensors", "config.json", *looked_for))


def test_what_making_it_here_saves() -> None:
    original = snapshot_files(repo("config.json", "model.safetensors"))
    assert snapshot_bytes(repo("config.json", "model.safetensors")) == 20
    made = [RemoteVariant("Q8_0", repo("a.gguf", size=17).files)] * 2
    assert saved_bytes(made, original) == 14
    assert saved_bytes(made[:1], original) == -3
