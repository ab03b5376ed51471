"""What a plan says before any work, and what it finds in the way."""

from __future__ import annotations

import shutil
import threading
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest

from quantize import onepass, pipeline, plan
from quantize.control import Control
from quantize.errors import Cancelled, QuantizeError
from quantize.imatrix import Imatrix, write_imatrix
from quantize.job import Event, Finished, Job, Plan, Recipe
from tests.helpers.tiny_gguf import N_EMBD, quantize_by_llama, write_tiny

Usage = namedtuple("Usage", "total used free")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write_tiny(tmp_path / "tiny.gguf")


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


def _run(job: Job) -> list[Event]:
    events: list[Event] = []
    pipeline.run(job, events.append, Control())
    return events


def _plan(source: Path, out: Path, *types: str, imatrix: str = "none") -> Plan:
    planned, last = _run(Job(str(source), types, str(out), imatrix=imatrix, dry_run=True))
    assert isinstance(planned, Plan)
    assert isinstance(last, Finished)
    assert not out.exists()
    return planned


def _refused(job: Job) -> QuantizeError:
    with pytest.raises(QuantizeError) as caught:
        _run(job)
    return caught.value


def test_a_plan_tells_what_each_tensor_gets_and_why(source: Path, out: Path) -> None:
    (file,) = _plan(source, out, "q4_k_m").files
    by_name = {tensor.name: tensor for tensor in file.tensors}
    down = by_name["blk.1.ffn_down.weight"]
    assert (down.wanted, down.type, down.source_type) == ("Q4_K", "Q5_0", "F32")
    assert str(down.reason) == "Its rows of 320 numbers do not fill blocks of 256, as Q4_K needs."
    assert down.size_bytes == 256 * 320 // 32 * 22
    assert by_name["blk.1.attn_q.weight"].wanted == ""
    assert file.n_fallback == 3
    n_bytes = sum(tensor.size_bytes for tensor in file.tensors)
    n_params = sum(int(np.prod(tensor.shape)) for tensor in file.tensors)
    assert file.bpw == pytest.approx(n_bytes * 8 / n_params)


def test_the_same_type_twice_is_one_file(source: Path, out: Path) -> None:
    assert [f.type for f in _plan(source, out, "Q8_0", "q8_0", "MOSTLY_Q8_0").files] == ["Q8_0"]


def test_one_call_for_all_is_predicted_to_take_less_than_all_calls(source: Path, out: Path) -> None:
    planned = _plan(source, out, "Q4_K_M", "Q5_K_M", "Q6_K")
    assert 0 < planned.seconds < sum(file.seconds for file in planned.files)


def test_the_matrix_counts_in_disk_and_time(source: Path, out: Path) -> None:
    without = _plan(source, out, "Q4_K_M")
    planned = _plan(source, out, "Q4_K_M", imatrix="auto")
    assert planned.imatrix_seconds > 0
    assert planned.seconds > planned.imatrix_seconds
    copy = _plan(source, out, "Q8_0").files[0].size_bytes
    assert without.peak_disk_bytes < copy
    assert planned.peak_disk_bytes == copy
    both = _plan(source, out, "Q4_K_M", "Q8_0", imatrix="auto")
    assert both.peak_disk_bytes == sum(file.size_bytes for file in both.files)


def test_a_full_disk_is_foreseen_with_what_would_fit(
    source: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = _plan(source, out, "Q4_K_M").files[0].size_bytes + 1000
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**9, 0, free))
    error = _refused(Job(str(source), ("Q8_0", "Q4_K_M"), str(out)))
    assert "Q4_K_M alone" in str(error)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**9, 0, 1000))
    error = _refused(Job(str(source), ("Q8_0", "Q4_K_M"), str(out)))
    assert "even Q4_K_M alone takes" in str(error)
    assert not out.exists()


def test_a_file_is_never_its_own_source(tmp_path: Path, source: Path) -> None:
    itself = tmp_path / "m-Q8_0.gguf"
    quantize_by_llama(source, itself, 7)
    before = itself.read_bytes()
    error = _refused(Job(str(itself), ("Q8_0",), str(tmp_path)))
    assert str(error) == "m-Q8_0.gguf is the source itself."
    assert itself.read_bytes() == before


def test_a_dangling_link_in_the_way_is_not_followed(source: Path, out: Path) -> None:
    out.mkdir()
    (out / "tiny-Q8_0.gguf").symlink_to(out / "nowhere")
    assert "is there already" in str(_refused(Job(str(source), ("Q8_0",), str(out))))


