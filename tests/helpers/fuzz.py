"""Property tests over hostile input: some hundred seeded cases each; 10,000 in `dev soak`."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, TypeVar

import pytest
from hypothesis import settings

N_CASES = int(os.environ.get("NIBBLE_FUZZ_CASES", "200"))
_Test = TypeVar("_Test", bound=Callable[..., Any])


def fuzz(test: _Test) -> _Test:
    """Run the property `test` N_CASES times, the same cases every time."""
    seeded = settings(max_examples=N_CASES, deadline=None, derandomize=True, database=None)
    return pytest.mark.fuzz(seeded(test))
