"""The golden table: what is recommended for every model of the catalogue on every computer.

`python -m tests.helpers.recommendations` writes it anew; read the difference before you commit it.
"""

from __future__ import annotations

from pathlib import Path

from app.core.catalog import CatalogModel, load_catalog
from app.core.fit.split import n_offloadable
from app.core.hardware import Hardware
from app.core.recommend import (
    N_CTX,
    Recommendation,
    candidates_of,
    recommend,
    recommend_model,
)
from tests.helpers.machines import MACHINES

PATH = Path(__file__).parents[1] / "goldens" / "recommendations.md"

_HEAD = """\
# What is recommended where

For every model of the catalogue on every recorded computer, with {n_ctx} tokens of context. Written
by `python -m tests.helpers.recommendations`, compared by `tests/unit/test_recommend_table.py`.

A cell reads: variant, then, where it is not the usual, `12/33` layers on the GPU (else all of them,
where there is one), the context where it is shorter, `q8` where it is kept as q8_0, `tight` where
little is left for other programs; then tokens per second. `—`: refused for want of memory; `slow`:
it would fit, but nobody would wait for it; `coarse`: only variants fit that lose too much.

"""


def table() -> str:
    columns = [row_names(), *(column(hardware) for hardware in MACHINES.values())]
    rows = [["model", *MACHINES], *(list(row) for row in zip(*columns, strict=True))]
    return head() + _aligned(rows)


def head() -> str:
    return _HEAD.format(n_ctx=f"{N_CTX:,}")


def row_names() -> list[str]:
    return ["free memory", "**to begin with**", *(model.id for model in load_catalog())]


def column(hardware: Hardware) -> list[str]:
    """What is said of one computer, row by row."""
    cells = (_cell(model, hardware) for model in load_catalog())
    return [_memory(hardware), _first(hardware), *cells]


def read_column(text: str, name: str) -> list[str]:
    """The same, as a table that was written says it."""
    rows = [line.strip("|").split("|") for line in text.splitlines() if line.startswith("| ")]
    number = [cell.strip() for cell in rows[0]].index(name)
    return [row[number].strip() for row in rows[1:]]


def _aligned(rows: list[list[str]]) -> str:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in rows
    ]
    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return "\n".join([lines[0], rule, *lines[1:]]) + "\n"


def _memory(hardware: Hardware) -> str:
    own = [gpu.free_bytes for gpu in hardware.used_gpus if not gpu.is_integrated]
    parts = [*own, hardware.ram_available_bytes]
    return " + ".join(f"{n_bytes / 1e9:.1f}" for n_bytes in parts) + " GB"


def _first(hardware: Hardware) -> str:
    found = recommend_model(load_catalog(), hardware)
    if found is None:
        return "—"
    model, recommended = found
    return f"**{model.name}** {_words(recommended, hardware)}"


def _cell(model: CatalogModel, hardware: Hardware) -> str:
    return _words(recommend(candidates_of(model), hardware), hardware)


def _words(found: Recommendation, hardware: Hardware) -> str:
    pick = found.pick
    if pick is None:
        said = found.reasons[0].template
        return "slow" if said.startswith("Fits as") else "coarse" if "Only" in said else "—"
    shape, plan = pick.candidate.shape, pick.plan
    words = [pick.candidate.variant]
    if hardware.used_gpus and plan.n_gpu_layers < n_offloadable(shape):
        words.append(f"{plan.n_gpu_layers}/{n_offloadable(shape)}")
    if pick.use.n_ctx < min(N_CTX, shape.n_ctx_train):
        words.append(f"{pick.use.n_ctx // 1024}k")
    if pick.use.kv_type != "f16":
        words.append("q8")
    if any(reason.template.startswith("Leaves only") for reason in found.reasons):
        words.append("tight")
    tps = pick.predicted_tps
    return " ".join([*words, f"{tps:.0f}" if tps >= 3 else f"{tps:.1f}"])


if __name__ == "__main__":
    PATH.write_text(table(), "utf-8")
