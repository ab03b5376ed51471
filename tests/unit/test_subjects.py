"""What the Models page is about, and what it means on a computer."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from app.core.catalog import find_model
from app.core.fit import Fit, ModelShape
from app.core.library import InstalledModel
from app.core.recommend import candidates_of
from app.hub.repo import RemoteFile, RemoteVariant
from app.jobs.assessing import Wish, assess, with_header
from app.jobs.remote import cheapest
from app.jobs.subjects import (
    Offer,
    Origin,
    Subject,
    download_saved,
    name_of_repo,
    of_catalogue,
    of_installed,
    with_installed,
)
from tests.helpers.machines import MACHINES

LAPTOP = MACHINES["laptop-16-no-gpu"]


@pytest.fixture
def qwen() -> Subject:
    model = find_model("qwen3-8b")
    assert model is not None
    return of_catalogue(model, [(c.key, c.shape) for c in candidates_of(model)])


def _installed(name: str, size_bytes: int, sha256: str = "", variant: str = "Q4_K_M"):
    path = Path("/models") / name
    return InstalledModel(path, "A model", variant, "qwen3", size_bytes, 8, 40960, sha256=sha256)


def test_a_catalogue_model_has_its_variants_largest_first(qwen: Subject) -> None:
    sizes = [offer.size_bytes for offer in qwen.offers]
    assert sizes == sorted(sizes, reverse=True)
    assert all(offer.shape is not None and offer.files for offer in qwen.offers)


def test_a_variant_is_picked_that_fits(qwen: Subject) -> None:
    found = assess(qwen, Wish(8192, "f16"), LAPTOP)
    assert found.pick is not None
    pick = found.assessments[found.pick]
    assert pick is not None
    assert pick.plan.fits
    assert found.fit is pick.plan.fit
    assert found.reasons
    assert len(found.assessments) == len(qwen.offers)


def test_a_context_beyond_the_models_is_taken_for_its_own(qwen: Subject) -> None:
    assert assess(qwen, Wish(1_000_000, "f16"), LAPTOP).n_ctx == qwen.n_ctx_train


def test_nothing_fits_a_computer_too_small(qwen: Subject) -> None:
    found = assess(qwen, Wish(), MACHINES["old-4gb-no-avx2"])
    assert found.pick is None
    assert found.fit is Fit.DOES_NOT_FIT
    assert found.reasons  # what would fit instead


def test_without_a_shape_nothing_is_said(qwen: Subject) -> None:
    bare = replace(qwen, offers=tuple(replace(each, shape=None) for each in qwen.offers))
    found = assess(bare, Wish(), LAPTOP)
    assert found.fit is None
    assert found.pick is None
    assert set(found.assessments) == {None}


def test_one_header_tells_of_the_other_variants(qwen: Subject) -> None:
    bare = replace(qwen, offers=tuple(replace(each, shape=None) for each in qwen.offers))
    shape = qwen.offers[0].shape
    assert isinstance(shape, ModelShape)
    known = with_header(bare, 0, shape)
    assert [offer.is_estimate for offer in known.offers] == [False] + [True] * 6
    for guess, real in zip(known.offers, qwen.offers, strict=True):
        assert guess.shape is not None
        assert real.shape is not None
        assert guess.shape.weights_bytes == pytest.approx(real.shape.weights_bytes, rel=0.02)
    exact = with_header(known, 3, qwen.offers[3].shape or shape)
    assert [offer.is_estimate for offer in exact.offers].count(True) == 5


def test_what_is_here_is_known_by_hash_or_by_name_and_size(qwen: Subject) -> None:
    last = qwen.offers[-1]
    first = replace(qwen.offers[0], files=(replace(qwen.offers[0].files[0], sha256="ab" * 32),))
    qwen = replace(qwen, offers=(first, *qwen.offers[1:]))
    by_name = _installed(last.files[0].path, last.size_bytes)
    other_size = _installed(first.files[0].path, first.size_bytes * 9 // 10)
    marked = with_installed(qwen, (by_name, other_size))
    assert marked.offers[-1].installed is by_name
    assert marked.offers[0].installed is None
    by_hash = _installed("sha256-blob", first.size_bytes, first.files[0].sha256)
    assert with_installed(qwen, (by_hash,)).offers[0].installed is by_hash


def test_the_variants_of_one_model_stand_together() -> None:
    small, large = _installed("a.gguf", 10), _installed("b.gguf", 20, variant="Q8_0")
    other = replace(_installed("c.gguf", 5), name="Another")
    one, two = of_installed((small, large, other))
    assert [offer.installed for offer in one.offers] == [large, small]
    assert (one.origin, two.name) == (Origin.HERE, "Another")


@pytest.mark.parametrize(
    ("repo_id", "name"),
    [("a/Qwen3-8B-GGUF", "Qwen3-8B"), ("a/b", "b"), ("b", "b"), ("a/-GGUF", "-GGUF"), ("", "")],
)
def test_a_repository_has_a_name_for_people(repo_id: str, name: str) -> None:
    assert name_of_repo(repo_id) == name


def test_quantizing_here_may_be_less_to_download() -> None:
    file = RemoteFile("a/b", "c", "x.gguf", 10)
    offers = (Offer("Q8_0", 10, files=(file,)), Offer("Q4_K_M", 6, files=(file,)))
    subject = Subject("k", Origin.HUB, "b", offers, n_params=5)
    assert download_saved(subject) == 16 - 10
    assert download_saved(subject, original_bytes=20) == 0
    assert download_saved(replace(subject, n_params=0)) == 0
    assert download_saved(replace(subject, offers=offers[:1])) == 0


def test_the_header_of_a_file_in_one_piece_is_read_first() -> None:
    def variant(name: str, n_parts: int, size_bytes: int) -> RemoteVariant:
        files = [RemoteFile("a/b", "c", f"{name}-{n}.gguf", size_bytes) for n in range(n_parts)]
        return RemoteVariant(name, tuple(files))

    split, usual = variant("Q4_K_M", 2, 1), variant("Q8_0", 1, 9)
    small = variant("IQ2_M", 1, 2)
    assert cheapest((split, small, usual)) == 2
    assert cheapest((split, small)) == 1
