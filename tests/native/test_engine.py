"""The engine child with a real model."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from app.core.errors import EngineError, PromptError
from app.engine.client import BlockingEngine
from app.engine.protocol import (
    Done,
    Load,
    Loaded,
    PromptMessage,
    PromptProgress,
    Sampling,
    Stop,
    Text,
)
from app.engine.template import ChatTemplate
from quantize.gguf_header import read_header
from tests.helpers import oracle
from tests.helpers.asking import GREEDY, ask, messages, request, wait

ROOT = Path(__file__).resolve().parents[2]
QUESTION = "Write a long story about a lighthouse and a cat."


@pytest.mark.parametrize("question", ["What is the capital of France?", "Zähle auf Deutsch: 1, 2"])
def test_greedy_output_equals_llama_cpp_pythons(
    engine: BlockingEngine, starter_path: Path, question: str
) -> None:
    template = ChatTemplate(read_header(starter_path).chat_template, "", "")
    prompt = template.render(messages(question))
    n_threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 2
    expected = oracle.greedy(starter_path, prompt, 60, n_threads)
    assert ask(engine, request(question, max_tokens=60)).text == expected


def test_what_is_loaded_is_told(own_engine: BlockingEngine, loaded: Loaded) -> None:
    assert (loaded.name, loaded.variant, loaded.architecture) == ("SmolLM2 135M", "Q4_1", "llama")
    assert (loaded.n_ctx, loaded.n_ctx_train) == (2048, 8192)
    assert loaded.n_params == 134_515_008
    # 30 layers, 3 KV heads of 64, K and V in two bytes each: a formula, not the log it is read from
    assert loaded.memory.kv_bytes == 2048 * 30 * 2 * 3 * 64 * 2
    assert loaded.memory.compute_bytes > 0
    assert not loaded.flash_attn
    assert loaded.memory.rss_bytes > loaded.memory.kv_bytes


def test_the_context_is_no_larger_than_the_model_was_trained_for(
    own_engine: BlockingEngine, starter_path: Path
) -> None:
    assert own_engine.load(Load(str(starter_path), n_ctx=1_000_000)).n_ctx == 8192


@pytest.mark.parametrize("kv_type", ["q8_0", "q4_0"])
def test_a_compressed_context_turns_flash_attention_on(
    own_engine: BlockingEngine, starter_path: Path, kv_type: str
) -> None:
    loaded = own_engine.load(Load(str(starter_path), n_ctx=512, kv_type=kv_type, flash_attn="off"))
    assert loaded.flash_attn
    assert ask(own_engine, request("Hello", max_tokens=4)).done.n_generated > 0


def test_the_same_seed_gives_the_same_answer(engine: BlockingEngine) -> None:
    sampling = Sampling(temperature=0.9, seed=7)
    texts = {ask(engine, request(QUESTION, sampling=sampling)).text for _ in range(3)}
    other = ask(engine, request(QUESTION, sampling=Sampling(temperature=0.9, seed=8)))
    assert len(texts) == 1
    assert other.text not in texts
    assert other.done.seed == 8


def test_the_shared_prefix_is_not_read_again(engine: BlockingEngine) -> None:
    first = ask(engine, request(QUESTION))
    again = ask(engine, request(QUESTION, first.text, "And then?"))
    assert again.done.n_cached >= first.done.n_prompt
    assert again.done.n_prompt > again.done.n_cached
    ask(engine, request("Something else altogether."))
    cold = ask(engine, request(QUESTION, first.text, "And then?"))
    assert cold.done.n_cached < again.done.n_cached
    assert cold.text == again.text


def test_an_answer_ends_where_it_is_told_to(engine: BlockingEngine) -> None:
    answer = ask(engine, request(QUESTION, max_tokens=5))
    assert (answer.done.n_generated, answer.done.stop_reason) == (5, "length")


def test_the_end_of_turn_ends_the_answer(engine: BlockingEngine) -> None:
    answer = ask(engine, request("Say hi.", max_tokens=400))
    assert answer.done.stop_reason == "stop"
    assert "<|im_end|>" not in answer.text


def test_a_full_context_ends_the_answer(own_engine: BlockingEngine, starter_path: Path) -> None:
    own_engine.load(Load(str(starter_path), n_ctx=256))
    done = ask(own_engine, request(QUESTION, max_tokens=0, sampling=GREEDY)).done
    assert done.n_past <= 256
    if done.n_past == 256:
        assert done.stop_reason == "context"
    assert ask(own_engine, request("Hello", max_tokens=4)).done.n_generated > 0


def test_text_comes_in_frames_not_tokens(engine: BlockingEngine) -> None:
    answer = ask(engine, request(QUESTION, max_tokens=100))
    assert 1 < len(answer.frames) <= answer.done.n_generated
    assert answer.frames[-1].n_past == answer.done.n_past + 1
    assert answer.done.ttft_ms > 0
    assert answer.done.tps > 0


def _stop_and_time(engine: BlockingEngine, request_id: int) -> tuple[float, Done]:
    started = time.perf_counter()
    engine.send(Stop(request_id))
    done = wait(engine).done
    return time.perf_counter() - started, done


def test_stop_ends_an_answer_at_once(engine: BlockingEngine) -> None:
    command = request(QUESTION, max_tokens=2000, sampling=Sampling(temperature=1.5))
    engine.send(command)
    while not isinstance(engine.next_event(), Text):
        pass
    took_s, done = _stop_and_time(engine, command.request_id)
    assert done.stop_reason == "cancelled"
    assert took_s < 0.1
    assert ask(engine, request("Hello", max_tokens=4)).done.stop_reason in ("length", "stop")


def test_stop_ends_the_reading_of_a_prompt_at_once(engine: BlockingEngine) -> None:
    command = request("word " * 3300, max_tokens=10)
    engine.send(command)
    while not isinstance(engine.next_event(), PromptProgress):
        pass
    took_s, done = _stop_and_time(engine, command.request_id)
    assert (done.stop_reason, done.n_generated) == ("cancelled", 0)
    assert took_s < 0.1
    # what was read is kept and known: going on gives what a fresh reading gives
    short = request("word " * 1200, max_tokens=8)
    resumed = ask(engine, short)
    ask(engine, request("Something else altogether."))
    assert ask(engine, request("word " * 1200, max_tokens=8)).text == resumed.text


def test_a_stop_before_the_start_counts(engine: BlockingEngine) -> None:
    first, second = request(QUESTION, max_tokens=900), request(QUESTION, max_tokens=900)
    engine.send(first)
    engine.send(second)
    engine.send(Stop(second.request_id))
    engine.send(Stop(first.request_id))
    assert {wait(engine).done.stop_reason, wait(engine).done.stop_reason} == {"cancelled"}


def test_a_message_longer_than_the_context_says_how_much_fits(engine: BlockingEngine) -> None:
    with pytest.raises(PromptError, match=r"This message has 5,\d+ tokens; 4,064 fit\.") as caught:
        ask(engine, request("word " * 5000))
    assert "Shorten it" in str(caught.value.hint)
    assert ask(engine, request("Hello", max_tokens=4)).text


def test_a_long_conversation_drops_its_oldest_turns(
    own_engine: BlockingEngine, starter_path: Path
) -> None:
    own_engine.load(Load(str(starter_path), n_ctx=512))
    turns = ["word " * 40] * 31
    done = ask(own_engine, request(*turns, max_tokens=4)).done
    assert done.n_dropped > 0
    assert done.n_dropped % 2 == 0
    assert done.n_prompt <= 384


def test_a_system_prompt_reaches_the_model(engine: BlockingEngine) -> None:
    with_system = request("Hello")
    system = PromptMessage("system", "Answer in German.")
    command = type(with_system)(with_system.request_id, (system, *with_system.messages), GREEDY, 16)
    assert ask(engine, command).text != ask(engine, request("Hello", max_tokens=16)).text


# --- faults -----------------------------------------------------------------------------------


def test_a_killed_engine_says_so_and_a_new_one_works(starter_path: Path) -> None:
    with BlockingEngine() as engine:
        engine.load(Load(str(starter_path), n_ctx=512))
        engine.send(request(QUESTION, max_tokens=400))
        while not isinstance(engine.next_event(), Text):
            pass
        os.kill(engine.client.pid, signal.SIGKILL)
        with pytest.raises(EngineError, match="ran out of memory") as caught:
            wait(engine)
        assert "Your conversation is safe" in str(caught.value.hint)
    with BlockingEngine() as engine:
        engine.load(Load(str(starter_path), n_ctx=512))
        assert ask(engine, request("Hello", max_tokens=4)).text


def test_an_engine_that_says_nothing_is_ended(
    starter_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.engine.client.SILENCE_LIMIT_S", 1.0)
    with BlockingEngine() as engine:
        engine.load(Load(str(starter_path), n_ctx=512))
        os.kill(engine.client.pid, signal.SIGSTOP)
        engine.send(request("Hello"))
        with pytest.raises(EngineError, match="does not respond"):
            engine.next_event()


_ABANDON = """
import sys, time
from app.engine.client import BlockingEngine
from app.engine.protocol import Generate, Load, PromptMessage
engine = BlockingEngine()
engine.load(Load(sys.argv[1], n_ctx=512))
engine.send(Generate(1, (PromptMessage("user", "Write a very long story."),)))
engine.next_event()
print(engine.client.pid, flush=True)
time.sleep(60)
"""


def test_no_engine_outlives_a_killed_parent(starter_path: Path) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", _ABANDON, str(starter_path)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert parent.stdout is not None
    child = psutil.Process(int(parent.stdout.readline()))
    assert child.is_running()
    parent.kill()
    parent.wait()
    parent.stdout.close()
    child.wait(timeout=2)
