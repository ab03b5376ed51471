"""Graphics processors of Windows, through DXGI (dxgi.dll, part of the system).

Reading (COM calls by their place in the interface's table) and understanding are apart. Source:
dxgi.h, dxgi1_2.h and dxgi1_4.h of the Windows SDK, "DXGI overview".
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from app.core.hardware import known
from app.core.hardware.types import FoundGpu

_SOFTWARE = 2  # DXGI_ADAPTER_FLAG_SOFTWARE: Microsoft's Basic Render Driver
_MICROSOFT = 0x1414
_SMALL_BYTES = 1 << 30  # an integrated one is given 128 to 512 MB of its own
# Places in the interfaces' tables, the inherited ones counted.
_RELEASE, _QUERY_INTERFACE = 2, 0
_ENUM_ADAPTERS_1 = 12  # IDXGIFactory1
_GET_DESC_1 = 10  # IDXGIAdapter1
_QUERY_VIDEO_MEMORY_INFO = 14  # IDXGIAdapter3
_LOCAL_SEGMENT = 0
_LIMIT = 32


@dataclass(frozen=True, slots=True)
class Reading:
    """One adapter (DXGI_ADAPTER_DESC1), and what its local memory has left (IDXGIAdapter3).

    `budget_bytes` and `used_bytes`: this process's, 0 where the system is too old to say.
    """

    description: str
    vendor_id: int
    device_id: int
    dedicated_bytes: int
    shared_bytes: int
    luid: int
    flags: int = 0
    budget_bytes: int = 0
    used_bytes: int = 0


class DxgiSource:
    name = "dxgi"

    def __init__(self, read: Callable[[], list[Reading]] | None = None) -> None:
        self._read = read or read_dxgi

    def find(self) -> tuple[FoundGpu, ...]:
        """An adapter that is listed twice (a second screen, a remote session) counts once."""
        once: dict[int, Reading] = {}
        for reading in self._read():
            once.setdefault(reading.luid, reading)
        return tuple(understand(reading) for reading in once.values() if _is_real(reading))


def _is_real(reading: Reading) -> bool:
    is_software = bool(reading.flags & _SOFTWARE) or reading.vendor_id == _MICROSOFT
    return not is_software and not known.is_too_old(reading.vendor_id, reading.device_id)


def understand(reading: Reading) -> FoundGpu:
    is_integrated = reading.dedicated_bytes < _SMALL_BYTES and reading.shared_bytes > 0
    own = reading.dedicated_bytes
    total = own + reading.shared_bytes if is_integrated else own
    left = max(0, reading.budget_bytes - reading.used_bytes)
    return FoundGpu(
        source="dxgi",
        name=known.tidy(reading.description),
        vendor=known.VENDORS.get(reading.vendor_id, ""),
        total_bytes=total,
        free_bytes=0 if is_integrated else min(left, total),
        is_integrated=is_integrated,
        own_bytes=0 if is_integrated else own,
        own_free_bytes=0 if is_integrated else min(left, own),
    )


# --- reading ----------------------------------------------------------------------------------


class _Guid(ctypes.Structure):
    _fields_ = (
        ("data1", ctypes.c_uint32),
        ("data2", ctypes.c_uint16),
        ("data3", ctypes.c_uint16),
        ("data4", ctypes.c_ubyte * 8),
    )


class _Description(ctypes.Structure):
    """DXGI_ADAPTER_DESC1."""

    _fields_ = (
        ("description", ctypes.c_uint16 * 128),
        ("vendor_id", ctypes.c_uint32),
        ("device_id", ctypes.c_uint32),
        ("subsystem_id", ctypes.c_uint32),
        ("revision", ctypes.c_uint32),
        ("dedicated_video", ctypes.c_size_t),
        ("dedicated_system", ctypes.c_size_t),
        ("shared_system", ctypes.c_size_t),
        ("luid", ctypes.c_int64),
        ("flags", ctypes.c_uint32),
    )


class _Budget(ctypes.Structure):
    """DXGI_QUERY_VIDEO_MEMORY_INFO."""

    _fields_ = (
        ("budget", ctypes.c_uint64),
        ("used", ctypes.c_uint64),
        ("available_for_reservation", ctypes.c_uint64),
        ("reserved", ctypes.c_uint64),
    )


def _guid(text: str) -> _Guid:
    digits = text.replace("-", "")
    tail = (ctypes.c_ubyte * 8).from_buffer_copy(bytes.fromhex(digits[16:]))
    return _Guid(int(digits[:8], 16), int(digits[8:12], 16), int(digits[12:16], 16), tail)


_FACTORY_1 = _guid("770aae78-f26f-4dba-a829-253c83d1b387")
_ADAPTER_3 = _guid("645967a4-1392-4310-a798-8053ce3e93fd")


def read_dxgi() -> list[Reading]:
    """Ask Windows for its adapters. Raises OSError where DXGI does not answer."""
    if sys.platform != "win32":
        raise OSError("DXGI is a part of Windows")
    factory = ctypes.c_void_p()
    create = ctypes.WinDLL("dxgi").CreateDXGIFactory1
    if create(ctypes.byref(_FACTORY_1), ctypes.byref(factory)) < 0:
        raise OSError("CreateDXGIFactory1 failed")
    try:
        return _adapters(factory)
    finally:
        _call(factory, _RELEASE)


def _adapters(factory: ctypes.c_void_p) -> list[Reading]:
    found: list[Reading] = []
    for i in range(_LIMIT):
        adapter = ctypes.c_void_p()
        place = ctypes.c_uint32(i)
        if _call(factory, _ENUM_ADAPTERS_1, place, ctypes.byref(adapter)) < 0:
            break  # DXGI_ERROR_NOT_FOUND: that was the last one
        try:
            found.append(_reading(adapter))
        finally:
            _call(adapter, _RELEASE)
    return found


def _reading(adapter: ctypes.c_void_p) -> Reading:
    says, budget = _Description(), _budget(adapter)
    if _call(adapter, _GET_DESC_1, ctypes.byref(says)) < 0:
        raise OSError("GetDesc1 failed")
    text = bytes(says.description).decode("utf-16-le", "replace").partition("\0")[0]
    return Reading(
        description=text,
        vendor_id=says.vendor_id,
        device_id=says.device_id,
        dedicated_bytes=says.dedicated_video,
        shared_bytes=says.shared_system,
        luid=says.luid,
        flags=says.flags,
        budget_bytes=budget.budget,
        used_bytes=budget.used,
    )


def _budget(adapter: ctypes.c_void_p) -> _Budget:
    """Zeros before Windows 10, which has no IDXGIAdapter3."""
    newer, info = ctypes.c_void_p(), _Budget()
    asked = _call(adapter, _QUERY_INTERFACE, ctypes.byref(_ADAPTER_3), ctypes.byref(newer))
    if asked < 0:
        return info
    node, segment = ctypes.c_uint32(0), ctypes.c_uint32(_LOCAL_SEGMENT)
    _call(newer, _QUERY_VIDEO_MEMORY_INFO, node, segment, ctypes.byref(info))
    _call(newer, _RELEASE)
    return info


def _call(interface: ctypes.c_void_p, place: int, *arguments: Any) -> int:
    """Call the function at `place` of a COM interface's table; returns its HRESULT."""
    table = ctypes.cast(interface, ctypes.POINTER(ctypes.POINTER(ctypes.c_void_p)))
    prototype = ctypes.CFUNCTYPE(ctypes.c_long, ctypes.c_void_p, *(_type(a) for a in arguments))
    function = prototype(table[0][place])
    return int(function(interface, *arguments))


def _type(argument: Any) -> Any:
    return type(argument) if isinstance(argument, ctypes.c_uint32) else ctypes.c_void_p
