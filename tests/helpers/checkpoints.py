"""A small checkpoint of every family, with the same random weights on every machine.

`CASES` say what each is for; `write_case` makes its folder, on purpose without `quantize` and
without torch, so that what the official converter made of it once (tests/goldens/identity.json) can
be compared with what we make of it now. Weights come from the raw stream of a seeded PCG64 by
whole-number arithmetic: neither numpy's releases nor a libm can change a bit.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tests.helpers import tokenizers
from tests.helpers.checkpoint_shapes import SHAPES, Shapes
from tests.helpers.safetensors_files import Raw, write_safetensors, write_index

Json = dict[str, Any]
F32Array = npt.NDArray[np.float32]
