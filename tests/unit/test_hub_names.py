"""Names of strangers: what points away is refused, what some disk cannot keep is mended."""

from __future__ import annotations

import string
from pathlib import PurePosixPath, PureWindowsPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.hub.errors import TransferError
from app.hub.names import MAX_NAME_BYTES, safe_path, safe_paths
from app.hub.pull import download_folder
from tests.helpers.fuzz import fuzz

ODD = st.text(string.printable + "\0\\/:.~ÄéΩ\u202e\ud800漢", max_size=40)
PATHS = st.lists(ODD | st.sampled_from(["..", ".", "CON", "a.gguf", "C:"]), max_size=5).map(
    "/".join
)


@pytest.mark.parametrize(
    "path",
    [
        "../up.gguf",
        "a/../../up.gguf",
        "a/..",
        "/etc/passwd",
        "//host/share/a",
        "C:\\windows\\a.dll",
        "C:/windows/a.dll",
        "c:a",
        "\\\\host\\share\\a",
        "a\\b",
        "a\0b",
        "",
        ".",
        "/".join(["d"] * 40),
    ],
)
def test_what_points_away_is_refused(path: str) -> None:
    with pytest.raises(TransferError):
        safe_path(path)


@pytest.mark.parametrize(
    ("path", "safe"),
    [
        ("model-Q4_K_M.gguf", "model-Q4_K_M.gguf"),
        ("sub/deep/a b.json", "sub/deep/a b.json"),
        ("./a//b.json", "a/b.json"),
        (".gitattributes", ".gitattributes"),
        ("CON", "_CON"),
        ("con.gguf", "_con.gguf"),
        ("Lpt1.txt.gguf", "_Lpt1.txt.gguf"),
        ("com¹", "_com¹"),
        ("CONFIG.json", "CONFIG.json"),
        ("a.", "a"),
        ("a. . ", "a"),
        (" a", "a"),
        ("...", "_"),
        ('a<b>:"|?*.gguf', "a_b______.gguf"),
        ("gpj\u202efugg.exe", "gpj_fugg.exe"),
        ("a\nb", "a_b"),
        ("m.gguf.part", "m.gguf.part_"),
        ("m.gguf.part.json", "m.gguf.part.json_"),
    ],
)
def test_what_a_disk_cannot_keep_is_mended(path: str, safe: str) -> None:
    assert str(safe_path(path)) == safe


def test_long_names_are_cut_and_stay_different() -> None:
    long, other = "a" * 300 + ".gguf", "a" * 299 + "b.gguf"
    names = {safe_path(long).name, safe_path(other).name}
    assert len(names) == 2
    assert all(name.endswith(".gguf") and len(name) <= MAX_NAME_BYTES for name in names)


def test_the_parts_of_a_split_model_keep_a_common_beginning() -> None:
    """llama.cpp finds the others by it."""
    parts = [safe_path("m" * 300 + f"-{i:05}-of-00003.gguf").name for i in (1, 2, 3)]
    assert [part[-20:] for part in parts] == [f"-{i:05}-of-00003.gguf" for i in (1, 2, 3)]
    assert len({part[:-20] for part in parts}) == 1


def test_names_that_differ_in_case_alone_become_two() -> None:
    found = safe_paths(["A.gguf", "a.gguf", "b/X", "B/x", "é.json", "e\u0301.json"])
    keys = {str(path).casefold() for path in found.values()}
    assert len(keys) == 6


def test_a_file_that_is_also_a_folder_is_refused() -> None:
    with pytest.raises(TransferError):
        safe_paths(["a", "a/b"])


def test_the_folder_of_a_repository() -> None:
    assert download_folder("Maker/Model-GGUF").parts[-2:] == ("Maker", "Model-GGUF")
    with pytest.raises(TransferError):
        download_folder("../..")


@fuzz
@given(PATHS)
def test_whatever_comes_out_stays_below_and_can_be_kept(path: str) -> None:
    try:
        safe = safe_path(path)
    except TransferError:
        return
    assert not safe.is_absolute()
    assert PureWindowsPath(str(safe)).drive == ""
    assert PureWindowsPath(str(safe)).root == ""
    for part in safe.parts:
        assert part not in ("..", ".")
        assert not set(part) & set('\\/:*?"<>|\0')
        assert part.isprintable() or " " in part or "\xa0" in part
        assert not part.endswith((".", " "))
        assert len(part.encode()) <= 255 - len(".part.json")
    assert safe_path(str(safe)) == safe  # mending once is enough


@fuzz
@given(st.lists(PATHS, max_size=8))
def test_no_two_share_a_place(paths: list[str]) -> None:
    try:
        found = safe_paths(paths)
    except TransferError:
        return
    places = [str(place).casefold() for place in found.values()]
    assert len(set(places)) == len(places)
    parents = {str(parent).casefold() for place in found.values() for parent in place.parents}
    assert not parents & set(places)
    assert all(isinstance(place, PurePosixPath) for place in found.values())
