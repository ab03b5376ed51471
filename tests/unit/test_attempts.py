"""How a load steps down when memory is short: on simulated computers, no llama.cpp."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.attempts import LEAST_CONTEXT, attempts
from app.core.catalog import find_model
from app.core.fit import ModelShape, Use, plan
from app.core.hardware import simulated
from app.core.hardware.types import Hardware
from app.core.recommend import candidates_of

GB = 1_000_000_000


def _shape(name: str = "qwen3-8b", variant: str = "Q4_K_M") -> ModelShape:
    model = find_model(name)
    assert model is not None
    return next(each.shape for each in candidates_of(model) if each.variant == variant)


def test_where_all_fits_all_layers_go_first_and_nothing_is_given_up() -> None:
    tried = attempts(_shape(), Use(8192), simulated(32 * GB, [24 * GB], "cuda"))
    assert tried.ways[0].n_gpu_layers == tried.n_layers
    assert tried.given_up(tried.ways[0]) is None


def test_a_small_card_gets_what_it_holds() -> None:
    hardware = simulated(32 * GB, [4 * GB], "cuda")
    first = attempts(_shape(), Use(4096), hardware).ways[0]
    assert 0 < first.n_gpu_layers < 37
    card = plan(_shape(), first, hardware).devices[0]
    assert card.total_bytes <= card.free_bytes - card.reserve_bytes


def test_each_way_is_smaller_than_the_one_before() -> None:
    tried = attempts(_shape(), Use(16384), simulated(64 * GB, [24 * GB], "cuda"))
    sizes = [(way.n_gpu_layers, way.n_ctx) for way in tried.ways]
    assert sizes == sorted(sizes, reverse=True)
    assert len(set(sizes)) == len(sizes)
    assert sizes[-1] == (0, LEAST_CONTEXT)


def test_what_was_given_up_is_said_in_one_sentence() -> None:
    tried = attempts(_shape(), Use(16384), simulated(64 * GB, [24 * GB], "cuda"))
    said = [str(tried.given_up(way)) for way in tried.ways]
    assert said[0] == "None"
    assert "27 of 37 layers" in said[1]
    assert "runs on the processor" in said[4]
    assert "16,384 tokens, so it is 8,192" in said[5]


def test_a_number_of_layers_that_was_asked_for_stays() -> None:
    tried = attempts(_shape(), Use(4096, n_gpu_layers=7), simulated(32 * GB, [24 * GB], "cuda"))
    assert {way.n_gpu_layers for way in tried.ways} == {7}


def test_a_context_that_memory_cannot_hold_is_not_even_tried() -> None:
    tried = attempts(_shape(), Use(32768), simulated(4 * GB))
    assert tried.wanted.n_ctx == 32768
    assert LEAST_CONTEXT <= tried.ways[0].n_ctx < 32768


def test_the_ladder_does_not_split_a_context_the_model_was_not_trained_for() -> None:
    tried = attempts(_shape(), Use(10**9), simulated(64 * GB))
    assert tried.wanted.n_ctx == _shape().n_ctx_train


@given(
    ram=st.integers(1, 256),
    cards=st.lists(st.integers(1, 80), max_size=3),
    backend=st.sampled_from(["cuda", "vulkan", "metal", "cpu"]),
    n_ctx=st.integers(1, 300_000),
)
def test_the_ways_never_grow(ram: int, cards: list[int], backend: str, n_ctx: int) -> None:
    hardware: Hardware = simulated(ram * GB, [n * GB for n in cards], backend)
    tried = attempts(_shape(), Use(n_ctx), hardware)
    sizes = [(way.n_gpu_layers, way.n_ctx) for way in tried.ways]
    assert sizes == sorted(sizes, reverse=True)
    for way in tried.ways:
        processor = plan(_shape(), way, hardware).devices[-1]
        held = processor.kv_bytes + processor.compute_bytes + processor.host_bytes
        assert held <= hardware.ram_available_bytes


@pytest.mark.parametrize("backend", ["cuda", "metal"])
def test_several_cards_share_the_layers(backend: str) -> None:
    hardware = simulated(64 * GB, [8 * GB, 8 * GB], backend)
    first = attempts(_shape(variant="Q8_0"), Use(8192), hardware).ways[0]
    planned = plan(_shape(variant="Q8_0"), first, hardware)
    assert all(device.weights_bytes > 0 for device in planned.devices[:2])