def test_a_type_that_needs_a_matrix_says_so(source: Path, out: Path) -> None:
    planned = _plan(source, out, "IQ2_XS")
    assert planned.files[0].needs_imatrix
    error = _refused(Job(str(source), ("IQ2_XS",), str(out)))
    assert str(error) == "IQ2_XS needs an importance matrix."
    assert "--imatrix auto" in str(error.hint)


def test_an_embedding_no_matrix_knows_is_refused_where_ggml_would_abort(
    source: Path, out: Path, tmp_path: Path
) -> None:
    matrix = tmp_path / "m.imatrix"
    name = "blk.0.attn_q.weight"
    sums = {name: np.ones((1, N_EMBD), np.float32)}
    write_imatrix(Imatrix(matrix, sums, {name: np.ones(1, np.float32)}, ("x",), 1, 512))
    recipe = Recipe(token_embedding_type="IQ2_XS")
    job = Job(str(source), ("Q4_K_M",), str(out), imatrix=str(matrix), recipe=recipe)
    assert str(_refused(job)) == (
        "IQ2_XS needs an importance matrix, and there is none for token_embd.weight."
    )
    assert not list(out.iterdir())


def test_another_models_matrix_is_refused(source: Path, out: Path, tmp_path: Path) -> None:
    for name, n_cols, said in (
        ("blk.0.attn_q.weight", 64, "64 values for blk.0.attn_q.weight, which needs 256"),
        ("blk.9.attn_q.weight", 256, "other.imatrix was measured on another model."),
    ):
        path = tmp_path / "other.imatrix"
        path.unlink(missing_ok=True)
        sums = {name: np.ones((1, n_cols), np.float32)}
        write_imatrix(Imatrix(path, sums, {name: np.ones(1, np.float32)}, ("x",), 1, 512))
        error = _refused(Job(str(source), ("IQ2_XS",), str(out), imatrix=str(path)))
        assert said in str(error)
        assert not out.exists()


def test_a_matrix_that_is_not_there_or_none_at_all(source: Path, out: Path) -> None:
    missing = _refused(Job(str(source), ("Q8_0",), str(out), imatrix="/nowhere/m.imatrix"))
    assert str(missing) == "m.imatrix is not there."
    other = _refused(Job(str(source), ("Q8_0",), str(out), imatrix=str(source)))
    assert str(other) == "tiny.gguf is not an importance matrix."


def test_a_type_nobody_knows_names_those_spelled_alike(source: Path, out: Path) -> None:
    error = _refused(Job(str(source), ("Q4_KM",), str(out)))
    assert str(error) == "There is no variant called “Q4_KM”."
    assert "Q4_K_M" in str(error.hint)


@pytest.mark.parametrize("name", ["", "nowhere", "nowhere.gguf", "nowhere.safetensors"])
def test_a_source_that_is_not_there(tmp_path: Path, out: Path, name: str) -> None:
    folder = tmp_path / "empty"
    folder.mkdir()
    assert str(_refused(Job(str(folder / name), ("Q8_0",), str(out))))
    assert not out.exists()


def test_threads_leave_a_core_free_from_four_up(monkeypatch: pytest.MonkeyPatch) -> None:
    for n_cores, n_threads in ((1, 1), (2, 2), (3, 3), (4, 3), (16, 15), (None, 1)):
        monkeypatch.setattr(plan.psutil, "cpu_count", lambda logical, n=n_cores: n)
        monkeypatch.setattr(plan.os, "cpu_count", lambda: 1)
        assert plan.default_threads() == n_threads


def test_cancel_does_not_wait_for_tables_that_ggml_builds(
    source: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """13 s for IQ1_S; here as long as the test lets them take."""
    control, building, finish = Control(), threading.Event(), threading.Event()

    def build(_: object) -> None:
        building.set()
        finish.wait(20)

    def cancel() -> None:
        building.wait(20)
        control.cancel()

    def on_event(event: Event) -> None:
        if isinstance(event, Plan):
            monkeypatch.setattr(onepass.native, "quantize_init", build)

    canceller = threading.Thread(target=cancel)
    canceller.start()
    try:
        with pytest.raises(Cancelled):
            pipeline.run(Job(str(source), ("Q4_K_M",), str(out)), on_event, control)
        assert not finish.is_set()
        assert not list(out.iterdir())
    finally:
        finish.set()
        canceller.join()
