"""Importance matrices measured by llama.cpp, against sums made independently in float64.

On a tiny model a whole forward pass is computed a second time; on the starter, whose weights are
quantized, llama.cpp's own activations are summed a second time. Then the ways a user comes in.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import resources
from quantize import imatrix_collect, pipeline
from quantize.control import Control
from quantize.errors import Cancelled, OutputError
from quantize.gguf_header import read_header
from quantize.imatrix import Imatrix, read_imatrix
from quantize.job import FileDone, Finished, Job, MatrixDone, MatrixJob, MatrixProgress
from quantize.libllama import lib
from quantize.types import GgmlType
from tests.helpers.gguf_files import valid_model
from tests.helpers.llama_float64 import BOS, Reference, Shape, Tiny, tokens_of, write_tiny_llama

N_THREADS = 1  # llama.cpp's threads spin: two are slow where others work
TEXT = "The quick brown fox jumps over the lazy dog; Zwölf Boxkämpfer jagen Viktor. 1 + 1 = 2\n"
LARGER = Shape(n_embd=256, n_ff=512, n_head=8, n_head_kv=2)  # rows of whole blocks of 256


def collected(model: Path, text: str, n_ctx: int, control: Control | None = None) -> Imatrix:
    return imatrix_collect.collect(
        model,
        text,
        "text.txt",
        model.with_suffix(".imatrix"),
        n_threads=N_THREADS,
        control=control or Control(),
        on_progress=lambda *_: None,
        n_ctx=n_ctx,
    )


def difference(found: np.ndarray, wanted: np.ndarray) -> float:
    """The largest relative one; where nothing is wanted, nothing may be found."""
    assert found.shape == wanted.shape
    assert not found[wanted == 0].any()
    seen = wanted > 0
    return float((np.abs(found[seen] - wanted[seen]) / wanted[seen]).max())


def compare(
    found: Imatrix, sums: dict[str, Any], counts: dict[str, Any], tolerance: float = 1e-5
) -> None:
    assert set(found.sums) == set(sums)
    for name, wanted in sums.items():
        np.testing.assert_array_equal(found.counts[name], counts[name], name)
        assert difference(found.sums[name], wanted) < tolerance, name


@pytest.fixture
def exact_attention(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys and values in float32: llama.cpp's default rounds them to 16 bits."""
    params = imatrix_collect._Reader._params

    def exact_params(reader: Any) -> Any:
        found = params(reader)
        found.type_k = found.type_v = int(GgmlType.F32)
        found.flash_attn_type = lib.LLAMA_FLASH_ATTN_TYPE_DISABLED
        return found

    monkeypatch.setattr(imatrix_collect._Reader, "_params", exact_params)


# Against a forward pass in float64


def reference(tiny: Tiny, text: str, n_ctx: int) -> Reference:
    """Whole chunks only, each begun anew."""
    tokens = tokens_of(text)
    made = Reference(tiny)
    for start in range(0, len(tokens) - n_ctx + 1, n_ctx):
        made.read([BOS, *tokens[start + 1 : start + n_ctx]])
    return made


@pytest.mark.parametrize("n_ctx", [32, 64, 128])
def test_a_llama_has_the_sums_of_its_formulas(
    tmp_path: Path, exact_attention: None, n_ctx: int
) -> None:
    tiny = write_tiny_llama(tmp_path / "tiny.gguf", Shape())
    found = collected(tiny.path, TEXT * 4, n_ctx)
    wanted = reference(tiny, TEXT * 4, n_ctx)
    compare(found, wanted.sums, wanted.counts)
    assert found.n_chunks == len(tokens_of(TEXT * 4)) // n_ctx
    assert found.chunk_size == n_ctx
    assert found.datasets == ("text.txt",)


def test_default_attention_stays_near_the_formulas(tmp_path: Path) -> None:
    tiny = write_tiny_llama(tmp_path / "tiny.gguf", Shape())
    wanted = reference(tiny, TEXT * 4, 64)
    compare(collected(tiny.path, TEXT * 4, 64), wanted.sums, wanted.counts, tolerance=5e-3)


