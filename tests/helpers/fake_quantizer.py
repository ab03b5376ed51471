"""A quantizer that says what a test tells it to say, in place of the child."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from app.core.errors import EngineError, Message
from app.quantizer import Died
from quantize.job import (
    AnyEvent,
    Cancelled,
    Failed,
    FileDone,
    Finished,
    Job,
    MatrixDone,
    MatrixProgress,
    Plan,
    PlannedFile,
    PlannedTensor,
    TensorDone,
)

OnEvent = Callable[[AnyEvent | Died], None]
GB = 1_000_000_000
# bits per weight, GB, seconds and what (attn_v, ffn_down) and the rest become
_TYPES = {
    "Q8_0": (8.51, 4.28, 6.0, "Q8_0", "Q8_0"),
    "Q6_K": (6.58, 3.31, 20.0, "Q6_K", "Q6_K"),
    "Q5_K_M": (5.75, 2.89, 85.0, "Q6_K", "Q5_K"),
    "Q4_K_M": (4.97, 2.50, 82.0, "Q6_K", "Q4_K"),
    "IQ4_XS": (4.54, 2.28, 144.0, "Q5_K", "IQ4_XS"),
    "Q3_K_M": (4.13, 2.08, 25.0, "Q5_K", "Q3_K"),
    "Q2_K": (3.32, 1.67, 96.0, "Q3_K", "Q2_K"),
}
_KINDS = {
    "attn_k": (2560, 1024),
    "attn_norm": (2560,),
    "attn_output": (4096, 2560),
    "attn_q": (2560, 4096),
    "attn_v": (2560, 1024),
    "ffn_down": (9728, 2560),
    "ffn_gate": (2560, 9728),
    "ffn_norm": (2560,),
    "ffn_up": (2560, 9728),
}
N_BLOCKS = 36


def planned_tensors(type_name: str, n_blocks: int = N_BLOCKS) -> tuple[PlannedTensor, ...]:
    """The tensors of a Qwen3-4B-like file, sizes roughly as they would be."""
    _, _, _, more, base = _TYPES.get(type_name, (4.0, 2.0, 60.0, "Q6_K", "Q4_K"))
    result = [_tensor("token_embd.weight", (2560, 151_936), "Q6_K")]
    for block in range(n_blocks):
        matters = block < 4 or block >= n_blocks - 6 or block % 3 == 0
        for kind, shape in _KINDS.items():
            wanted = more if kind in ("attn_v", "ffn_down") and matters else base
            chosen = wanted if len(shape) > 1 else "F32"
            result.append(_tensor(f"blk.{block}.{kind}.weight", shape, chosen))
    result.append(_tensor("output_norm.weight", (2560,), "F32"))
    return tuple(result)


def _tensor(name: str, shape: tuple[int, ...], type_name: str) -> PlannedTensor:
    bits = {"F32": 32.0, "Q8_0": 8.5, "Q6_K": 6.56, "Q5_K": 5.5, "Q4_K": 4.5}.get(type_name, 3.5)
    n_weights = 1
    for length in shape:
        n_weights *= length
    return PlannedTensor(name, shape, "BF16", type_name, round(n_weights * bits / 8))


def planned_file(type_name: str, *, scale: float = 1.0, **changes: object) -> PlannedFile:
    bpw, gigabytes, seconds, _, _ = _TYPES.get(type_name, (2.4, 1.2, 200.0, "", ""))
    values: dict[str, object] = {
        "type": type_name,
        "path": f"/models/Qwen3-4B-{type_name}.gguf",
        "size_bytes": round(gigabytes * GB * scale),
        "bpw": bpw,
        "seconds": seconds * scale,
        "needs_imatrix": type_name.startswith(("IQ1", "IQ2")),
        "n_fallback": 0,
        "tensors": planned_tensors(type_name),
    }
    return PlannedFile(**{**values, **changes})  # type: ignore[arg-type]


def plan_for(job: Job, *, scale: float = 1.0, free: float = 9.4, **changes: object) -> Plan:
    """A plan for a Qwen3-4B-like source; `scale` stretches its sizes and times."""
    files = tuple(planned_file(name, scale=scale) for name in job.types)
    matrix_s = 390.0 if job.imatrix == "auto" else 0.0
    values: dict[str, object] = {
        "source": job.source,
        "name": "Qwen3-4B",
        "architecture": "qwen3",
        "source_type": "BF16",
        "source_bytes": round(8.05 * GB * scale),
        "n_params": 4_022_468_096,
        "n_tensors": 326,
        "files": files,
        "out_dir": job.out_dir,
        "n_threads": 1,
        "seconds": sum(file.seconds for file in files) + matrix_s,
        "imatrix": job.imatrix,
        "imatrix_seconds": matrix_s,
        "peak_disk_bytes": sum(file.size_bytes for file in files),
        "disk_free_bytes": 212 * GB,
        "peak_memory_bytes": 680_000_000,
        "memory_free_bytes": round(free * GB),
    }
    return Plan(**{**values, **changes})  # type: ignore[arg-type]


class FakeQuantizer:
    """Give `make_client` to QuantizeJob. Dry runs are answered at once unless told otherwise."""

    def __init__(self) -> None:
        self.jobs: list[Job] = []
        self.said: list[str] = []  # "cancel", "pause", "resume", of the latest job
        self.plans_by_itself = True
        self.cancels_by_itself = True
        self.make_plan: Callable[[Job], Plan] = plan_for
        self.plan_error: Failed | None = None
        self.n_closed = 0
        self.plan: Plan | None = None
        self._on_event: OnEvent = lambda _event: None

    def make_client(self, job: Job, on_event: OnEvent) -> FakeQuantizerClient:
        self.jobs.append(job)
        self.said = []
        self._on_event = on_event
        client = FakeQuantizerClient(self, on_event)
        if self.plans_by_itself or not job.dry_run:
            self.answer_plan()
        return client

    @property
    def runs(self) -> list[Job]:
        return [job for job in self.jobs if not job.dry_run]

    def answer_plan(self) -> None:
        job = self.jobs[-1]
        if job.dry_run and self.plan_error is not None:
            self._on_event(self.plan_error)
            return
        self.plan = self.make_plan(job)
        self._on_event(self.plan)
        if job.dry_run:
            self._on_event(Finished())

    def tensors(self, n: int, mb_per_s: float = 46.0) -> None:
        """The first `n` tensors are in every file; says so for the last of them."""
        assert self.plan is not None
        files = self.plan.files
        n_tensors = len(files[0].tensors)
        share = n / n_tensors
        self._on_event(
            TensorDone(
                index=n - 1,
                n_tensors=n_tensors,
                name=files[0].tensors[n - 1].name,
                types=tuple(file.tensors[n - 1].type for file in files),
                size_bytes=tuple(file.tensors[n - 1].size_bytes for file in files),
                read_bytes=round(self.plan.source_bytes * share),
                total_bytes=self.plan.source_bytes,
                mb_per_s=mb_per_s,
                eta_s=(1 - share) * sum(file.seconds for file in files),
            )
        )

    def matrix(
        self, n_done: int, n_total: int, step: str = "collect", eta_s: float = 200.0
    ) -> None:
        self._on_event(MatrixProgress(step, n_done, n_total, eta_s))

    def matrix_done(self) -> None:
        self._on_event(MatrixDone("/models/Qwen3-4B.imatrix.gguf", 26_112, 401.0))

    def file_done(self, number: int) -> None:
        assert self.plan is not None
        file = self.plan.files[number]
        composition: dict[str, int] = {}
        for tensor in file.tensors:
            composition[tensor.type] = composition.get(tensor.type, 0) + tensor.size_bytes
        sha256 = f"{number:x}4c1de" + "9b21f0a7" * 7 + "ab"
        self._on_event(
            FileDone(
                file.path, file.type, file.size_bytes, file.bpw, sha256, file.seconds, composition
            )
        )

    def finish(self) -> None:
        assert self.plan is not None
        for number in range(len(self.plan.files)):
            self.file_done(number)
        self._on_event(Finished())

    def cancelled(self) -> None:
        self._on_event(Cancelled())

    def fail(self, text: str = "The disk is full.", hint: str = "Free 2 GB.") -> None:
        self._on_event(Failed(Message("test", text), Message("test", hint), "errno 28"))

    def die(self) -> None:
        text = Message("test", "Quantizing stopped: this computer ran out of memory.")
        hint = Message("test", "Nothing half-written was left. Try again.")
        self._on_event(Died(EngineError(text, hint, "exit SIGKILL")))


class FakeQuantizerClient:
    """What QuantizeJob holds."""

    def __init__(self, quantizer: FakeQuantizer, on_event: OnEvent) -> None:
        self._quantizer, self._on_event = quantizer, on_event

    def cancel(self) -> None:
        self._quantizer.said.append("cancel")
        if self._quantizer.cancels_by_itself:
            self._on_event(Cancelled())

    def pause(self) -> None:
        self._quantizer.said.append("pause")

    def resume(self) -> None:
        self._quantizer.said.append("resume")

    def end_if_silent(self) -> None:
        pass

    def close(self) -> None:
        self._quantizer.n_closed += 1


def types_of(files: Sequence[PlannedFile]) -> list[str]:
    return [file.type for file in files]
