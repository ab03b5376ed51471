"""Why a checkpoint does not fit the family it says it is of, in plain words.

Every sentence that `arch` can fail with is made here. Names out of files may hold anything, so they
are shortened to one printable line.
"""

from __future__ import annotations

from pathlib import Path

from quantize.checkpoint_errors import shown
from quantize.errors import CheckpointError, UnsupportedError
from quantize.messages import QT_TRANSLATE_NOOP

_MIXED = QT_TRANSLATE_NOOP(
    "arch", "Files of two models may be mixed. Get all files of the model again."
)
_GET_ALL = QT_TRANSLATE_NOOP("arch", "Get all files of the model into one folder.")
_OTHER_WAY = QT_TRANSLATE_NOOP(
    "arch",
    'Choose a GGUF of it, or get the official converter: pip install "nibble-chat[convert-all]"',
)


def unknown_family(path: Path, family: str) -> UnsupportedError:
    text = QT_TRANSLATE_NOOP("arch", "Nibble cannot convert “{family}” models.")
    return UnsupportedError(path, text.fill(family=shown(family)), _OTHER_WAY)


def unsupported(path: Path, feature: str) -> UnsupportedError:
    """`feature`: what of config.json is not known for this family, as "rope_type dynamic"."""
    text = QT_TRANSLATE_NOOP("arch", "{name} asks for {feature}, which Nibble does not know.")
    filled = text.fill(name=shown(path), feature=shown(feature))
    return UnsupportedError(path, filled, _OTHER_WAY)


def unknown_tensor(path: Path, origin: str, family: str) -> UnsupportedError:
    text = QT_TRANSLATE_NOOP(
        "arch", "{origin} is no part of a “{family}” model that Nibble knows; nothing is left out."
    )
    filled = text.fill(origin=shown(origin), family=shown(family))
    return UnsupportedError(path, filled, _OTHER_WAY)


def missing_tensor(path: Path, tensor: str) -> CheckpointError:
    """`tensor` under its name in the checkpoint."""
    text = QT_TRANSLATE_NOOP("arch", "The tensor {tensor} is missing: the model is not complete.")
    return CheckpointError(path, text.fill(tensor=shown(tensor)), _GET_ALL)


def wrong_shape(
    path: Path, origin: str, found: tuple[int, ...], wanted: tuple[int, ...]
) -> CheckpointError:
    text = QT_TRANSLATE_NOOP(
        "arch", "{origin} has the shape {found}, but config.json asks for {wanted}."
    )
    filled = text.fill(
        origin=shown(origin), found=shown(str(list(found))), wanted=shown(str(list(wanted)))
    )
    return CheckpointError(path, filled, _MIXED)


def double_tensor(path: Path, origin: str, name: str) -> CheckpointError:
    text = QT_TRANSLATE_NOOP("arch", "{origin} would become {tensor}, which is there already.")
    return CheckpointError(path, text.fill(origin=shown(origin), tensor=shown(name)), _MIXED)


def bad_value(path: Path, key: str, value: object) -> CheckpointError:
    """A number under `key` (in the checkpoint or in the GGUF) that no model can have."""
    text = QT_TRANSLATE_NOOP("arch", "{name}: “{key}” cannot be {value}.")
    filled = text.fill(name=shown(path), key=shown(key), value=shown(repr(value)))
    return CheckpointError(path, filled, _GET_ALL)
