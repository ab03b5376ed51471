"""GPT4All: GGUF files side by side in its data folder, or in the one that its settings name.

Source: gpt4all-chat, src/mysettings.cpp (`modelPath`) and src/download.cpp ("incomplete-…").
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from app.core.library.apps.system import System, distinct, read_text
from app.core.library.group import Found, grouped
from app.core.library.model import Source
from app.core.library.walk import Limits, Walk

_MODEL_PATH = re.compile(r"^modelPath\s*=\s*\"?(?P<path>[^\"\r\n]+)", re.MULTILINE)


def folders(system: System) -> list[Path]:
    settings = read_text(system.config / "nomic.ai" / "GPT4All.ini")
    match = _MODEL_PATH.search(settings)
    named = system.expanded(match["path"].strip().replace("\\\\", "\\")) if match else None
    return distinct([named, system.local_data / "nomic.ai" / "GPT4All"])


def find(root: Path) -> Iterable[Found]:
    files = Walk(root, limits=Limits(max_entries=20_000, max_depth=3))
    whole = (path for path in files if not path.name.startswith("incomplete-"))
    return grouped(whole, Source.GPT4ALL)
