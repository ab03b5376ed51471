"""What is recommended, why, and what is refused."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.catalog import CatalogFile, CatalogModel, FileKind, find_model, load_catalog
from app.core.choosing import choose
from app.core.fit import plan
from app.core.hardware import Cpu, Gpu, GpuState, Hardware, simulated
from app.core.policy import (
    COMFORTABLE_TPS,
    GRADES,
    LAST_RESORTS,
    LEAST_BPW,
    LEAST_CONTEXT,
    POLICY,
    Grade,
    grade_of,
    order_of,
)
from app.core.reasons import reasons_against, reasons_for
from app.core.recommend import (
    Candidate,
    Recommendation,
    candidates_of,
    recommend,
    recommend_model,
)
from quantize.variants import BY_TYPE
from tests.helpers.fuzz import fuzz
from tests.helpers.machines import MACHINES

GB, GIB = 10**9, 2**30
FAST_CPU = Cpu("A processor", 16, 0, 32, ("avx2",))


def candidates(id_: str, *variants: str) -> tuple[Candidate, ...]:
    model = find_model(id_)
    assert model is not None
    return tuple(c for c in candidates_of(model) if not variants or c.variant in variants)


def ask(
    id_: str, hardware: Hardware, n_ctx: int = 8192, kv_type: str | None = None
) -> Recommendation:
    return recommend(candidates(id_), hardware, n_ctx, kv_type)


def variant_of(found: Recommendation) -> str | None:
    return found.pick.candidate.variant if found.pick else None


def sentences(found: Recommendation) -> list[str]:
    return [str(reason) for reason in found.reasons]


# --- what the issue asks for ----------------------------------------------------------------------


def test_llama_70b_on_a_64_gib_mac_is_q4_k_m() -> None:
    found = ask("llama-3.3-70b-instruct", simulated(64 * GIB, backend="metal"))
    assert found.pick is not None
    assert found.pick.candidate.variant == "Q4_K_M"
    assert found.pick.candidate.size_bytes == 42_520_398_816
    assert found.pick.plan.n_gpu_layers == 81
    assert found.pick.use.n_ctx == 8192


@pytest.mark.parametrize("backend", ["metal", "cpu"])
def test_llama_70b_on_16_gib_is_refused_with_what_would_fit(backend: str) -> None:
    found = ask("llama-3.3-70b-instruct", simulated(16 * GIB, backend=backend))
    assert found.pick is None
    refusal, instead = sentences(found)
    assert refusal.startswith("Does not fit: even Q2_K needs ")
    assert "GB more than" in refusal
    assert "fits instead: Q" in instead


def test_q8_0_where_it_is_fast_q4_k_m_where_it_is_not() -> None:
    fast = simulated(64 * GIB, (24 * GIB,), "cuda")
    assert variant_of(ask("qwen3-8b", fast)) == "Q8_0"
    slow = replace(simulated(32 * GIB, cpu=FAST_CPU), ram_bandwidth=50 * GB)
    assert variant_of(ask("qwen3-8b", slow)) == "Q4_K_M"


def test_steps_between_where_they_serve_better() -> None:
    found = {
        size: variant_of(ask("qwen3-8b", simulated(32 * GIB, (size * GIB,), "cuda")))
        for size in (24, 10, 8)
    }
    assert found == {24: "Q8_0", 10: "Q6_K", 8: "Q5_K_M"}


def test_a_qat_build_is_taken_where_there_is_one() -> None:
    found = ask("gemma-3-12b-it", simulated(64 * GIB, (24 * GIB,), "cuda"))
    assert found.pick is not None
    assert found.pick.candidate.kind is FileKind.QAT
    assert "Was trained for 4 bits: it loses next to nothing." in sentences(found)
    small = ask("gemma-3-270m-it", simulated(64 * GIB, (24 * GIB,), "cuda"))
    assert variant_of(small) == "Q8_0"  # a few megabytes are no reason for 4 bits


def test_an_mxfp4_original_is_taken_as_it_is() -> None:
    found = ask("gpt-oss-20b", simulated(64 * GIB, (24 * GIB,), "cuda"))
    assert variant_of(found) == "MXFP4"
    assert "Was published at 4 bits: there is nothing better to take." in sentences(found)


def test_few_bits_are_for_large_models() -> None:
    """Where only 3 bits fit, a 70B is still worth having and a 4B is not."""
    tight = simulated(48 * GIB, (34 * GIB,), "cuda")
    assert variant_of(recommend(candidates("llama-3.3-70b-instruct", "Q3_K_M", "Q2_K"), tight)) in (
        "Q3_K_M",
        "Q2_K",
    )
    small = replace(simulated(8 * GIB), ram_available_bytes=round(2.4 * GB))
    found = recommend(candidates("qwen3-4b", "Q3_K_M", "Q2_K"), small, 2048)
    assert found.pick is None
    assert sentences(found)[0].startswith("Only Q2_K would fit")


def test_context_shrinks_before_the_variant_falls_below_the_floor() -> None:
    shapes = candidates("qwen3-8b", "Q4_K_M", "IQ4_XS", "Q3_K_M")
    contexts = set()
    for free in range(5_000, 9_000, 100):
        hardware = replace(simulated(16 * GIB, cpu=FAST_CPU), ram_available_bytes=free * 10**6)
        found = recommend(shapes, hardware)
        if found.pick is not None and found.pick.candidate.variant != "Q3_K_M":
            contexts.add((found.pick.use.n_ctx, found.pick.use.kv_type))
            assert found.pick.use.n_ctx >= LEAST_CONTEXT
    assert {(8192, "f16"), (8192, "q8_0"), (4096, "q8_0")} <= contexts


def test_less_context_is_said() -> None:
    hardware = replace(simulated(16 * GIB, cpu=FAST_CPU), ram_available_bytes=round(6.0 * GB))
    found = recommend(candidates("qwen3-8b", "Q4_K_M"), hardware, 32768)
    assert found.pick is not None
    assert found.pick.use.n_ctx < 32768
    assert any("for 32768 there is not enough memory" in reason for reason in sentences(found))


def test_a_kv_type_that_was_asked_for_stays() -> None:
    hardware = simulated(64 * GIB, (24 * GIB,), "cuda")
    for kv_type in ("f16", "q8_0", "q4_0"):
        found = ask("qwen3-8b", hardware, kv_type=kv_type)
        assert found.pick is not None
        assert found.pick.use.kv_type == kv_type


def test_context_is_never_longer_than_the_model_knows() -> None:
    found = ask("phi-4", simulated(128 * GIB, (80 * GIB,), "cuda"), n_ctx=100_000)
    assert found.pick is not None
    assert found.pick.use.n_ctx == 16384
    assert not any("not enough memory" in reason for reason in sentences(found))


def test_a_single_variant_is_not_judged_only_fitted() -> None:
    """What is installed already is to be run as well as it can be."""
    small = replace(simulated(8 * GIB), ram_available_bytes=round(2.9 * GB))
    found = recommend(candidates("qwen3-4b", "Q2_K"), small)
    assert variant_of(found) == "Q2_K"


def test_nothing_to_choose_from() -> None:
    found = recommend((), simulated(16 * GIB))
    assert found.pick is None
    assert found.others == ()
    assert sentences(found)[0] == "There is no variant to choose from."


def test_others_are_in_the_order_given() -> None:
    given_ = candidates("qwen3-8b")
    for hardware in (simulated(64 * GIB), simulated(4 * GIB)):
        found = recommend(given_, hardware)
        assert [each.candidate for each in found.others] == list(given_)


# --- why ------------------------------------------------------------------------------------------


def test_reasons_read_as_in_the_pictures() -> None:
    laptop = replace(
        simulated(16 * GIB, cpu=FAST_CPU),
        ram_available_bytes=round(9.4 * GB),
        ram_bandwidth=62 * GB,
    )
    found = recommend(candidates("qwen3-4b", "Q8_0", "Q4_K_M"), laptop)
    room, speed, better = sentences(found)
    assert room.startswith("Leaves 5.")
    assert room.endswith("GB for your other programs.")
    assert re.fullmatch(
        r"About (18|19|20) tokens per second, faster than you read \(predicted\)\.", speed
    )
    assert re.fullmatch(
        r"Q8_0 loses a little less, but would write at (11|12) tokens per second\.", better
    )


def test_why_not_the_better_variant() -> None:
    laptop = replace(simulated(16 * GIB, cpu=FAST_CPU), ram_available_bytes=round(9.4 * GB))
    found = recommend(candidates("qwen3-8b", "Q8_0", "Q4_K_M"), laptop)
    assert "Q8_0 loses a little less, but needs " in sentences(found)[-1]
    found = recommend(candidates("qwen3-8b", "Q6_K", "Q4_K_M"), laptop)
    assert sentences(found)[-1].startswith("Q6_K would leave only ")


def test_a_split_model_is_said_to_be_split() -> None:
    found = ask("qwen3-14b", simulated(32 * GIB, (8 * GIB,), "cuda"))
    assert found.pick is not None
    assert 0 < found.pick.plan.n_gpu_layers < 41
    assert " of its 41 layers fit on NVIDIA 8 GiB;" in sentences(found)[0]


def test_a_model_too_slow_to_wait_for_is_refused() -> None:
    slow = replace(simulated(64 * GIB), ram_bandwidth=20 * GB)
    found = ask("llama-3.3-70b-instruct", slow)
    assert found.pick is None
    assert "would write only 0." in sentences(found)[0]


@pytest.mark.parametrize("name", MACHINES)
def test_there_are_two_to_five_sentences(name: str) -> None:
    for model in load_catalog()[::8]:
        found = recommend(candidates_of(model), MACHINES[name])
        assert 2 <= len(found.reasons) <= 5
        for sentence in sentences(found):
            assert sentence.endswith(".")
            assert "{" not in sentence


# --- the first model ------------------------------------------------------------------------------


def test_better_computers_begin_with_better_models() -> None:
    sizes = (2, 8, 16, 64, 128)
    ranks = []
    for size in sizes:
        found = recommend_model(load_catalog(), simulated(size * GIB, backend="metal"))
        ranks.append(found[0].rank if found else 0)
    assert ranks == sorted(ranks)
    assert len(set(ranks)) >= 4


def test_the_first_model_is_comfortable() -> None:
    for name, hardware in MACHINES.items():
        found = recommend_model(load_catalog(), hardware)
        assert found is not None, name
        assert found[1].pick is not None, name
        if name != "old-4gb-no-avx2":
            assert found[1].pick.predicted_tps >= COMFORTABLE_TPS, name
        assert isinstance(found[1].pick.candidate.key, CatalogFile)


def test_nothing_to_begin_with_where_nothing_fits() -> None:
    assert recommend_model(load_catalog(), replace(simulated(GIB), ram_available_bytes=0)) is None
    assert recommend_model((), simulated(64 * GIB)) is None


# --- the tables -----------------------------------------------------------------------------------


def test_every_variant_that_can_be_made_has_a_grade() -> None:
    named = {name for names in GRADES.values() for name in names}
    assert {file_type.name.upper() for file_type in BY_TYPE} <= named
    assert sum(map(len, GRADES.values())) == len(named)


def test_variants_of_other_names_are_graded_by_their_bits() -> None:
    assert grade_of("UD-Q4_K_XL") is Grade.SMALL
    assert grade_of("something", 4.9) is Grade.SMALL
    assert grade_of("something", 2.0) is Grade.BROKEN
    assert grade_of("something") is Grade.BROKEN
    assert order_of("Q4_K_M") < order_of("Q4_K_XL") < order_of("something")
    assert list(LEAST_BPW) == list(GRADES) == list(Grade)


def test_no_rule_is_shadowed_by_an_earlier_one() -> None:
    rules = (*POLICY, *LAST_RESORTS)
    for i, later in enumerate(rules):
        for earlier in rules[:i]:
            covers = (
                (earlier.kind, earlier.grade) == (later.kind, later.grade)
                and earlier.place in ("any", later.place)
                and earlier.least_tps <= later.least_tps
                and earlier.from_params <= later.from_params
            )
            assert not covers, (earlier, later)


# --- no pick that would not fit -------------------------------------------------------------------


@st.composite
def machines(draw: st.DrawFn) -> Hardware:
    """Any computer: little memory, much, most of it in use, GPUs of every kind, or lying ones."""
    ram = draw(st.integers(0, 600 * GB))
    free = draw(st.integers(0, ram))
    n_cores = draw(st.integers(1, 64))
    features = draw(st.sampled_from([(), ("avx2",), ("sse3",), ("dotprod",)]))
    gpus = tuple(
        Gpu(
            name=f"GPU {i}",
            vendor=draw(st.sampled_from(["", "nvidia", "amd", "intel", "apple"])),
            total_bytes=100 * GB,
            free_bytes=draw(st.integers(0, 100 * GB)),
            state=draw(st.sampled_from(GpuState)),
            backend=draw(st.sampled_from(["cuda", "metal", "vulkan", "rocm", "sycl", "?"])),
            is_integrated=draw(st.booleans()),
            bandwidth=draw(st.sampled_from([0, 50 * GB, 1000 * GB])),
        )
        for i in range(draw(st.integers(0, 3)))
    )
    cpu = Cpu("", n_cores, draw(st.integers(0, n_cores)), 2 * n_cores, features)
    return Hardware(cpu, ram, free, 0, gpus=gpus, ram_bandwidth=draw(st.sampled_from([0, 50 * GB])))


@fuzz
@given(
    machines(),
    st.sampled_from(load_catalog()),
    st.sampled_from([1, 512, 4096, 8192, 131_072]),
    st.sampled_from([None, "f16", "q8_0", "q4_0"]),
)
def test_no_pick_that_would_not_fit(
    hardware: Hardware, model: CatalogModel, n_ctx: int, kv_type: str | None
) -> None:
    found = choose(candidates_of(model), hardware, n_ctx, kv_type)
    if found.pick is not None:
        pick = found.pick
        again = plan(pick.candidate.shape, pick.use, hardware)
        assert again == pick.plan
        assert again.fits
        assert pick.predicted_tps > 0
        for device in again.devices[:-1]:
            assert device.total_bytes <= device.free_bytes or device.total_bytes == 0
        assert reasons_for(found)
    else:
        assert reasons_against(found)
