"""The one model to recommend on a first start: which, why, and what to download for it. No Qt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from app.core.catalog import CatalogFile, CatalogModel
from app.core.hardware import Hardware
from app.core.library import InstalledModel
from app.core.recommend import Assessment, Recommendation, SpeedRecord
from app.jobs.subjects import of_catalogue, with_installed

if TYPE_CHECKING:
    from app.hub.pull import Request

N_CTX = 8192


@dataclass(frozen=True, slots=True)
class Better:
    """`request` fetches the pick with all that belongs to it. `here`: the file, if it is here."""

    model: CatalogModel
    pick: Assessment
    recommendation: Recommendation
    request: Request
    here: Path | None = None

    @property
    def download_bytes(self) -> int:
        return sum(file.size_bytes for file in self.request.files)


def find_better(
    hardware: Hardware,
    installed: Sequence[InstalledModel] = (),
    measured: Sequence[SpeedRecord] = (),
) -> Better | None:
    """The model of the catalogue that serves best here; None where none of them fits."""
    from app.core.catalog import load_catalog
    from app.core.recommend import recommend_model

    found = recommend_model(load_catalog(), hardware, N_CTX, measured)
    if found is None or found[1].pick is None:
        return None
    model, recommendation = found
    pick = recommendation.pick
    assert pick is not None
    file = pick.candidate.key
    assert isinstance(file, CatalogFile)
    return Better(
        model, pick, recommendation, request_for(model, file), _here(model, file, installed)
    )


def request_for(model: CatalogModel, file: CatalogFile) -> Request:
    """All parts of `file`, and what the model sees with."""
    from app.jobs import remote

    subject = of_catalogue(model, ())
    offer = next(each for each in subject.offers if each.variant == file.variant)
    return remote.request_for(subject, offer)


def _here(
    model: CatalogModel, file: CatalogFile, installed: Sequence[InstalledModel]
) -> Path | None:
    offers = with_installed(of_catalogue(model, ()), installed).offers
    found = next((o.installed for o in offers if o.variant == file.variant), None)
    return found.path if found is not None else None
