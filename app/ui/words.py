"""Words and figures for people: sentences translated, sizes, counts and dates in the user's locale.

The only place that turns a `Message` or a number into text, so that all of the window says the
same thing the same way.
"""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta

from PySide6.QtCore import QCoreApplication, QLocale

from app.core.errors import Message

_GB, _MB, _KB = 1e9, 1e6, 1e3
_SIZE_WORD = re.compile(r"\d+([.,]\d+)?[BM]", re.IGNORECASE)


def translate(message: Message) -> str:
    """The sentence in the user's language, its places filled."""
    text = QCoreApplication.translate(message.context, message.template)
    if not message.args:
        return text
    return text.format(**{name: _place(value) for name, value in message.args})


def _place(value: str | int | float) -> str:
    if isinstance(value, int):
        return count(value)
    return value if isinstance(value, str) else decimal(value)


def locale() -> QLocale:
    """The user's. The C locale, which groups no digits, is taken for English."""
    own = QLocale()
    return QLocale(QLocale.Language.English) if own.language() == QLocale.Language.C else own


def count(value: int) -> str:
    """1204 as "1,204"."""
    return locale().toString(value)


def decimal(value: float, n_digits: int = 1) -> str:
    return locale().toString(float(value), "f", n_digits)


def size(n_bytes: float, n_digits: int | None = None) -> str:
    """Bytes as "3.88 GB" or "98 MB"; three figures unless `n_digits` after the point are named."""
    if n_bytes >= _GB:
        return f"{_scaled(n_bytes / _GB, n_digits)} GB"
    if n_bytes >= _MB:
        return f"{decimal(n_bytes / _MB, 0)} MB"
    return f"{decimal(n_bytes / _KB, 0)} kB"


def part_of(n_bytes: float, total_bytes: float) -> str:
    """The bare figure of a part, in the unit that `size` gives the whole."""
    return decimal(n_bytes / _GB, 2) if total_bytes >= _GB else decimal(n_bytes / _MB, 0)


def _scaled(value: float, n_digits: int | None) -> str:
    if n_digits is None:
        n_digits = 2 if value < 10 else 1 if value < 100 else 0
    return decimal(value, 0 if value >= 100 else n_digits)


def speed(tps: float) -> str:
    """Tokens per second, three figures at most."""
    return decimal(tps, 0 if tps >= 100 else 1)


def seconds(milliseconds: float) -> str:
    """A duration as "0.41 s"."""
    value = milliseconds / 1000
    return f"{decimal(value, 2 if value < 10 else 1)} s"


def duration(n_seconds: float) -> str:
    """A time to wait as "6 s", "1 min 22 s" or "2 h 5 min"; at least a second."""
    whole = max(1, round(n_seconds))
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{count(hours)} h {minutes} min" if minutes else f"{count(hours)} h"


def short_model_name(name: str) -> str:
    """What a model is called in passing: "SmolLM2 135M Instruct" is "SmolLM2"."""
    kept: list[str] = []
    for word in name.split():
        if kept and _SIZE_WORD.fullmatch(word):
            break
        kept.append(word)
    return " ".join(kept)


def day_of(timestamp: float) -> date:
    return datetime.fromtimestamp(timestamp).date()


def row_time(timestamp: float, today: date) -> str:
    """What a list row says about when: the time, the weekday, or the date."""
    moment = datetime.fromtimestamp(timestamp)
    if moment.date() >= today - timedelta(days=1):
        return QLocale().toString(moment.time(), QLocale.FormatType.ShortFormat)
    if moment.date() > today - timedelta(days=7):
        return QLocale().dayName(moment.isoweekday(), QLocale.FormatType.ShortFormat)
    pattern = "d MMM" if moment.year == today.year else "MMM yyyy"
    return QLocale().toString(moment.date(), pattern)
