"""Every setting, declared once: key, default, bounds, words. The settings page is made from this.

Values live in `settings.json`, written atomically. Keys of a newer version are kept as they are.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar, cast

from app.core.errors import QT_TRANSLATE_NOOP, AppError, Message, SettingsError
from app.core.files import set_aside, write_atomic

Value = bool | int | float | str
T = TypeVar("T", bool, int, float, str)


@dataclass(frozen=True, slots=True)
class Setting(Generic[T]):
    """One setting. `minimum`, `maximum` and `step` bound numbers, `choices` bound strings.

    A setting without a label is the window's memory, not a person's choice: it is not shown.
    """

    key: str
    default: T
    label: Message | None = None
    help: Message | None = None
    minimum: float | None = None
    maximum: float | None = None
    step: float = 1
    choices: tuple[tuple[str, Message], ...] = ()
    multiline: bool = False

    def accepts(self, value: object) -> bool:
        if not self._has_type(value):
            return False
        if self.choices:
            return value in [choice for choice, _ in self.choices]
        if isinstance(value, int | float) and not isinstance(value, bool):
            return self._in_bounds(float(value))
        return True

    def _has_type(self, value: object) -> bool:
        if isinstance(self.default, float):
            return isinstance(value, int | float) and not isinstance(value, bool)
        return type(value) is type(self.default)

    def _in_bounds(self, value: float) -> bool:
        low = self.minimum is None or value >= self.minimum
        return low and (self.maximum is None or value <= self.maximum)


_ = QT_TRANSLATE_NOOP

THEME = Setting(
    "appearance.theme",
    "system",
    _("settings", "Colours"),
    _("settings", "Light or dark, or as the system has it."),
    choices=(
        ("system", _("settings", "As the system")),
        ("light", _("settings", "Light")),
        ("dark", _("settings", "Dark")),
        ("highContrast", _("settings", "High contrast")),
    ),
)
TEXT_SCALE = Setting(
    "appearance.text_scale",
    100,
    _("settings", "Text size, in percent"),
    _("settings", "Makes everything in the window larger or smaller."),
    minimum=75,
    maximum=200,
    step=25,
)
SYSTEM_PROMPT = Setting(
    "chat.system_prompt",
    "",
    _("settings", "System prompt"),
    _("settings", "What new conversations tell the model before the first message."),
    multiline=True,
)
OVERFLOW = Setting(
    "chat.overflow",
    "oldest",
    _("settings", "When the conversation is longer than the context"),
    _("settings", "Whole turns are left out, never half a one; the system prompt always stays."),
    choices=(
        ("oldest", _("settings", "Leave out the oldest turns")),
        ("stop", _("settings", "Stop and say so")),
    ),
)
THINKING = Setting(
    "chat.thinking",
    "auto",
    _("settings", "Thinking"),
    _("settings", "For models that can think before they answer, and can be told not to."),
    choices=(
        ("auto", _("settings", "As the model has it")),
        ("on", _("settings", "On")),
        ("off", _("settings", "Off")),
    ),
)
TEMPERATURE = Setting(
    "sampling.temperature",
    0.7,
    _("settings", "Temperature"),
    _("settings", "0 always takes the likeliest word; higher is more varied."),
    minimum=0.0,
    maximum=2.0,
    step=0.05,
)
TOP_P = Setting(
    "sampling.top_p",
    0.95,
    _("settings", "Top-p"),
    _("settings", "Keeps the likeliest tokens that together reach this probability. 1 is off."),
    minimum=0.0,
    maximum=1.0,
    step=0.01,
)
TOP_K = Setting(
    "sampling.top_k",
    40,
    _("settings", "Top-k"),
    _("settings", "Keeps this many of the likeliest tokens. 0 is off."),
    minimum=0,
    maximum=1000,
)
MIN_P = Setting(
    "sampling.min_p",
    0.05,
    _("settings", "Min-p"),
    _("settings", "Drops tokens less likely than this share of the likeliest one. 0 is off."),
    minimum=0.0,
    maximum=1.0,
    step=0.01,
)
REPEAT_PENALTY = Setting(
    "sampling.repeat_penalty",
    1.05,
    _("settings", "Repeat penalty"),
    _("settings", "Makes tokens written lately less likely. 1 is off."),
    minimum=1.0,
    maximum=2.0,
    step=0.01,
)
SEED = Setting(
    "sampling.seed",
    -1,
    _("settings", "Seed"),
    _("settings", "The same seed gives the same answer. -1 takes a new one each time."),
    minimum=-1,
    maximum=2**31 - 1,
)
TYPICAL_P = Setting(
    "sampling.typical_p",
    1.0,
    _("settings", "Typical-p"),
    _("settings", "Keeps tokens whose surprise is near the average. 1 is off."),
    minimum=0.0,
    maximum=1.0,
    step=0.01,
)
TOP_N_SIGMA = Setting(
    "sampling.top_n_sigma",
    0.0,
    _("settings", "Top-n-sigma"),
    _("settings", "Keeps tokens this many standard deviations below the likeliest one. 0 is off."),
    minimum=0.0,
    maximum=10.0,
    step=0.1,
)
XTC_PROBABILITY = Setting(
    "sampling.xtc_probability",
    0.0,
    _("settings", "XTC probability"),
    _("settings", "How often the likeliest tokens are left out, for variety. 0 is off."),
    minimum=0.0,
    maximum=1.0,
    step=0.05,
)
XTC_THRESHOLD = Setting(
    "sampling.xtc_threshold",
    0.1,
    _("settings", "XTC threshold"),
    _("settings", "Only tokens at least this likely are left out."),
    minimum=0.0,
    maximum=0.5,
    step=0.01,
)
FREQUENCY_PENALTY = Setting(
    "sampling.frequency_penalty",
    0.0,
    _("settings", "Frequency penalty"),
    _("settings", "Makes tokens less likely the more often they were written. 0 is off."),
    minimum=-2.0,
    maximum=2.0,
    step=0.05,
)
PRESENCE_PENALTY = Setting(
    "sampling.presence_penalty",
    0.0,
    _("settings", "Presence penalty"),
    _("settings", "Makes tokens less likely that were written at all. 0 is off."),
    minimum=-2.0,
    maximum=2.0,
    step=0.05,
)
PENALTY_LAST_N = Setting(
    "sampling.penalty_last_n",
    64,
    _("settings", "Tokens the penalties look at"),
    _("settings", "The last ones of the conversation. 0 is off."),
    minimum=0,
    maximum=65_536,
    step=64,
)
DRY_MULTIPLIER = Setting(
    "sampling.dry_multiplier",
    0.0,
    _("settings", "DRY strength"),
    _("settings", "Keeps the model from writing the same run of words again. 0 is off."),
    minimum=0.0,
    maximum=5.0,
    step=0.1,
)
DRY_BASE = Setting(
    "sampling.dry_base",
    1.75,
    _("settings", "DRY base"),
    _("settings", "How fast the penalty grows with the length of the repetition."),
    minimum=1.0,
    maximum=4.0,
    step=0.05,
)
DRY_ALLOWED_LENGTH = Setting(
    "sampling.dry_allowed_length",
    2,
    _("settings", "DRY allowed length"),
    _("settings", "Repetitions up to this many tokens are not penalized."),
    minimum=1,
    maximum=64,
    step=1,
)
DRY_PENALTY_LAST_N = Setting(
    "sampling.dry_penalty_last_n",
    1024,
    _("settings", "Tokens DRY looks at"),
    _("settings", "The last ones of the conversation."),
    minimum=0,
    maximum=65_536,
    step=64,
)
MIROSTAT = Setting(
    "sampling.mirostat",
    "off",
    _("settings", "Mirostat"),
    _(
        "settings",
        "Keeps the text at one level of surprise; top-k, top-p and the like are then not used.",
    ),
    choices=(
        ("off", _("settings", "Off")),
        ("1", _("settings", "Version 1")),
        ("2", _("settings", "Version 2")),
    ),
)
MIROSTAT_TAU = Setting(
    "sampling.mirostat_tau",
    5.0,
    _("settings", "Mirostat target"),
    _("settings", "The surprise to keep; lower is more focused."),
    minimum=0.0,
    maximum=10.0,
    step=0.1,
)
MIROSTAT_ETA = Setting(
    "sampling.mirostat_eta",
    0.1,
    _("settings", "Mirostat learning rate"),
    _("settings", "How fast it gets there."),
    minimum=0.0,
    maximum=1.0,
    step=0.01,
)
STOP_STRINGS = Setting(
    "sampling.stop",
    "",
    _("settings", "Stop strings"),
    _("settings", "One on each line. The answer ends before the first that is written."),
    multiline=True,
)
LOGIT_BIAS = Setting(
    "sampling.logit_bias",
    "",
    _("settings", "Word bias"),
    _(
        "settings",
        "One word and a number on each line, as in: delve -5. Above 0 is likelier; -100 is never.",
    ),
    multiline=True,
)
JSON_SCHEMA = Setting(
    "sampling.json_schema",
    "",
    _("settings", "JSON schema"),
    _("settings", "The answer will be a JSON document of this form. Empty is off."),
    multiline=True,
)
GRAMMAR = Setting(
    "sampling.grammar",
    "",
    _("settings", "Grammar"),
    _("settings", "In GBNF, llama.cpp’s form. The answer follows it. Empty is off."),
    multiline=True,
)
MAX_TOKENS = Setting(
    "sampling.max_tokens",
    0,
    _("settings", "Longest answer, in tokens"),
    _("settings", "0 lets an answer fill the context."),
    minimum=0,
    maximum=1_000_000,
    step=64,
)
N_CTX = Setting(
    "engine.n_ctx",
    4096,
    _("settings", "Context, in tokens"),
    _("settings", "How much of the conversation the model sees. More takes more memory."),
    minimum=256,
    maximum=1_048_576,
    step=1024,
)
N_THREADS = Setting(
    "engine.n_threads",
    0,
    _("settings", "Threads"),
    _("settings", "0 takes what was measured to be fastest, or one per fast core."),
    minimum=0,
    maximum=256,
)
FLASH_ATTN = Setting(
    "engine.flash_attn",
    "auto",
    _("settings", "Flash attention"),
    _("settings", "Automatic: as it was measured to be faster; before that, on for GPUs only."),
    choices=(
        ("auto", _("settings", "Automatic")),
        ("on", _("settings", "On")),
        ("off", _("settings", "Off")),
    ),
)
KV_TYPE = Setting(
    "engine.kv_type",
    "f16",
    _("settings", "Context precision"),
    _("settings", "q8_0 halves the context's memory at almost no loss, but needs flash attention."),
    choices=(
        ("f16", _("settings", "f16")),
        ("q8_0", _("settings", "q8_0")),
        ("q4_0", _("settings", "q4_0")),
    ),
)
DOWNLOAD_LIMIT = Setting(
    "downloads.limit_mb_s",
    0.0,
    _("settings", "Speed limit, in MB per second"),
    _("settings", "For all downloads together. 0 is no limit."),
    minimum=0.0,
    maximum=10_000.0,
    step=1,
)
DOWNLOADS_AT_ONCE = Setting(
    "downloads.at_once",
    2,
    _("settings", "Downloads at the same time"),
    _("settings", "The others wait for their turn."),
    minimum=1,
    maximum=4,
)
HUB_ENDPOINTS = Setting(
    "downloads.endpoints",
    "",
    _("settings", "Where to download from"),
    _(
        "settings",
        "Addresses of a hub and its mirrors, separated by commas; they are tried in this order. "
        "Empty is huggingface.co, or what HF_ENDPOINT says.",
    ),
)
LOOKUP = Setting(
    "engine.lookup",
    "auto",
    _("settings", "Guessing ahead"),
    _("settings", "Faster where an answer quotes the conversation. The model checks each guess."),
    choices=(
        ("auto", _("settings", "Automatic")),
        ("off", _("settings", "Off")),
    ),
)
STATES_LIMIT = Setting(
    "engine.states_limit_mb",
    4000,
    _("settings", "Disk for reopening conversations quickly, in MB"),
    _("settings", "A conversation is then not read again when it is reopened. 0 keeps nothing."),
    minimum=0,
    maximum=1_000_000,
    step=500,
)
TUNE = Setting(
    "engine.tune",
    "auto",
    _("settings", "Measure what is fastest"),
    _(
        "settings",
        "Once for each model, a few seconds while nothing is asked: threads and flash attention.",
    ),
    choices=(
        ("auto", _("settings", "Automatic")),
        ("off", _("settings", "Off")),
    ),
)
IDLE_UNLOAD_MIN = Setting(
    "engine.idle_unload_min",
    30,
    _("settings", "Free the memory after so many idle minutes"),
    _("settings", "The model is loaded again when you begin to write. 0 never frees it."),
    minimum=0,
    maximum=1440,
    step=5,
)
DRAFT_MODEL = Setting("engine.draft_model", "")  # the path of a small model that guesses
MODEL = Setting("chat.model", "")
RECENT_MODELS = Setting("chat.recent_models", "")  # files opened by hand, a JSON list
LIBRARY_FOLDERS = Setting("library.folders", "")  # folders with models, a JSON list
WINDOW_GEOMETRY = Setting("window.geometry", "")
SHOW_LIST = Setting("window.show_list", True)
SHOW_INSPECTOR = Setting("window.show_inspector", True)

APPEARANCE = (THEME, TEXT_SCALE)
CHAT = (SYSTEM_PROMPT, OVERFLOW, THINKING)
SAMPLING = (
    TEMPERATURE,
    TOP_P,
    TOP_K,
    MIN_P,
    REPEAT_PENALTY,
    SEED,
    MAX_TOKENS,
    TYPICAL_P,
    TOP_N_SIGMA,
    XTC_PROBABILITY,
    XTC_THRESHOLD,
    FREQUENCY_PENALTY,
    PRESENCE_PENALTY,
    PENALTY_LAST_N,
    DRY_MULTIPLIER,
    DRY_BASE,
    DRY_ALLOWED_LENGTH,
    DRY_PENALTY_LAST_N,
    MIROSTAT,
    MIROSTAT_TAU,
    MIROSTAT_ETA,
    STOP_STRINGS,
    LOGIT_BIAS,
    JSON_SCHEMA,
    GRAMMAR,
)
ENGINE = (N_CTX, N_THREADS, FLASH_ATTN, KV_TYPE, TUNE, LOOKUP, STATES_LIMIT, IDLE_UNLOAD_MIN)
DOWNLOADS = (DOWNLOAD_LIMIT, DOWNLOADS_AT_ONCE, HUB_ENDPOINTS)
HIDDEN = (
    DRAFT_MODEL,
    MODEL,
    RECENT_MODELS,
    LIBRARY_FOLDERS,
    WINDOW_GEOMETRY,
    SHOW_LIST,
    SHOW_INSPECTOR,
)
SECTIONS: tuple[tuple[Message, tuple[Setting[str] | Setting[int] | Setting[float], ...]], ...] = (
    (_("settings", "Appearance"), APPEARANCE),
    (_("settings", "Chat"), CHAT),
    (_("settings", "Sampling"), SAMPLING),
    (_("settings", "Engine"), ENGINE),
    (_("settings", "Downloads"), DOWNLOADS),
)


def hub_endpoints(text: str) -> tuple[str, ...]:
    """The addresses in HUB_ENDPOINTS; a bare host name means https."""
    names = (name.strip().rstrip("/") for name in text.split(","))
    return tuple(name if "://" in name else f"https://{name}" for name in names if name)


class Settings:
    """The values in force. `problem` says so when the file could not be read and was set aside."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.problem: AppError | None = None
        self._values: dict[str, object] = self._read()
        self._over: dict[str, object] = {}

    def get(self, setting: Setting[T]) -> T:
        """The value, or the default where there is none or it is not acceptable."""
        value = self._over.get(setting.key, self._values.get(setting.key, setting.default))
        if not setting.accepts(value):
            return setting.default
        if isinstance(setting.default, float) and isinstance(value, int):
            value = float(value)
        return cast(T, value)

    def is_set(self, setting: Setting[T]) -> bool:
        """Whether a person chose a value; else a model's own default may take its place."""
        value = self._over.get(setting.key, self._values.get(setting.key))
        return value is not None and setting.accepts(value)

    def lay_over(self, setting: Setting[T], value: T) -> None:
        """Take `value` from now on, without keeping it. Raises SettingsError."""
        self._check(setting, value)
        self._over[setting.key] = value

    def set(self, setting: Setting[T], value: T) -> None:
        """Keep `value` and write the file. Raises SettingsError; the old file then stays."""
        self._check(setting, value)
        if self._values.get(setting.key) == value:
            return
        self._values[setting.key] = value
        self._write()

    def reset(self, setting: Setting[T]) -> None:
        if self._values.pop(setting.key, None) is not None:
            self._write()

    def _check(self, setting: Setting[T], value: T) -> None:
        if not setting.accepts(value):
            raise SettingsError(
                _("settings", "{key} cannot be {value}.").fill(key=setting.key, value=str(value))
            )

    def _write(self) -> None:
        data = json.dumps(self._values, indent=1, sort_keys=True, ensure_ascii=False)
        try:
            write_atomic(self._path, data.encode())
        except OSError as error:
            raise SettingsError(
                _("settings", "The settings could not be saved."),
                _(
                    "settings", "Check that the disk is not full and that {folder} can be written."
                ).fill(folder=str(self._path.parent)),
                str(error),
            ) from error

    def _read(self) -> dict[str, object]:
        try:
            values = json.loads(self._path.read_text("utf-8"))
            if not isinstance(values, dict):
                raise ValueError("not an object")
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, RecursionError) as error:
            self.problem = self._keep_aside(error)
            return {}
        return values

    def _keep_aside(self, error: Exception) -> AppError:
        try:
            kept = str(set_aside(self._path, "unreadable"))
        except OSError:
            kept = str(self._path)
        return SettingsError(
            _("settings", "The settings could not be read, so the defaults are used."),
            _("settings", "The old file is kept as {path}.").fill(path=kept),
            str(error),
        )
