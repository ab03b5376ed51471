"""Nibble's files beside those of the official converter and llama.cpp: packaging/dev oracle.

The identity table by family and type, the metadata of real tokenizers, a story told by both files
of one model, what becomes of models that Nibble does not know, and the chat templates that
llama.cpp is tested with.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.helpers import checkpoints, identity
from tests.oracle import chat_templates, families, foreign, meaning, real_tokenizers
from tests.oracle.reference import Oracle
from tests.oracle.result import Result

PARTS = ("families", "tokenizers", "meaning", "foreign", "templates")


def main(arguments: list[str]) -> int:
    options = _parser().parse_args(arguments)
    oracle = Oracle(options.python, options.converter)
    with tempfile.TemporaryDirectory(prefix="oracle-") as scratch:
        found = _run(options, oracle, Path(scratch))
    if options.json:
        sys.stdout.write(json.dumps({part: [asdict(r) for r in rs] for part, rs in found.items()}))
        sys.stdout.write("\n")
    results = [result for part in found.values() for result in part]
    if options.write:
        _write_goldens(found.get("families", ()))
    n_bad = sum(not result.is_good for result in results)
    _say(f"{len(results) - n_bad} of {len(results)} are as they should be.")
    return 1 if n_bad else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="packaging/dev oracle", description=__doc__)
    parser.add_argument("case", nargs="*", help=f"{', '.join(PARTS)}, or cases of families by name")
    parser.add_argument("--json", action="store_true", help="a JSON document on stdout")
    parser.add_argument("--write", action="store_true", help="write tests/goldens/identity.json")
    parser.add_argument("--python", type=Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--converter", type=Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--packages", type=Path, required=True, help=argparse.SUPPRESS)
    return parser


def _run(options: argparse.Namespace, oracle: Oracle, scratch: Path) -> dict[str, list[Result]]:
    named = [name for name in options.case if name not in PARTS]
    parts = [part for part in PARTS if part in options.case] or ([] if named else [*PARTS])
    if named and "families" not in parts:
        parts = ["families", *parts]
    packages: Path = options.packages
    runs = {
        "families": lambda: families.check(oracle, scratch, named or [*checkpoints.CASES]),
        "tokenizers": lambda: real_tokenizers.check(oracle, scratch, packages),
        "meaning": lambda: meaning.check(oracle, scratch, packages),
        "foreign": lambda: foreign.check(oracle, scratch, packages),
        "templates": lambda: chat_templates.check(oracle.python, packages),
    }
    return {part: _table(part, runs[part]()) for part in parts}


def _table(part: str, results: Iterable[Result]) -> list[Result]:
    """Prints each result as it comes."""
    types = (*identity.TYPES, *identity.MATRIX_TYPES) if part == "families" else ()
    _say(f"\n{part:28} {' '.join(f'{t:>7}' for t in types)}")
    done = []
    started = time.monotonic()
    for result in results:
        done.append(result)
        marks = {True: "equal", False: "DIFFERS"}
        shown = [marks[result.equal[t]] if t in result.equal else "" for t in types]
        others = [f"{t} {marks[result.equal[t]]}" for t in result.equal if t not in types]
        cells = " ".join(f"{cell:>7}" for cell in shown)
        _say(f"{result.name:28} {cells}  {', '.join(others)}")
        for line in (*result.notes, *(f"DIFFERS {line}" for line in result.differences)):
            _say(f"    {line}")
    _say(f"({time.monotonic() - started:.0f} s)")
    return done


def _write_goldens(results: Iterable[Result]) -> None:
    """Only what was run is replaced, and what is no case any more goes."""
    goldens: dict[str, dict[str, Any]] = {}
    if identity.GOLDENS.is_file():
        goldens = json.loads(identity.GOLDENS.read_text(encoding="utf-8"))
    new = {result.name: result.golden for result in results if result.golden}
    old = {name: golden for cases in goldens.values() for name, golden in cases.items()}
    by_family: dict[str, dict[str, Any]] = {}
    for name, case in checkpoints.CASES.items():
        if name in {**old, **new}:
            by_family.setdefault(case.family, {})[name] = {**old, **new}[name]
    text = json.dumps(by_family, indent=1) + "\n"
    identity.GOLDENS.write_text(text, encoding="utf-8", newline="\n")
    _say(f"{len(new)} goldens written to {identity.GOLDENS.name}.")


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
