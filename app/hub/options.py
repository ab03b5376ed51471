"""How files are fetched: from where, over how many connections, how patiently."""

from __future__ import annotations

from dataclasses import dataclass

from app.hub.pace import SpeedLimit
from app.hub.space import RESERVE_BYTES

MIB = 1024**2


@dataclass(frozen=True, slots=True)
class TransferOptions:
    """`endpoints`: hubs in the order they are tried; none: $HF_ENDPOINT, else the hub itself.

    `token` goes to the first of them alone. `limit` may be shared by several transfers.
    `reserve_bytes` stay free on the disk. `stall_s`: how long a connection may be silent.
    `retries`: how often in a row a connection may fail without getting on, `backoff_s` the first
    pause between. `window_bytes`: how much may be held that came before its turn to be hashed.
    `checkpoint_s`: how many seconds of fetching a crash or a power cut may cost.
    """

    endpoints: tuple[str, ...] = ()
    token: str = ""
    limit: SpeedLimit | None = None
    n_connections: int = 8
    reserve_bytes: int = RESERVE_BYTES
    connect_s: float = 10.0
    stall_s: float = 20.0
    retries: int = 7
    backoff_s: float = 0.5
    window_bytes: int = 24 * MIB
    checkpoint_s: float = 1.0
