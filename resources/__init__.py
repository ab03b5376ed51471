"""Files that ship with Nibble; `path` is the only code here."""

from pathlib import Path

_ROOT = Path(__file__).resolve().parent


def path(name: str) -> Path:
    """The absolute path of the resource `name` ("icons/chat.svg"); it need not exist."""
    return _ROOT / name
