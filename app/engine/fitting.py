"""The child called "fit": asks llama.cpp what a model would take, without loading its weights.

A load with `no_alloc` reads the header only, and a context made of it lays out its graphs, but
allocates next to nothing: some ten milliseconds, and every architecture that llama.cpp has. It runs
in a child of its own because llama.cpp aborts where a file surprises it.

Source: llama.cpp at 0c1e57098, src/llama-model.cpp and src/llama-context.cpp (no_alloc).
"""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

from app.core.errors import AppError
from app.engine import protocol
from app.engine.chatformat import ChatFormat
from app.engine.context import Context
from app.engine.model import Model, NativeLog
from app.engine.native import StopFlag, lib
from app.engine.protocol import Buffer, Failed, Fitted, Load
from app.engine.turns import chat_template, turns_of
from app.engine.usage import rss_bytes
from app.engine.worker import failed


def fit(load: Load, log: NativeLog) -> Fitted:
    """Raises ModelFileError, EngineError or PromptError, as a real load does."""
    model = Model(Path(load.path), load.n_gpu_layers, log, lambda _: True, without_weights=True)
    context = Context(model, load, log, StopFlag())
    # As the engine does, so that this process weighs what it would.
    turns_of(ChatFormat(chat_template(model.header), model.bos_text, model.eos_text), model)
    states = log.buffer_bytes("RS")  # these are really there
    fitted = Fitted(
        compute=tuple(Buffer(name, n_bytes) for name, n_bytes in log.buffers("compute")),
        output_bytes=context.output_bytes,
        kv_bytes=log.cache_bytes() + states,
        process_bytes=rss_bytes() - states - log.buffer_bytes("output"),
    )
    context.close()
    model.close()
    return fitted


def main(commands: BinaryIO, events: BinaryIO) -> None:
    """One command, one answer."""
    lib.llama_backend_init()
    log = NativeLog()
    command = protocol.decode_command(commands.readline(protocol.MAX_FRAME_BYTES))
    assert isinstance(command, Load)
    answer: Fitted | Failed
    try:
        answer = fit(command, log)
    except AppError as error:
        answer = failed(error)
    events.write(protocol.encode(answer))
    events.flush()
