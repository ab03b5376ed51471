"""The child called "probe": says what the build can compute on, then ends.

Drivers are loaded here and nowhere else before a model is, so one that crashes or hangs costs a
child process and nothing more.
"""

from __future__ import annotations

from typing import BinaryIO

from app.child import exit_at_end_of
from app.engine import protocol
from app.engine.devices import list_devices
from app.engine.native import LLAMA_CPP_VERSION, lib


def main(commands: BinaryIO, events: BinaryIO) -> None:
    """The child called "probe"."""
    exit_at_end_of(commands)
    lib.llama_backend_init()
    events.write(protocol.encode(protocol.Probed(LLAMA_CPP_VERSION, list_devices())))
    events.flush()
