"""What one installed model is: its files, where it comes from, and what is the matter with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType

from app.core.errors import QT_TRANSLATE_NOOP, Message


class Source(StrEnum):
    """Who the file belongs to. Only those of Nibble's and the user's folders may be deleted."""

    NIBBLE = "nibble"
    HUGGINGFACE = "huggingface"
    LMSTUDIO = "lmstudio"
    OLLAMA = "ollama"
    GPT4ALL = "gpt4all"
    JAN = "jan"
    FOLDER = "folder"  # one that the user added
    OPENED = "opened"  # by hand, from anywhere

    @property
    def is_app(self) -> bool:
        return self in APP_NAMES


APP_NAMES: Mapping[Source, str] = MappingProxyType(
    {
        Source.HUGGINGFACE: "Hugging Face",
        Source.LMSTUDIO: "LM Studio",
        Source.OLLAMA: "Ollama",
        Source.GPT4ALL: "GPT4All",
        Source.JAN: "Jan",
    }
)


@dataclass(frozen=True, slots=True)
class Notice:
    """What is the matter with a model, and the way on."""

    text: Message
    hint: Message


@dataclass(frozen=True, slots=True)
class InstalledModel:
    """A model that can be loaded by `path`. `name` is for people: "SmolLM2 135M Instruct".

    `size_bytes` counts all `files`, not the `mmproj`, the part that it sees with. `aliases` are
    what other apps call it ("llama3.2:3b"), `repo` where it was fetched from ("org/name"), where
    that is known. `sha256`: of a file in one piece; not necessarily checked here. `also_at`: other
    names of the very same file. `is_duplicate_of` names a file with the same content; until both
    were hashed `is_surely_duplicate` is false. One that `is_usable` not has a `notice` why.
    """

    path: Path
    name: str
    variant: str
    architecture: str
    size_bytes: int
    n_params: int
    n_ctx_train: int
    is_starter: bool = False
    source: Source = Source.NIBBLE
    parts: tuple[Path, ...] = ()
    mmproj: Path | None = None
    mmproj_bytes: int = 0
    aliases: tuple[str, ...] = ()
    repo: str = ""
    commit: str = ""
    sha256: str = ""
    also_at: tuple[Path, ...] = ()
    is_duplicate_of: Path | None = None
    is_surely_duplicate: bool = False
    is_usable: bool = True
    notice: Notice | None = None

    @property
    def files(self) -> tuple[Path, ...]:
        """All parts, the one to load first."""
        return self.parts or (self.path,)

    @property
    def app_name(self) -> str:
        """The app that the file belongs to, or ""."""
        return APP_NAMES.get(self.source, "")


_ = QT_TRANSLATE_NOOP

SOURCE_WORDS: Mapping[Source, Message] = MappingProxyType(
    {
        Source.NIBBLE: _("library", "Nibble's folder"),
        Source.FOLDER: _("library", "Your folder"),
        Source.OPENED: _("library", "Opened by hand"),
        **{source: _("library", "From {app}").fill(app=name) for source, name in APP_NAMES.items()},
    }
)
