"""The settings in force as the engine's sampling: a person's choice, the model's, the setting's."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from app.core import hashes
from app.core import settings as s
from app.core.errors import EngineError, Message, PromptError, SettingsError
from app.core.samplingtext import as_line, stop_strings, word_biases
from app.core.settings import Settings
from app.engine.protocol import Load, Sampling
from app.engine.requests import load_after_death, load_command, sampling, stops
from tests.helpers.fake_engine import loaded_for


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(tmp_path / "settings.json")


def test_every_field_has_a_setting_of_its_own(settings: Settings) -> None:
    changed = {
        s.TEMPERATURE: 0.31,
        s.TOP_K: 7,
        s.TOP_P: 0.61,
        s.MIN_P: 0.21,
        s.TYPICAL_P: 0.71,
        s.TOP_N_SIGMA: 1.5,
        s.XTC_PROBABILITY: 0.41,
        s.XTC_THRESHOLD: 0.2,
        s.REPEAT_PENALTY: 1.33,
        s.FREQUENCY_PENALTY: 0.2,
        s.PRESENCE_PENALTY: -0.3,
        s.PENALTY_LAST_N: 128,
        s.DRY_MULTIPLIER: 0.9,
        s.DRY_BASE: 1.5,
        s.DRY_ALLOWED_LENGTH: 3,
        s.DRY_PENALTY_LAST_N: 256,
        s.MIROSTAT: "2",
        s.MIROSTAT_TAU: 4.0,
        s.MIROSTAT_ETA: 0.3,
        s.SEED: 17,
        s.LOGIT_BIAS: "delve -5",
        s.GRAMMAR: 'root ::= "a"',
    }
    before = sampling(settings)
    for setting, value in changed.items():
        settings.set(setting, value)  # type: ignore[type-var]
    after = sampling(settings)
    for field in Sampling.__struct_fields__:
        assert getattr(after, field) != getattr(before, field), field


def test_a_persons_value_goes_before_the_models_and_that_before_the_settings(
    settings: Settings,
) -> None:
    own = (("temperature", 0.15), ("top_k", 20.0), ("mirostat", 2.0), ("min_p", 7.0))
    drawn = sampling(settings, own)
    assert (drawn.temperature, drawn.top_k, drawn.mirostat) == (0.15, 20, 2)
    assert type(drawn.top_k) is int
    assert drawn.min_p == s.MIN_P.default  # out of bounds
    assert drawn.top_p == s.TOP_P.default
    settings.set(s.TEMPERATURE, s.TEMPERATURE.default)
    settings.set(s.MIROSTAT, "off")
    drawn = sampling(settings, own)
    assert (drawn.temperature, drawn.mirostat) == (s.TEMPERATURE.default, 0)
    settings.reset(s.TEMPERATURE)
    assert sampling(settings, own).temperature == 0.15


def test_a_value_laid_over_is_not_kept(settings: Settings, tmp_path: Path) -> None:
    settings.set(s.TOP_K, 30)
    settings.lay_over(s.TEMPERATURE, 0.2)
    settings.lay_over(s.TOP_K, 5)
    settings.set(s.TOP_P, 0.5)
    drawn = sampling(settings, (("temperature", 1.5),))
    assert (drawn.temperature, drawn.top_k, drawn.top_p) == (0.2, 5, 0.5)
    again = sampling(Settings(tmp_path / "settings.json"))
    assert (again.temperature, again.top_k) == (s.TEMPERATURE.default, 30)
    with pytest.raises(SettingsError):
        settings.lay_over(s.TOP_P, 3.0)


def test_a_schema_goes_before_a_grammar_and_a_mistake_is_said(settings: Settings) -> None:
    settings.set(s.GRAMMAR, 'root ::= "a"')
    settings.set(s.JSON_SCHEMA, json.dumps({"type": "integer"}))
    assert "root ::= integer" in sampling(settings).grammar
    settings.set(s.JSON_SCHEMA, '{"type": "colour"}')
    with pytest.raises(PromptError, match="JSON schema"):
        sampling(settings)


def test_stop_strings_are_lines(settings: Settings) -> None:
    settings.set(s.STOP_STRINGS, "User:\n\n  END \n" + r"\n\nQ" + "\n" + r"a\\n")
    assert stops(settings) == ("User:", "  END ", "\n\nQ", r"a\n")


@given(st.lists(st.text(min_size=1, max_size=8, alphabet='aB\\nt\n\t" ').filter(str.strip)))
def test_a_stop_string_survives_as_a_line(strings: list[str]) -> None:
    assert list(stop_strings("\n".join(map(as_line, strings)))) == strings


def test_word_biases_are_a_word_and_a_number() -> None:
    lines = "delve -5\n by and by 2.5\n\n[123] -1000 \n"
    assert word_biases(lines) == [("delve", -5.0), ("by and by", 2.5), ("[123]", -100.0)]


@pytest.mark.parametrize("line", ["delve", "-5", "delve five", "delve nan", "delve inf", " 3"])
def test_another_line_is_one_sentence(line: str) -> None:
    with pytest.raises(PromptError, match="no word bias"):
        word_biases(line)


def test_the_draft_model_goes_along_where_there_is_one(
    settings: Settings, tmp_path: Path, home: Path
) -> None:
    draft, model = tmp_path / "draft.gguf", tmp_path / "model.gguf"
    draft.touch()
    model.touch()
    assert load_command(settings, model).draft_path == ""
    settings.set(s.DRAFT_MODEL, str(draft))
    assert load_command(settings, model).draft_path == str(draft)
    assert load_command(settings, draft).draft_path == ""


@pytest.mark.parametrize(
    ("n_layers", "detail", "expected"),
    [
        (32, "CUDA error: out of memory\n  in ggml_cuda_pool", 24),
        (1, "vk::Device::allocateMemory: ErrorOutOfDeviceMemory", 0),
        (32, "exit SIGSEGV", -1),
        (0, "out of memory", -1),
    ],
)
def test_a_death_for_lack_of_gpu_memory_takes_layers_off_it(
    n_layers: int, detail: str, expected: int
) -> None:
    loaded = structs.replace(loaded_for(Load("m.gguf")), n_gpu_layers=n_layers)
    again = load_after_death(
        Load("m.gguf"), loaded, EngineError(Message("t", "Died."), None, detail)
    )
    assert again.n_gpu_layers == expected


def test_the_sum_of_the_file_goes_along_where_it_is_known(
    settings: Settings, tmp_path: Path
) -> None:
    model = tmp_path / "m.gguf"
    model.write_bytes(b"GGUF")
    assert load_command(settings, model).sha256 == ""
    hashes.record(model, "ab" * 32)
    assert load_command(settings, model).sha256 == "ab" * 32