def test_every_weight_of_the_last_block_sees_all_tokens(tmp_path: Path) -> None:
    tiny = write_tiny_llama(tmp_path / "tiny.gguf", Shape())
    found = collected(tiny.path, TEXT * 2, 64)
    matrices = [n for n, w in tiny.weights.items() if n.startswith("blk.") and w.ndim == 2]
    assert len(matrices) == 14
    for name in matrices:
        assert found.counts[name].tolist() == [64.0 * found.n_chunks], name


def test_a_chunk_may_be_read_in_several_batches(
    tmp_path: Path, exact_attention: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As those of a large vocabulary are: later batches attend to earlier ones."""
    tiny = write_tiny_llama(tmp_path / "tiny.gguf", Shape())
    monkeypatch.setattr(imatrix_collect, "_MAX_LOGITS", 32 * 259)
    wanted = reference(tiny, TEXT * 4, 128)
    compare(collected(tiny.path, TEXT * 4, 128), wanted.sums, wanted.counts)


@pytest.mark.parametrize("n_used", [1, 2])
def test_experts_have_the_sums_of_the_tokens_sent_to_them(
    tmp_path: Path, exact_attention: None, n_used: int
) -> None:
    tiny = write_tiny_llama(tmp_path / "tiny.gguf", Shape(n_expert=4, n_used=n_used))
    found = collected(tiny.path, TEXT * 4, 64)
    wanted = reference(tiny, TEXT * 4, 64)
    compare(found, wanted.sums, wanted.counts)
    for name in ("gate", "up", "down"):
        counts = found.counts[f"blk.1.ffn_{name}_exps.weight"]
        assert counts.shape == (4,)
        assert counts.sum() == found.n_chunks * 64 * n_used


def test_an_expert_that_no_token_was_sent_to_weighs_all_alike(tmp_path: Path) -> None:
    tiny = write_tiny_llama(tmp_path / "tiny.gguf", Shape(n_expert=32, n_used=1))
    found = collected(tiny.path, TEXT, 32)
    name = "blk.0.ffn_up_exps.weight"
    idle = found.counts[name] == 0
    assert idle.any()
    importance = found.importance(name)
    assert importance is not None
    assert (importance.reshape(32, -1)[idle] == 1).all()


# Against llama.cpp's own activations


class Activations:
    """Sums of squares in float64 of what is multiplied with each weight, read without `quantize`.

    The struct is ggml_tensor of ggml.h: type at byte 0, ne at 16, nb at 48, op at 80, src at 152,
    data at 248, name at 256.
    """

    def __init__(self) -> None:
        self.sums: dict[str, np.ndarray] = {}
        self.counts: dict[str, int] = {}
        self.callback = lib.ggml_backend_sched_eval_callback(self._seen)

    def _seen(self, address: int, ask: bool, _: Any) -> bool:
        head = ctypes.string_at(address, 320)
        weight, inputs = struct.unpack_from("<2Q", head, 152)
        if not weight or not inputs:
            return False
        name = ctypes.string_at(weight + 256, 64).split(b"\0")[0].decode("utf-8", "replace")
        is_product = name.startswith("blk.") and "norm" not in name and name.endswith(".weight")
        if is_product and not ask:
            self._add(name, ctypes.string_at(inputs, 320))
        return is_product or not ask

    def _add(self, name: str, inputs: bytes) -> None:
        n_cols, n_rows, *others = struct.unpack_from("<4q", inputs, 16)
        strides = struct.unpack_from("<4Q", inputs, 48)
        assert (others, strides[:2]) == ([1, 1], (4, 4 * n_cols))
        (data,) = struct.unpack_from("<Q", inputs, 248)
        raw = ctypes.string_at(data, 4 * n_cols * n_rows)
        values = np.frombuffer(raw, np.float32).astype(np.float64).reshape(n_rows, n_cols)
        self.sums[name] = self.sums.get(name, 0) + np.square(values).sum(axis=0)
        self.counts[name] = self.counts.get(name, 0) + n_rows


def activations(model_path: Path, chunks: list[list[int]], like: Any) -> Activations:
    """Reads the chunks to their ends, in a context as the collector's (`like`: its parameters)."""
    seen = Activations()
    model = lib.llama_model_load_from_file(
        str(model_path).encode(), lib.llama_model_default_params()
    )
    like.cb_eval = seen.callback
    context = lib.llama_init_from_model(model, like)
    for chunk in chunks:
        batch = lib.llama_batch_init(len(chunk), 0, 1)
        batch.n_tokens = len(chunk)
        for i, token in enumerate(chunk):
            batch.token[i], batch.pos[i], batch.logits[i] = token, i, 1
            batch.n_seq_id[i], batch.seq_id[i][0] = 1, 0
        lib.llama_memory_clear(lib.llama_get_memory(context), True)
        assert lib.llama_decode(context, batch) == 0
        lib.llama_batch_free(batch)
    lib.llama_free(context)
    lib.llama_model_free(model)
    return seen


def test_the_starter_has_the_sums_of_its_activations(
    starter_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    used: list[Any] = []
    read: list[list[int]] = []
    params, read_chunk = imatrix_collect._Reader._params, imatrix_collect._Reader.read

    def noted_params(reader: Any) -> Any:
        used.append(params(reader))
        return used[-1]

    def noted_read(reader: Any, chunk: list[int]) -> None:
        read.append(list(chunk))
        read_chunk(reader, chunk)

    monkeypatch.setattr(imatrix_collect._Reader, "_params", noted_params)
    monkeypatch.setattr(imatrix_collect._Reader, "read", noted_read)
    text = resources.path("calibration.txt").read_text("utf-8")[2000:3400]
    found = collected(starter_path, text, 128)
    assert [len(chunk) for chunk in read] == [128, 128]
    seen = activations(starter_path, read, used[0])
    assert set(found.sums) == set(seen.sums)
    assert len(found.sums) == 30 * 7
    for name, sums in seen.sums.items():
        assert found.counts[name].tolist() == [seen.counts[name]] == [256]
        assert difference(found.sums[name], sums[None, :]) < 1e-5, name


# The command


def nibble(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*arguments), capture_output=True, text=True, timeout=120)


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-P", "-m", "app", *arguments]


@pytest.fixture
def text_path(tmp_path: Path) -> Path:
    path = tmp_path / "my text.txt"
    path.write_text(TEXT * 14, "utf-8")
    return path


@pytest.fixture
def tiny(tmp_path: Path) -> Tiny:
    return write_tiny_llama(tmp_path / "tiny.gguf", LARGER)


def test_a_matrix_of_the_users_text(tiny: Tiny, text_path: Path, tmp_path: Path) -> None:
    out = tmp_path / "made" / "tiny.imatrix"
    flags = ("-f", str(text_path), "-o", str(out), "--json")
    result = nibble("imatrix", str(tiny.path), *flags)
    assert result.returncode == 0, result.stderr
    events = [json.loads(line) for line in result.stdout.splitlines()]
    kinds = [event["event"] for event in events]
    assert kinds[-2:] == ["imatrix_done", "finished"]
    assert set(kinds[:-2]) == {"imatrix"}
    n_chunks = len(tokens_of(TEXT * 14)) // 512
    assert (events[0]["step"], events[0]["n_done"], events[0]["n_total"]) == (
        "collect",
        0,
        n_chunks,
    )
    assert events[-3]["n_done"] == events[-3]["n_total"]
    assert events[-2]["path"] == str(out)
    assert events[-2]["n_tokens"] == n_chunks * 512
    assert [path.name for path in out.parent.iterdir()] == ["tiny.imatrix"]
    found = read_imatrix(out)
    assert (found.datasets, found.n_chunks, found.chunk_size) == (("my text.txt",), n_chunks, 512)
    wanted = reference(tiny, TEXT * 14, 512)
    compare(found, wanted.sums, wanted.counts, tolerance=5e-3)


@pytest.mark.skipif(os.name != "posix", reason="sends SIGINT")
def test_ctrl_c_ends_it_within_two_seconds_and_leaves_nothing(
    starter_path: Path, tmp_path: Path
) -> None:
    arguments = ("imatrix", str(starter_path), "-o", str(tmp_path / "m.imatrix"), "--json")
    with subprocess.Popen(command(*arguments), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = (json.loads(line) for line in process.stdout)
        assert next(line for line in lines if line["event"] == "imatrix")["n_done"] == 0
        asked = time.monotonic()
        process.send_signal(signal.SIGINT)
        process.wait(timeout=30)
        assert time.monotonic() - asked < 2.0
    assert process.returncode == 130
    assert not list(tmp_path.iterdir())


def says_one_sentence(result: subprocess.CompletedProcess[str], sentence: str) -> None:
    assert result.returncode == 1
    assert result.stderr.startswith(sentence), result.stderr
    assert "Traceback" not in result.stderr


def test_a_gguf_that_no_engine_can_run(text_path: Path, tmp_path: Path) -> None:
    model = valid_model(tmp_path / "strange.gguf")
    out = tmp_path / "m.imatrix"
    result = nibble("imatrix", str(model), "-f", str(text_path), "-o", str(out))
    says_one_sentence(result, "llama.cpp cannot read a text with strange.gguf.")
    assert not out.exists()


def test_a_matrix_instead_of_a_model(tiny: Tiny, text_path: Path, tmp_path: Path) -> None:
    out = tmp_path / "m.imatrix"
    matrix_job = MatrixJob(str(tiny.path), str(out), str(text_path), N_THREADS)
    pipeline.make_matrix(matrix_job, lambda _: None, Control())
    model = out.rename(tmp_path / "matrix.gguf")
    result = nibble("imatrix", str(model), "-f", str(text_path), "-o", str(out))
    says_one_sentence(result, "llama.cpp cannot read a text with matrix.gguf.")


def test_a_text_that_is_too_short(tiny: Tiny, tmp_path: Path) -> None:
    short = tmp_path / "short.txt"
    short.write_text("Once upon a time.", "utf-8")
    out = tmp_path / "m.imatrix"
    result = nibble("imatrix", str(tiny.path), "-f", str(short), "-o", str(out))
    says_one_sentence(result, "short.txt is too short: 512 tokens are needed.")
    assert not out.exists()


def test_a_text_that_is_not_utf_8(tiny: Tiny, tmp_path: Path) -> None:
    latin = tmp_path / "latin.txt"
    latin.write_bytes("Übergröße ".encode("latin-1") * 100)
    out = tmp_path / "m.imatrix"
    result = nibble("imatrix", str(tiny.path), "-f", str(latin), "-o", str(out))
    says_one_sentence(result, "latin.txt is not a text in UTF-8.")
    assert not out.exists()


@pytest.mark.parametrize("name", ["missing.txt", "."])
def test_a_text_that_is_not_there(tiny: Tiny, tmp_path: Path, name: str) -> None:
    out = tmp_path / "m.imatrix"
    result = nibble("imatrix", str(tiny.path), "-f", str(tmp_path / name), "-o", str(out))
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    assert not out.exists()


def test_an_existing_matrix_is_refused_before_any_work(
    tiny: Tiny, text_path: Path, tmp_path: Path
) -> None:
    out = tmp_path / "m.imatrix"
    out.write_bytes(b"precious")
    events: list[Any] = []
    with pytest.raises(OutputError, match=r"m\.imatrix is there already"):
        pipeline.make_matrix(
            MatrixJob(str(tiny.path), str(out), str(text_path), N_THREADS), events.append, Control()
        )
    assert not events
    assert out.read_bytes() == b"precious"


def test_cancelled_in_the_middle_of_a_chunk(tiny: Tiny, text_path: Path, tmp_path: Path) -> None:
    control = Control()
    events: list[Any] = []

    def emit(event: Any) -> None:
        events.append(event)
        control.cancel()

    out = tmp_path / "m.imatrix"
    with pytest.raises(Cancelled):
        pipeline.make_matrix(
            MatrixJob(str(tiny.path), str(out), str(text_path), N_THREADS), emit, control
        )
    assert len(events) == 1
    assert not out.exists()


# Quantizing with it


@pytest.fixture
def short_calibration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Instead of the text that comes along: two chunks of a tiny model, not 250."""
    path = tmp_path / "resources" / "calibration.txt"
    path.parent.mkdir()
    path.write_text(TEXT * 14, "utf-8")
    monkeypatch.setattr(resources, "path", lambda name: path.with_name(name))
    return path


def test_a_type_that_needs_a_matrix_is_made_with_a_file(
    tiny: Tiny, text_path: Path, tmp_path: Path
) -> None:
    matrix = tmp_path / "tiny.imatrix"
    pipeline.make_matrix(
        MatrixJob(str(tiny.path), str(matrix), str(text_path), N_THREADS), lambda _: None, Control()
    )
    out = tmp_path / "out"
    flags = ("-t", "IQ2_XS", "-o", str(out), "--imatrix", str(matrix))
    result = nibble("quantize", str(tiny.path), *flags)
    assert result.returncode == 0, result.stderr
    (path,) = out.iterdir()
    header = read_header(path)
    assert header.variant == "IQ2_XS"
    assert header.text("quantize.imatrix.file") == "tiny.imatrix"
    assert header.text("quantize.imatrix.dataset") == "my text.txt"
    assert header.number("quantize.imatrix.entries_count") == 14
    assert header.number("quantize.imatrix.chunks_count") == read_imatrix(matrix).n_chunks


def test_another_models_matrix_is_refused(tiny: Tiny, text_path: Path, tmp_path: Path) -> None:
    other = write_tiny_llama(tmp_path / "other.gguf", Shape())
    matrix = tmp_path / "other.imatrix"
    pipeline.make_matrix(
        MatrixJob(str(other.path), str(matrix), str(text_path), N_THREADS),
        lambda _: None,
        Control(),
    )
    out = tmp_path / "out"
    flags = ("-t", "IQ2_XS", "-o", str(out), "--imatrix", str(matrix))
    says_one_sentence(
        nibble("quantize", str(tiny.path), *flags), "other.imatrix was measured on another model"
    )
    assert not out.exists()


def test_auto_makes_the_matrix_from_a_working_copy_that_is_gone_after(
    tiny: Tiny, tmp_path: Path, short_calibration: Path
) -> None:
    out = tmp_path / "out"
    events: list[Any] = []
    job = Job(str(tiny.path), ("IQ2_XS",), str(out), imatrix="auto", n_threads=N_THREADS)
    pipeline.run(job, events.append, Control())
    steps = [event.step for event in events if isinstance(event, MatrixProgress)]
    assert set(steps) == {"copy", "collect"}
    assert steps == sorted(steps, reverse=True)
    (matrix,) = [event for event in events if isinstance(event, MatrixDone)]
    (done,) = [event for event in events if isinstance(event, FileDone)]
    assert isinstance(events[-1], Finished)
    assert {path.name for path in out.iterdir()} == {Path(matrix.path).name, Path(done.path).name}
    header = read_header(Path(done.path))
    assert header.variant == "IQ2_XS"
    assert header.text("quantize.imatrix.file") == Path(matrix.path).name
    assert header.number("quantize.imatrix.entries_count") == 14
    found = read_imatrix(Path(matrix.path))
    wanted = reference(tiny, TEXT * 14, 512)
    for name, sums in wanted.sums.items():  # measured on a copy in Q8_0
        assert difference(found.sums[name], sums) < 0.2, name


@pytest.mark.parametrize("precision", ["q8_0", "bf16"])
def test_auto_leaves_a_file_of_the_working_copys_kind_alone(
    tiny: Tiny, tmp_path: Path, short_calibration: Path, precision: str
) -> None:
    out = tmp_path / "out"
    kind = precision.upper()
    pipeline.run(Job(str(tiny.path), (kind,), str(out)), lambda _: None, Control())
    (earlier,) = out.iterdir()
    before = earlier.read_bytes()
    job = Job(str(tiny.path), ("IQ2_XS",), str(out), imatrix="auto", imatrix_precision=precision)
    pipeline.run(job, lambda _: None, Control())
    assert earlier.read_bytes() == before
    assert len(list(out.iterdir())) == 3


@pytest.mark.parametrize("precision", ["q8_0", "bf16"])
def test_auto_keeps_the_working_copy_that_was_asked_for(
    tiny: Tiny, tmp_path: Path, short_calibration: Path, precision: str
) -> None:
    job = Job(
        *(str(tiny.path), (precision, "Q4_K_M"), str(tmp_path / "both")),
        imatrix="auto",
        imatrix_precision=precision,
    )
    events: list[Any] = []
    pipeline.run(job, events.append, Control())
    done = [event for event in events if isinstance(event, FileDone)]
    assert {event.type for event in done} == {precision.upper(), "Q4_K_M"}
    planned = {file.type: file.size_bytes for file in events[0].files}
    assert {event.type: event.size_bytes for event in done} == planned
