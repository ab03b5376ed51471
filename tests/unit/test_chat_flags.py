"""The flags of `nibble chat`, laid over the settings."""

from __future__ import annotations

import pytest

from app.cli import _parser
from app.cli.chat import _settings
from app.engine.requests import thinking


@pytest.mark.parametrize(
    ("flags", "expected"),
    [((), None), (("--think", "on"), True), (("--think", "off"), False)],
)
def test_thinking_is_switched_for_one_prompt(flags: tuple[str, ...], expected: bool | None) -> None:
    options = _parser().parse_args(["chat", "-p", "Hi", *flags])
    assert thinking(_settings(options)) is expected


def test_no_other_word_switches_it(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        _parser().parse_args(["chat", "--think", "maybe"])
    assert exit_.value.code == 2
    assert "--think" in capsys.readouterr().err
