"""The COM calls of DXGI, on interfaces made of Python functions: the table's places are right."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

from app.engine.gpus import dxgi

NOT_FOUND = -0x7785FFFE  # DXGI_ERROR_NOT_FOUND
NO_INTERFACE = -0x7FFFBFFE


class Interface:
    """A COM object: a pointer to a table of functions. Those not given must not be called."""

    def __init__(self, n_places: int, functions: dict[int, Callable[..., int]]) -> None:
        self.released = 0
        kinds = {2: 0, **{place: f.__code__.co_argcount for place, f in functions.items()}}
        everything = {2: self._release, **functions}
        self._keep = {
            place: ctypes.CFUNCTYPE(ctypes.c_long, ctypes.c_void_p, *[ctypes.c_void_p] * n)(
                self._without_self(everything[place])
            )
            for place, n in kinds.items()
        }
        self._table = (ctypes.c_void_p * n_places)()
        for place, function in self._keep.items():
            self._table[place] = ctypes.cast(function, ctypes.c_void_p).value
        self._object = ctypes.c_void_p(ctypes.addressof(self._table))
        self.pointer = ctypes.c_void_p(ctypes.addressof(self._object))

    @staticmethod
    def _without_self(function: Callable[..., int]) -> Callable[..., int]:
        return lambda _, *arguments: function(*arguments)

    def _release(self) -> int:
        self.released += 1
        return 0


def _write(address: int, value: Any) -> int:
    ctypes.memmove(address, ctypes.byref(value), ctypes.sizeof(value))
    return 0


def _description(name: str) -> dxgi._Description:
    description = dxgi._Description(vendor_id=0x1002, device_id=0x73FF, luid=7)
    description.description[: len(name)] = [ord(letter) for letter in name]
    description.dedicated_video, description.shared_system = 8 << 30, 16 << 30
    return description


def test_layouts_are_those_of_the_sdk() -> None:
    assert ctypes.sizeof(dxgi._Description) == 312
    assert dxgi._Description.flags.offset == 304
    assert ctypes.sizeof(dxgi._Budget) == 32
    assert bytes(dxgi._FACTORY_1)[:4] == bytes.fromhex("78ae0a77")


def test_adapters_are_read_and_released() -> None:
    newer = Interface(
        20,
        {14: lambda node, segment, info: _write(info, dxgi._Budget(budget=7 << 30, used=1 << 30))},
    )
    with_budget = Interface(
        20,
        {
            0: lambda _, out: _write(out, newer.pointer),
            10: lambda out: _write(out, _description("AMD Radeon RX 6600")),
        },
    )
    without = Interface(
        20,
        {0: lambda _, out: NO_INTERFACE, 10: lambda out: _write(out, _description("Alt"))},
    )
    adapters = [with_budget, without]

    def enumerate_adapters(i: int | None, out: int) -> int:
        place = i or 0
        return _write(out, adapters[place].pointer) if place < len(adapters) else NOT_FOUND

    factory = Interface(20, {12: enumerate_adapters})
    first, second = dxgi._adapters(factory.pointer)
    assert first == dxgi.Reading(
        "AMD Radeon RX 6600", 0x1002, 0x73FF, 8 << 30, 16 << 30, 7, 0, 7 << 30, 1 << 30
    )
    assert (second.description, second.budget_bytes) == ("Alt", 0)
    assert [each.released for each in (newer, with_budget, without)] == [1, 1, 1]
