"""How the fake hub misbehaves: set a field of `hub.faults` and the next answers do it."""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass
class Faults:
    """All off at first. `times`: how many answers still do it, None for all of them.

    `only`: the faults touch requests whose address contains this. Those of bodies touch GETs of
    files, those of `status`, `redirect_loop` and `hang` every request that `only` lets through.
    """

    times: int | None = None
    only: str = ""
    # bodies
    drop_after: int | None = None  # the connection ends after so many bytes of a body
    stall_after: int | None = None  # nothing comes after so many bytes, the connection stays
    flip_at: int | None = None  # a bit of the byte at this offset of the file
    ignore_range: bool = False  # 200 and the whole file
    wrong_offset: int = 0  # 206 of a range that begins so many bytes later
    short_by: int = 0  # an honest 206 that ends so many bytes before what was asked for
    change_after: int | None = None  # from this many requests for the file on it is another file
    no_length: bool = False  # chunked, without Content-Length
    # answers
    status: int | None = None  # 401, 403, 404, 429, 500, 503 …
    retry_after: str = ""
    redirect_loop: bool = False
    redirect_to: str = ""  # 302 to this address
    hang: bool = False  # takes the request and never answers
    garbage: bool = False  # the API answers 200 with what is no JSON
    refuse_range: bool = False  # 416
    # the road; these know no `times`
    latency_ms: float = 0.0  # before every answer
    bytes_per_s: float = 0.0  # of each connection; 0: as fast as it goes

    def clear(self) -> None:
        for field in fields(self):
            setattr(self, field.name, field.default)
