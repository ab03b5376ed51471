"""Flags become a job; events become lines."""

from __future__ import annotations

import argparse
import io
import json
from pathlib import Path

import pytest

from quantize import cli, job
from quantize.job import KvOverride, TensorType
from quantize.messages import Message


def _options(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    cli.add_quantize_arguments(parser, Path("out"))
    return parser.parse_args(arguments)


def test_the_flags_have_llama_cpps_names_and_reach_the_job() -> None:
    made = cli.job_from(
        _options(
            *("src", "-t", "Q4_K_M", "-t", "Q8_0", "-o", "there", "--imatrix", "auto"),
            *("--imatrix-precision", "bf16", "--pure", "--leave-output-tensor", "--dry-run"),
            *("--tensor-type", "blk\\.0=a=Q8_0", "--output-tensor-type", "Q6_K"),
            *("--token-embedding-type", "Q5_K", "--prune-layers", "7,3,7", "--threads", "3"),
            *("--override-kv", "a.b=str:x:y=z", "--allow-requantize"),
        )
    )
    assert made.types == ("Q4_K_M", "Q8_0")
    assert made.source == str(Path("src").absolute())
    assert made.out_dir == str(Path("there").absolute())
    assert (made.imatrix, made.imatrix_precision) == ("auto", "bf16")
    assert (made.dry_run, made.n_threads) == (True, 3)
    recipe = made.recipe
    assert (recipe.pure, recipe.leave_output_tensor, recipe.allow_requantize) == (True, True, True)
    assert recipe.tensor_types == (TensorType("blk\\.0=a", "Q8_0"),)
    assert (recipe.output_tensor_type, recipe.token_embedding_type) == ("Q6_K", "Q5_K")
    assert recipe.prune_layers == (3, 7)
    assert recipe.override_kv == (KvOverride("a.b", "str", "x:y=z"),)


def test_a_matrix_file_is_taken_from_where_one_stands() -> None:
    assert cli.job_from(_options("s", "--imatrix", "m.dat")).imatrix == str(
        Path("m.dat").absolute()
    )


@pytest.mark.parametrize(
    "flags",
    [
        ["--tensor-type", "x"],
        ["--tensor-type", "=Q8_0"],
        ["--prune-layers", "1,x"],
        ["--prune-layers", "-1"],
        ["--override-kv", "a=uint:1"],
        ["--override-kv", "a"],
        ["--threads", "-2"],
        ["--imatrix-precision", "q4_0"],
    ],
)
def test_bad_flags_are_bad_usage(flags: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        _options("src", *flags)
    assert stopped.value.code == 2
    assert flags[0] in capsys.readouterr().err


def test_what_is_missing_is_said() -> None:
    assert "what to quantize" in cli.usage_problem(_options())
    assert "which type" in cli.usage_problem(_options("src"))
    assert cli.usage_problem(_options("src", "--dry-run")) == ""
    assert cli.usage_problem(_options("--list-types")) == ""
    assert cli.usage_problem(_options("--inspect", "x.gguf")) == ""


def test_a_dry_run_without_types_plans_the_whole_ladder() -> None:
    types = cli.job_from(_options("src", "--dry-run")).types
    assert types[0] == "Q8_0"
    assert "Q4_K_M" in types


def test_json_lines_hold_sentences_and_keep_their_keys() -> None:
    out = io.StringIO()
    printer = cli.Printer(as_json=True, out=out)
    printer(job.FileDone("/m.gguf", "Q8_0", 10, 8.5, "ab", 1.0, {"Q8_0": 10}))
    printer(job.Heartbeat())
    printer.error(Message("x", "No {what}.", (("what", "disk"),)), None)
    done, error = (json.loads(line) for line in out.getvalue().splitlines())
    assert done["event"] == "done"
    assert set(done) >= {"path", "type", "size_bytes", "bpw", "sha256"}
    assert error == {"event": "error", "text": "No disk.", "hint": ""}


def test_people_get_the_real_composition() -> None:
    out = io.StringIO()
    done = job.FileDone("/m.gguf", "Q4_K_M", 100, 5.2, "ab", 1.0, {"Q6_K": 40, "Q4_K": 60})
    cli.Printer(as_json=False, out=out)(done)
    assert "5.20 bits per weight (Q4_K 60%, Q6_K 40%)" in out.getvalue()


def test_every_type_is_listed_with_bits_a_sentence_and_whether_it_needs_a_matrix() -> None:
    lines = cli.list_types(as_json=False).splitlines()[1:]
    entries = json.loads(cli.list_types(as_json=True))
    assert [line.split()[0] for line in lines] == [entry["type"] for entry in entries]
    assert [entry["type"] for entry in entries[:2]] == ["Q8_0", "Q4_K_M"]
    assert len(entries) == 35
    for line, entry in zip(lines, entries, strict=True):
        assert f"{entry['bpw']:.2f}" in line
        assert entry["words"] in line
        assert ("needed" in line) == entry["needs_imatrix"]
    assert {entry["type"] for entry in entries} >= {"IQ1_S", "TQ1_0", "TQ2_0", "F16", "BF16", "F32"}
