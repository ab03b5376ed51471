"""Examining this computer with probe children that crash, hang, talk nonsense or lie.

The children are real processes (tests/helpers/fake_probe.py); no driver is needed for the faults.
"""

from __future__ import annotations

import contextlib
import json
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app import paths
from app.child import Child
from app.core import hardware
from app.core.errors import EngineError
from app.core.hardware import GpuState, Hardware
from app.engine.client import examine, probe, probe_devices
from app.engine.protocol import ProtocolError, decode_probe_answer
from app.engine.speedcache import recall, remember
from tests.helpers import fake_probe
from tests.helpers.fuzz import fuzz

Look = Callable[..., Hardware]
GIB = 1 << 30
LIMIT_S = 20.0  # for children that answer: far beyond what they take on a busy machine
SHORT_S = 1.0  # for those that hang
needs_signals = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals")


@pytest.fixture
def look(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Look:
    def looked(body: str = "", limit_s: float = LIMIT_S, **how: str) -> Hardware:
        fake_probe.install(monkeypatch, body, **how)
        return examine(tmp_path, limit_s)

    return looked


def _is_sane(found: Hardware) -> bool:
    sizes = [(gpu.total_bytes, gpu.free_bytes) for gpu in found.gpus]
    return all(0 <= free <= total < 1 << 44 for total, free in sizes) and bool(found.cpu.name)


def test_a_probe_that_behaves(look: Look) -> None:
    found = look()
    (gpu,) = found.gpus
    assert (gpu.name, gpu.state, gpu.free_bytes) == (
        "NVIDIA GeForce RTX 4060",
        GpuState.USED,
        6 * GIB,
    )
    assert [device.kind for device in found.devices] == ["gpu", "cpu"]
    assert found.ram_bandwidth == 20 * 10**9
    assert found.probe_error is None


@needs_signals
@pytest.mark.parametrize("number", ["SIGSEGV", "SIGABRT", "SIGKILL", "SIGBUS"])
def test_a_driver_that_crashes_under_llama_cpp(look: Look, number: str) -> None:
    body = f"def fault(stage):\n  if stage == 'ggml': os.kill(os.getpid(), signal.{number})\n"
    found = look(body)
    assert "driver crashed" in str(found.probe_error)
    assert found.devices == ()
    (gpu,) = found.gpus  # a second child still asked the others
    assert gpu.state is GpuState.UNKNOWN
    assert hardware.gpu_hint(gpu)
    assert found.ram_bandwidth == 20 * 10**9


@needs_signals
def test_a_processor_that_cannot_run_llama_cpp(look: Look) -> None:
    body = "def fault(stage):\n  if stage == 'ggml': os.kill(os.getpid(), signal.SIGILL)\n"
    assert "lacks instructions" in str(look(body).probe_error)


@needs_signals
def test_a_library_that_crashes_costs_only_what_it_would_have_said(look: Look) -> None:
    body = "def fault(stage):\n  if stage == 'nvml': os.kill(os.getpid(), signal.SIGSEGV)\n"
    found = look(body)
    (gpu,) = found.gpus
    assert (gpu.state, gpu.free_bytes, gpu.driver) == (GpuState.USED, 7 * GIB, "")
    assert found.probe_error is None
    assert found.ram_bandwidth == 20 * 10**9


def test_a_driver_that_hangs(look: Look) -> None:
    body = "def fault(stage):\n  if stage == 'ggml': time.sleep(60)\n"
    found = look(body, SHORT_S)
    assert "did not answer in time" in str(found.probe_error)
    assert found.devices == ()
    assert _is_sane(found)


def test_a_library_that_hangs_keeps_what_llama_cpp_said(look: Look) -> None:
    body = "def fault(stage):\n  if stage == 'nvml': time.sleep(60)\n"
    found = look(body, 3 * SHORT_S)
    assert [gpu.state for gpu in found.gpus] == [GpuState.USED]
    assert found.probe_error is None


def test_a_child_that_never_says_a_word(look: Look) -> None:
    found = look(tail="time.sleep(60)", limit_s=SHORT_S / 4)
    assert "did not answer" in str(found.probe_error)
    assert _is_sane(found)


def test_a_child_that_the_kernel_does_not_let_go(
    look: Look, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_go = threading.Event()
    close = Child.close

    def close_late(child: Child) -> None:
        let_go.wait(LIMIT_S)
        close(child)

    monkeypatch.setattr(Child, "close", close_late)
    monkeypatch.setattr("app.engine.examine._END_LIMIT_S", 0.05)
    assert look().probe_error is None
    let_go.set()


@pytest.mark.parametrize(
    "nonsense",
    [
        "print('NVRM: GPU fell off the bus')",
        "sys.stdout.buffer.write(b'\\xff\\xfe\\0' * 99 + b'\\n')",
        "print('[' * 100000)",
        "print('x' * 3_000_000)",
        "print('{}')",
        'print(\'{"type": "ProbePart", "stage": "ggml", "devices": 7}\')',
        'print(\'{"type": "ProbePart", "stage": "another"}\')',
        'print(\'{"type": "ProbeStages", "stages": ["ggml"]}\')',
        "sys.exit(0)",
        "sys.exit(3)",
        "os.close(1)",
    ],
)
def test_a_child_that_talks_nonsense(look: Look, nonsense: str) -> None:
    found = look(f"def fault(stage):\n  if stage == 'ggml': {nonsense}; sys.stdout.flush()\n")
    assert found.probe_error is not None
    assert found.devices == ()
    assert _is_sane(found)


def test_a_child_that_ends_at_once(look: Look) -> None:
    assert look(tail="").probe_error is not None


def test_a_child_that_cannot_be_started(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("app.child.command_line", lambda name: [str(tmp_path / "missing")])
    found = examine(tmp_path)
    assert found.probe_error is not None
    assert _is_sane(found)
    with pytest.raises(EngineError, match="could not be examined"):
        probe_devices()


@pytest.mark.parametrize(
    ("total", "free"),
    [
        ("8*GIB", "99*GIB"),
        ("-1", "-1"),
        ("2**63", "2**62"),
        ("8*GIB", "2**64 - 5"),
        ("GIB", "-GIB"),
    ],
)
def test_a_driver_that_lies_about_memory(look: Look, total: str, free: str) -> None:
    found = look(
        f"card.update(total_bytes={total}, free_bytes={free}); parts['nvml'] = dict(gpus=[])"
    )
    assert "impossible amount of memory" in str(found.probe_error)
    assert _is_sane(found)
    assert found.devices[1].total_bytes == 16 * GIB


def test_a_library_that_lies_is_corrected_by_llama_cpp(look: Look) -> None:
    found = look("parts['nvml'] = dict(gpus=[gpu(total=10*GIB, free=-3)])")
    assert found.probe_error is not None
    assert (found.gpus[0].total_bytes, found.gpus[0].free_bytes) == (8 * GIB, 7 * GIB)


def test_one_gpu_through_two_backends_and_three_sources(look: Look) -> None:
    found = look(
        "parts['ggml']['devices'].insert(1, dict(card, name='Vulkan0', backend='vulkan'))\n"
        "parts['nvml']['gpus'] += [gpu(), gpu()]\n"
    )
    assert len(found.gpus) == 1
    assert len(found.devices) == 3


def test_more_gpus_than_there_can_be(look: Look) -> None:
    found = look("parts['nvml'] = dict(gpus=[gpu(pci=f'0000:{i:02x}:00.0') for i in range(5000)])")
    assert len(found.gpus) <= 64


def test_absurd_speeds_are_not_believed(look: Look) -> None:
    found = look("parts['bandwidth']['bandwidth']['bytes_per_s'] = 10**15")
    assert found.ram_bandwidth == 0


def test_nvidias_library_says_what_its_processors_lack(look: Look) -> None:
    body = (
        "parts['ggml']['devices'] = [cpu]\n"
        "parts['nvml'] = dict(missing='NVIDIA driver', trouble='Driver Not Loaded')\n"
        "parts['drm'] = dict(gpus=[gpu()])\n"
        "stages = [*parts]\n"
    )
    (gpu,) = look(body).gpus
    assert (gpu.state, gpu.missing) == (GpuState.NO_DRIVER, "NVIDIA driver")


def test_troubles_are_kept_for_the_doctor(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_probe.install(monkeypatch, "parts['nvml'] = dict(trouble='Not Found')")
    assert probe().troubles == ("nvml: Not Found",)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=6,
)
_FIELDS = ("stage", "stages", "devices", "gpus", "bandwidth", "features", "n_efficiency")


@fuzz
@given(
    st.sampled_from(["ProbePart", "ProbeStages"]),
    st.dictionaries(st.sampled_from(_FIELDS), _JSON),
    st.binary(max_size=20),
)
def test_whatever_a_child_says_is_a_word_or_nonsense(
    kind: str, fields: dict[str, object], tail: bytes
) -> None:
    line = json.dumps({"type": kind, **fields}).encode()
    for word in (line, line + tail, tail):
        with contextlib.suppress(ProtocolError):
            decode_probe_answer(word)


# --- the memory's speed -----------------------------------------------------------------------


def test_the_speed_is_measured_once(look: Look) -> None:
    look()
    again = look("if 'bandwidth' not in skip: parts['bandwidth']['bandwidth'] = None")
    assert again.ram_bandwidth == 20 * 10**9
    slower = "if 'bandwidth' not in skip: sys.exit('it was to be skipped')"
    assert look(slower).probe_error is None


def test_the_speed_of_a_busy_computer_is_measured_again(look: Look) -> None:
    busy = "parts['bandwidth']['bandwidth'].update(is_quiet=False, bytes_per_s=5*10**9)"
    assert look(busy).ram_bandwidth == 5 * 10**9
    assert look().ram_bandwidth == 20 * 10**9
    assert look(busy).ram_bandwidth == 20 * 10**9


@pytest.mark.parametrize("contents", [b"", b"{", b"[1]", b'{"a": 7}', b"\xff", b"[" * 100_000])
def test_a_damaged_cache_is_no_cache(look: Look, contents: bytes) -> None:
    file = paths.cache_dir() / "bandwidth.json"
    file.parent.mkdir(parents=True)
    file.write_bytes(contents)
    assert look().ram_bandwidth == 20 * 10**9


def test_another_computer_is_another_entry(tmp_path: Path) -> None:
    speed = hardware.Bandwidth(10**10, 2, GIB, 0.4)
    here = hardware.measure(tmp_path)
    remember(here, speed)
    assert recall(here) == speed
    assert recall(hardware.simulated(16 * GIB)) is None


def test_a_full_disk_only_forgets(small_disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (small_disk / "full").write_bytes(b"x" * 1_048_576)
    monkeypatch.setenv("XDG_CACHE_HOME", str(small_disk / "cache"))
    here = hardware.measure(small_disk)
    remember(here, hardware.Bandwidth(10**10, 2, GIB, 0.4))
    assert recall(here) is None
