"""What the Models page is about: a model of the catalogue, of a hub or of this computer.

Pure. A `Subject` says what there is; an `Assessed` says what that means on this computer.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from app.core.catalog import CatalogFile, CatalogModel, FileKind
from app.core.errors import Message
from app.core.fit import Fit, ModelShape
from app.core.library import InstalledModel
from app.core.recommend import Assessment
from app.hub.repo import RemoteFile, Repo


class Origin(StrEnum):
    HERE = "here"
    CATALOGUE = "catalogue"
    HUB = "hub"


@dataclass(frozen=True, slots=True)
class Offer:
    """One variant. `files` and `mmproj` can be downloaded, `installed` is on this computer.

    `shape` None: not known yet. `is_estimate`: it was reckoned from another variant's header.
    """

    variant: str
    size_bytes: int
    shape: ModelShape | None = None
    kind: FileKind = FileKind.QUANTIZED
    files: tuple[RemoteFile, ...] = ()
    mmproj: tuple[RemoteFile, ...] = ()
    installed: InstalledModel | None = None
    is_estimate: bool = False

    @property
    def download_bytes(self) -> int:
        return sum(file.size_bytes for file in (*self.files, *self.mmproj))


@dataclass(frozen=True, slots=True)
class Subject:
    """`repo` holds the original weights, `gguf_repo` the offers; "" where not known.

    `commit` is that of `gguf_repo`. Texts of a hub are a stranger's.
    """

    key: str
    origin: Origin
    name: str
    offers: tuple[Offer, ...] = ()
    repo: str = ""
    gguf_repo: str = ""
    commit: str = ""
    license: str = ""
    n_params: int = 0
    n_params_active: int = 0
    n_ctx_train: int = 0
    good_for: Message | None = None
    is_gated: bool = False
    released: str = ""
    thinks: bool = False
    sees: bool = False


@dataclass(frozen=True, slots=True)
class Assessed:
    """A subject on this computer. `assessments` stand beside the offers, None where not known.

    `pick` is the number of the offer to take, None where nothing fits or nothing is known.
    """

    key: str
    n_ctx: int
    kv_type: str
    free_bytes: int
    assessments: tuple[Assessment | None, ...]
    pick: int | None = None
    reasons: tuple[Message, ...] = ()

    @property
    def fit(self) -> Fit | None:
        """How well the one to take fits. None where nothing is known, or none is worth taking
        although some would fit."""
        known = [each for each in self.assessments if each is not None]
        if self.pick is not None and (pick := self.assessments[self.pick]) is not None:
            return pick.plan.fit
        return None if self.is_unwise or not known else Fit.DOES_NOT_FIT

    @property
    def is_unwise(self) -> bool:
        """Something would fit, but would be too slow or lose too much."""
        known = (each for each in self.assessments if each is not None)
        return self.pick is None and any(each.plan.fits for each in known)


def of_catalogue(model: CatalogModel, shapes: Sequence[tuple[object, ModelShape]]) -> Subject:
    """`shapes`: what is known of the model's files, each with its CatalogFile."""
    known = dict(shapes)
    mmproj = _remote(model.mmproj) if model.mmproj else ()
    offers = tuple(
        Offer(
            file.variant, file.size_bytes, known.get(file), file.kind, _remote(file), mmproj=mmproj
        )
        for file in sorted(model.files, key=lambda file: -file.size_bytes)
    )
    first = model.files[0] if model.files else None
    return Subject(
        key=f"catalogue:{model.id}",
        origin=Origin.CATALOGUE,
        name=model.name,
        offers=offers,
        repo=model.repo,
        gguf_repo=first.repo if first else "",
        commit=first.commit if first else "",
        license=model.license,
        n_params=model.n_params,
        n_params_active=model.n_params_active,
        n_ctx_train=model.n_ctx_train,
        good_for=model.good_for,
        is_gated=model.is_gated,
        released=model.released,
        thinks=model.thinks,
        sees=model.sees,
    )


def _remote(file: CatalogFile) -> tuple[RemoteFile, ...]:
    return tuple(
        RemoteFile(file.repo, file.commit, path, size, sha256) for path, size, sha256 in file.files
    )


def of_repo(repo: Repo, offers: Iterable[Offer]) -> Subject:
    summary = repo.summary
    return Subject(
        key=hub_key(summary.id),
        origin=Origin.HUB,
        name=name_of_repo(summary.id),
        offers=tuple(offers),
        repo=repo.base_model,
        gguf_repo=summary.id,
        commit=repo.commit,
        license=summary.license,
        n_params=summary.n_params,
        is_gated=bool(summary.gated),
        released=summary.updated[:10],
    )


def hub_key(repo_id: str) -> str:
    return f"hub:{repo_id}"


def name_of_repo(repo_id: str) -> str:
    """ "owner/Qwen3-8B-GGUF" is shown as "Qwen3-8B"."""
    name = repo_id.rpartition("/")[2]
    return name[:-5] if name.lower().endswith("-gguf") and len(name) > 5 else name


def of_installed(models: Sequence[InstalledModel]) -> tuple[Subject, ...]:
    """One subject for each name; its variants in it, the largest first."""
    groups: dict[str, list[InstalledModel]] = {}
    for model in models:
        groups.setdefault(model.name, []).append(model)
    return tuple(_here(name, group) for name, group in groups.items())


def _here(name: str, group: list[InstalledModel]) -> Subject:
    group.sort(key=lambda model: -model.size_bytes)
    offers = tuple(Offer(m.variant, m.size_bytes, installed=m) for m in group)
    first = group[0]
    return Subject(
        key=f"here:{name}",
        origin=Origin.HERE,
        name=name,
        offers=offers,
        n_params=first.n_params,
        n_ctx_train=first.n_ctx_train,
    )


def with_installed(subject: Subject, models: Sequence[InstalledModel]) -> Subject:
    """The subject with what of it is already on this computer."""
    if subject.origin is Origin.HERE:
        return subject
    offers = tuple(replace(offer, installed=_copy_of(offer, models)) for offer in subject.offers)
    return subject if offers == subject.offers else replace(subject, offers=offers)


def _copy_of(offer: Offer, models: Sequence[InstalledModel]) -> InstalledModel | None:
    """The file here that the offer would bring: the same hash, or the same name and size."""
    if not offer.files:
        return None
    first = offer.files[0]
    same = (model for model in models if first.sha256 and first.sha256 == model.sha256)
    alike = (model for model in models if _is_alike(offer, first, model))
    return next(same, None) or next(alike, None)


def _is_alike(offer: Offer, first: RemoteFile, model: InstalledModel) -> bool:
    """By name and size; the size of a file that nobody has pinned was listed in round figures."""
    if model.path.name != first.path.rpartition("/")[2]:
        return False
    slack = 0 if first.commit else offer.size_bytes // 100
    return abs(model.size_bytes - offer.size_bytes) <= slack


def download_saved(subject: Subject, original_bytes: int = 0) -> int:
    """How many bytes less it is to fetch the original and quantize it here than all the offers.

    `original_bytes` 0: not known; then 16 bits for each parameter, which is what most are
    published in.
    """
    original = original_bytes or 2 * subject.n_params
    wanted = sum(offer.size_bytes for offer in subject.offers if offer.files)
    if not original or len(subject.offers) < 2:
        return 0
    return max(0, wanted - original)
