"""Sentences of the Models page that more than one part says."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication, QDate

from app.core.fit import Fit
from app.jobs.subjects import Subject
from app.ui import words

translate = QCoreApplication.translate
NAME_MAX = 300  # characters of a stranger's text that are kept


def fit_name(fit: Fit) -> str:
    names = {
        Fit.FITS: translate("ModelsPage", "Fits"),
        Fit.TIGHT: translate("ModelsPage", "Tight"),
        Fit.DOES_NOT_FIT: translate("ModelsPage", "Does not fit"),
    }
    return names[fit]


def one_line(text: str) -> str:
    """A stranger's text made harmless for a line: no breaks, no direction marks, not endless."""
    kept = "".join(each if each.isprintable() else " " for each in text[: 2 * NAME_MAX])
    line = " ".join(kept.split())
    return line if len(line) <= NAME_MAX else line[: NAME_MAX - 1] + "…"


def billions(n_params: int) -> str:
    """135 million as "0.1 B"."""
    return translate("ModelsPage", "{n} B").format(n=_figure(n_params / 1e9))


def _figure(value: float) -> str:
    return words.decimal(value, 1 if round(value, 1) % 1 or value < 10 else 0)


def parameters(subject: Subject) -> str:
    """ "30.5 B, 3.3 B active", "" where not known."""
    if not subject.n_params:
        return ""
    text = billions(subject.n_params)
    if 0 < subject.n_params_active < 0.9 * subject.n_params:
        active = billions(subject.n_params_active)
        return translate("ModelsPage", "{all}, {active} active").format(all=text, active=active)
    return text


def parameters_in_full(subject: Subject) -> str:
    if not subject.n_params:
        return ""
    if subject.n_params < 1e9:
        n = words.decimal(subject.n_params / 1e6, 0)
        return translate("ModelsPage", "{n} million parameters").format(n=n)
    n = words.decimal(subject.n_params / 1e9, 1)
    text = translate("ModelsPage", "{n} billion parameters").format(n=n)
    if 0 < subject.n_params_active < 0.9 * subject.n_params:
        active = words.decimal(subject.n_params_active / 1e9, 1)
        more = translate("ModelsPage", "{n} billion active").format(n=active)
        return f"{text}, {more}"
    return text


def facts(subject: Subject) -> str:
    """The line below the name: where it comes from, how large it is, what it is for."""
    parts = [one_line(subject.gguf_repo), parameters_in_full(subject)]
    if subject.n_ctx_train:
        n = words.count(subject.n_ctx_train)
        parts.append(translate("ModelsPage", "up to {n} tokens").format(n=n))
    if subject.good_for is not None:
        parts.append(words.translate(subject.good_for))
    return " · ".join(part for part in parts if part)


def speed(tps: float) -> str:
    """Predicted: two figures are all there is to it."""
    if tps < 1:
        return translate("ModelsPage", "< 1")
    return words.decimal(tps, 0)


def tokens(n: int) -> str:
    return translate("ModelsPage", "{n} tokens").format(n=words.count(n))


def many(n: int) -> str:
    """1,234,567 as "1.2 million", 45,600 as "46,000"."""
    if n >= 1_000_000:
        return translate("ModelsPage", "{n} million").format(n=words.decimal(n / 1e6, 1))
    return words.count(round(n, -3) if n >= 10_000 else n)


def day(iso: str) -> str:
    """ "2026-11-21" as "21 November", with the year where it is another one; "" as it came."""
    date = QDate.fromString(iso[:10], "yyyy-MM-dd")
    if not date.isValid():
        return ""
    pattern = "d MMMM" if date.year() == QDate.currentDate().year() else "d MMMM yyyy"
    return words.locale().toString(date, pattern)


def month(iso: str) -> str:
    date = QDate.fromString(iso[:7] + "-01", "yyyy-MM-dd")
    return words.locale().toString(date, "MMMM yyyy") if date.isValid() else ""


def source_name(source: str) -> str:
    """The app that a file belongs to, "" for Nibble's own folder."""
    names = {
        "folder": translate("ModelsPage", "From a folder you added"),
        "huggingface": translate("ModelsPage", "From the Hugging Face cache, used in place"),
        "lmstudio": translate("ModelsPage", "From LM Studio, used in place"),
        "ollama": translate("ModelsPage", "From Ollama, used in place"),
        "gpt4all": translate("ModelsPage", "From GPT4All, used in place"),
        "jan": translate("ModelsPage", "From Jan, used in place"),
        "opened": translate("ModelsPage", "Opened from where it lies"),
    }
    return names.get(source, "")
