"""An engine that says what a test tells it to say, in place of the child with the model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from msgspec.structs import replace

from app.core.errors import EngineError, Message
from app.engine.client import Died
from app.engine.protocol import (
    Bench,
    BenchDepth,
    BenchDone,
    BenchProgress,
    Command,
    Done,
    Event,
    Failed,
    Generate,
    Leave,
    Left,
    Load,
    Loaded,
    Memory,
    PromptProgress,
    Stop,
    Text,
)

OnEvent = Callable[[Event | Died], None]


def loaded_for(load: Load, name: str = "SmolLM2 135M", variant: str = "Q4_1") -> Loaded:
    return Loaded(
        path=load.path,
        name=name,
        variant=variant,
        architecture="llama",
        n_params=134_515_008,
        size_bytes=98_362_432,
        n_ctx=load.n_ctx,
        n_ctx_train=8192,
        n_threads=2,
        device="CPU",
        flash_attn=False,
        has_chat_template=True,
        load_ms=612.0,
        memory=Memory(98_000_000, 94_000_000, 60_000_000, 290_000_000),
    )


class FakeEngine:
    """Give `make_client` to EngineJob. Loads succeed at once unless `load_error` is set.

    With `reply` set, every request is answered with it; without, the test calls `say`, `finish`,
    `fail` and `die` itself.
    """

    def __init__(self) -> None:
        self.commands: list[Command] = []
        self.loads_by_itself = True
        self.leaves_by_itself = True
        self.load_error: Failed | None = None
        self.reply: tuple[str, ...] = ()
        self.n_clients = 0
        self.n_ended = 0
        self.n_dropped = 0
        self.n_generated = 24
        self.done: dict[str, int] = {}  # other figures of the answers
        self.device = "CPU"
        self.has_chat_template = True
        self._on_event: OnEvent = lambda _event: None

    def make_client(self, on_event: OnEvent) -> FakeClient:
        self.n_clients += 1
        self._on_event = on_event
        return FakeClient(self)

    # --- what the window asked ----------------------------------------------------------------

    @property
    def requests(self) -> list[Generate]:
        return [command for command in self.commands if isinstance(command, Generate)]

    @property
    def loads(self) -> list[Load]:
        return [command for command in self.commands if isinstance(command, Load)]

    def receive(self, command: Command) -> None:
        self.commands.append(command)
        if isinstance(command, Load) and self.loads_by_itself:
            self.finish_load()
        elif isinstance(command, Generate) and self.reply:
            for piece in self.reply:
                self.say(piece)
            self.finish()
        elif isinstance(command, Stop) and command.request_id < 0:
            self.finish_bench(was_stopped=True)
        elif isinstance(command, Stop):
            self.finish("cancelled")
        elif isinstance(command, Leave) and self.leaves_by_itself:
            self.leave()

    # --- what the engine says -----------------------------------------------------------------

    def finish_load(self) -> None:
        loaded = loaded_for(self.loads[-1])
        n_layers = 0 if self.device == "CPU" else 31
        loaded = replace(
            loaded,
            device=self.device,
            n_gpu_layers=n_layers,
            has_chat_template=self.has_chat_template,
        )
        self._on_event(self.load_error or loaded)

    def leave(self) -> None:
        self._on_event(Left(0))

    def progress(self, n_done: int, n_total: int) -> None:
        self._on_event(PromptProgress(self.requests[-1].request_id, n_done, n_total))

    def say(self, text: str, reasoning: str = "", tps: float = 18.4) -> None:
        request_id = self.requests[-1].request_id
        self._on_event(Text(request_id, text, reasoning, n_past=58, tps=tps))

    def finish(self, stop_reason: str = "stop") -> None:
        done = Done(
            request_id=self.requests[-1].request_id,
            n_prompt=34,
            n_cached=0,
            n_generated=self.n_generated,
            n_past=58,
            n_dropped=self.n_dropped,
            tps=18.4,
            prompt_tps=300.0,
            ttft_ms=410.0,
            thought_ms=0.0,
            stop_reason=stop_reason,
            seed=1207,
            rss_bytes=290_000_000,
        )
        self._on_event(replace(done, **self.done))

    @property
    def benches(self) -> list[Bench]:
        return [command for command in self.commands if isinstance(command, Bench)]

    def progress_bench(self, share: float, left_s: float, step: str = "decode") -> None:
        self._on_event(BenchProgress(self.benches[-1].request_id, step, 0, share, left_s))

    def finish_bench(self, *, was_stopped: bool = False) -> None:
        depth = BenchDepth(0, (598.0, 611.0, 620.0), (146.0, 148.2, 149.0))
        self._on_event(
            BenchDone(
                request_id=self.benches[-1].request_id,
                pp_tps=depth.pp_tps,
                tg_tps=depth.tg_tps,
                ttft_ms=(61.0, 60.0, 64.0),
                peak_bytes=309_000_000,
                n_threads=2,
                depths=(depth,),
                n_first=512,
                cold_ms=(1340.0,),
                warm_ms=(88.0,),
                restored_ms=(121.0,),
                was_stopped=was_stopped,
            )
        )

    def fail_bench(self, text: str) -> None:
        request_id = self.benches[-1].request_id
        self._on_event(Failed("engine", Message("test", text), None, "", request_id))

    def tell(self, event: Event) -> None:
        self._on_event(event)

    def fail(self, text: str = "The prompt could not be read.", kind: str = "prompt") -> None:
        request_id = self.requests[-1].request_id
        self._on_event(Failed(kind, Message("test", text), None, "", request_id))

    def die(self, text: str = "The model stopped: this computer ran out of memory.") -> None:
        hint = Message("test", "Your conversation is safe. Try again.")
        self._on_event(Died(EngineError(Message("test", text), hint, "killed by SIGKILL")))


class FakeClient:
    """What EngineJob holds. A killed one says nothing more."""

    def __init__(self, engine: FakeEngine) -> None:
        self._engine = engine

    def send(self, command: Command) -> None:
        self._engine.receive(command)

    def end_if_silent(self) -> None:
        pass

    def kill(self) -> None:
        self._engine.n_ended += 1

    def close(self) -> None:
        pass


def bad_file(folder: Path) -> Path:
    """A file with a model's name and nothing of a model in it."""
    path = folder / "broken.gguf"
    path.write_bytes(b"This is not a model.")
    return path
