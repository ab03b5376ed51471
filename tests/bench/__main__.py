"""Every benchmark in one run: prints a table, writes bench-results/<time>.json.

Usage: python -m tests.bench [PART...] [--repetitions N]
llama.cpp's threads spin: run it with nothing else running.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path
from typing import Any

from app.core import hardware, library
from tests.bench import chat, download, engine, fit, imatrix, loaded, quantize, window

PARTS = {
    "engine": engine.measure,
    "chat": chat.measure,
    "loaded": loaded.measure,
    "start": window.measure_start,
    "streaming": window.measure_streaming,
    "idle": window.measure_idle,
    "imatrix": imatrix.measure,
    "quantize": quantize.measure,
    "fit": fit.measure,
    "download": download.measure,
}
LONG = ("chat", "loaded", "quantize", "fit", "download")  # only where they are asked for


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    names = ", ".join(PARTS)
    parser.add_argument("parts", nargs="*", help=f"{names}; without, all but {' and '.join(LONG)}")
    parser.add_argument("--repetitions", type=int, default=5)
    options = parser.parse_args()
    unknown = set(options.parts) - set(PARTS)
    if unknown:
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    model = library.starter()
    report: dict[str, Any] = {
        "model": model.name,
        "cpu": hardware.cpu_name(),
        "load_before": os.getloadavg(),
        "repetitions": options.repetitions,
    }
    for name in options.parts or [name for name in PARTS if name not in LONG]:
        report[name] = PARTS[name](model, options.repetitions)
    folder = Path("bench-results")
    folder.mkdir(exist_ok=True)
    file = folder / f"{time.strftime('%Y%m%d-%H%M%S')}.json"
    file.write_text(json.dumps(report, indent=1))
    for line in _table(report):
        print(line)
    print(f"All measurements: {file}")


def _table(report: dict[str, Any]) -> list[str]:
    rows = {
        "engine": _engine_rows,
        "chat": _chat_rows,
        "loaded": _loaded_rows,
        "start": _start_rows,
        "streaming": _streaming_rows,
        "idle": _idle_rows,
        "imatrix": _imatrix_rows,
        "quantize": _quantize_rows,
        "fit": _fit_rows,
        "download": _download_rows,
    }
    lines = [f"{'figure':<56} {'reached':>10}  {'wanted':>10}"]
    for name, make in rows.items():
        if name in report:
            lines += make(report[name])
    return lines


def _engine_rows(found: dict[str, Any]) -> list[str]:
    first = found["first_token"]
    rows = [_row("first token / bare loop", first["ratio_to_bare_loop"], "<= 1.15")]
    rows += [
        _row("first token / create_chat_completion", first["ratio_to_create_chat_completion"], "")
    ]
    for depth, decode in found["decode"].items():
        rows += [_row(f"decode / bare loop at {depth}", decode["ratio_to_bare_loop"], ">= 0.97")]
        ratio = decode["ratio_to_create_chat_completion"]
        rows += [_row(f"decode / create_chat_completion at {depth}", ratio, "")]
    return rows


def _chat_rows(found: dict[str, Any]) -> list[str]:
    return [_row(*figures) for figures in chat.rows(found)]


def _loaded_rows(found: dict[str, Any]) -> list[str]:
    return [_row(*figures) for figures in loaded.rows(found)]


def _start_rows(found: dict[str, Any]) -> list[str]:
    rows = []
    for kind, wanted in (("warm", ("<= 1.0", "<= 2.0")), ("cold", ("", ""))):
        if isinstance(found[kind], dict):
            rows.append(
                _row(f"{kind} start: window visible, s", found[kind]["visible_s"], wanted[0])
            )
            answerable = found[kind]["answerable_s"]
            rows.append(_row(f"{kind} start: first prompt answerable, s", answerable, wanted[1]))
    return rows


def _streaming_rows(found: dict[str, Any]) -> list[str]:
    ratios = sorted(found["ratio_to_headless"])
    return [
        _row("open 2,000 messages, ms", found["open_s"] * 1000, "< 200"),
        _row("UI gap p99 while streaming, ms", found["gap_p99_ms"], "< 33"),
        _row("UI gap max while streaming, ms", found["gap_max_ms"], "< 100"),
        _row("decode visible / headless", ratios[len(ratios) // 2], ">= 0.85"),
    ]


def _idle_rows(found: dict[str, Any]) -> list[str]:
    return [
        _row("idle CPU over 60 s, both processes, s", found["idle_cpu_s"], "<= 0.1"),
        _row("UI process resident, MB", found["rss_bytes"] / 1e6, "< 200"),
    ]


def _quantize_rows(found: dict[str, Any]) -> list[str]:
    ratios = found["ratios"]
    return [
        _row("Q4_K_M / converter + llama-quantize", ratios["q4_k_m_to_pipeline"], "<= 0.75"),
        _row("Q8_0 / converter --outtype q8_0", ratios["q8_0_to_official"], "<= 0.60"),
        _row("quantizer's peak memory, MB", ratios["peak_mb"], "<= 700"),
        _row("three types at once save, in passes", ratios["three_in_one_saves_passes"], ">= 1.5"),
    ]


def _fit_rows(found: dict[str, Any]) -> list[str]:
    return [
        _row("predicted memory: median error, %", found["median_error"] * 100, "<= 2"),
        _row("worst error, %", found["worst_error"] * 100, "<= 4"),
        _row("beyond both 4 % and 60 MiB, loads", found["n_out_of_bounds"], "<= 0"),
        _row("lowest error, %", found["lowest_error"] * 100, ">= -2"),
        _row("lowest above peak RSS, %", found["lowest_over_peak"] * 100, ">= -2"),
    ]


def _imatrix_rows(found: dict[str, Any]) -> list[str]:
    return [
        _row("importance matrix / plain reading", found["ratio_to_plain"], "<= 1.10"),
        _row("importance matrix / reading with all scores", found["ratio_to_plain_all_scores"], ""),
    ]


def _download_rows(found: dict[str, Any]) -> list[str]:
    return [_row(*figures) for figures in download.rows(found)]


def _row(name: str, value: float, wanted: str) -> str:
    return f"{name:<56} {value:>10.3f}  {wanted:>10}"


if __name__ == "__main__":
    main()
