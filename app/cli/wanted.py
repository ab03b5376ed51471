"""What `nibble pull NAME` means: which files of which repository, in which variant."""

from __future__ import annotations

from app import paths
from app.core import settings
from app.core.catalog import CatalogFile, CatalogModel, find_model
from app.core.errors import QT_TRANSLATE_NOOP
from app.core.recommend import candidates_of, recommend
from app.core.settings import Settings
from app.hub.client import Hub
from app.hub.errors import HubError
from app.hub.pinning import pin
from app.hub.pull import Request, SpeedLimit, TransferOptions, download_folder
from app.hub.repo import RemoteFile, RemoteVariant, Repo
from app.hub.snapshot import snapshot_files
from app.hub.token import get_token
from app.hub.variants import Reference, choose, group, parse_reference, why_none

# Where nothing is known of a model: what most people are served well by, then what is near to it.
_USUAL = ("Q4_K_M", "Q4_K_S", "Q5_K_M", "Q4_0", "MXFP4", "Q8_0")


def transfer_options() -> TransferOptions:
    """As the settings say."""
    chosen = Settings(paths.settings_file())
    limit = SpeedLimit(chosen.get(settings.DOWNLOAD_LIMIT) * 1e6)
    endpoints = settings.hub_endpoints(chosen.get(settings.HUB_ENDPOINTS))
    return TransferOptions(endpoints, get_token(), limit)


def request_for(name: str, revision: str, original: bool, options: TransferOptions) -> Request:
    """The files that `name` means. Raises HubError and AppError."""
    hub = Hub(options.endpoints[0] if options.endpoints else None, options.token)
    model, wanted = _in_catalogue(name)
    if model is not None and not original and not revision:
        return _from_catalogue(model, wanted, name, hub)
    reference = Reference(model.repo) if model is not None else parse_reference(name)
    repo = hub.repo(reference.repo, revision or reference.revision)
    if original:
        return _request(repo, snapshot_files(repo), "")
    return _of_variant(repo, _variant(repo, reference.wanted))


def _in_catalogue(name: str) -> tuple[CatalogModel | None, str]:
    """The catalogue's model called `name`, perhaps with ":QUANT" at its end."""
    if "://" in name:
        return None, ""
    if (model := find_model(name)) is not None:
        return model, ""
    first, _, wanted = name.rpartition(":")
    return (find_model(first), wanted) if first else (None, "")


def _from_catalogue(model: CatalogModel, wanted: str, name: str, hub: Hub) -> Request:
    """From the catalogue's own list, so that its commit and hash are what counts; else asked."""
    listed = [file for file in model.files if _is_wanted(file, wanted, name)]
    if not wanted:
        file = _recommended(model, listed)
    elif listed:
        file = listed[0]
    else:
        repo = hub.repo(_repo_of(model, name))
        return _of_variant(repo, _variant(repo, wanted))
    return _pinned(model, file, hub)


def _is_wanted(file: CatalogFile, wanted: str, name: str) -> bool:
    """A repository that was named with its maker limits it to that one, where it has files."""
    repo = name.partition(":")[0].casefold()
    is_there = repo == file.repo.casefold() or not _names_files(repo)
    return is_there and (not wanted or wanted.casefold() == file.variant.casefold())


def _names_files(repo: str) -> bool:
    model = find_model(repo)
    return model is not None and any(repo == file.repo.casefold() for file in model.files)


def _repo_of(model: CatalogModel, name: str) -> str:
    repo = name.partition(":")[0]
    return repo if _names_files(repo.casefold()) else model.files[0].repo


def _recommended(model: CatalogModel, listed: list[CatalogFile]) -> CatalogFile:
    """The pick for this computer. Raises HubError where none fits."""
    from app.engine.client import examine

    candidates = [c for c in candidates_of(model) if c.key in listed]
    found = recommend(candidates, examine(paths.models_dir()))
    if found.pick is None or not isinstance(found.pick.candidate.key, CatalogFile):
        text = QT_TRANSLATE_NOOP("cli", "No variant of {name} fits this computer.")
        why = found.reasons[0] if found.reasons else None
        raise HubError(text.fill(name=model.name), why)
    return found.pick.candidate.key


def _pinned(model: CatalogModel, file: CatalogFile, hub: Hub) -> Request:
    """With what it sees with; where the catalogue has no commit, the hub is asked."""
    listed = [file] + ([model.mmproj] if model.mmproj is not None else [])
    files = tuple(RemoteFile(one.repo, one.commit, *part) for one in listed for part in one.files)
    request = Request(files, download_folder(file.repo), model.name, file.variant)
    return pin(request, lambda: hub)


def _variant(repo: Repo, wanted: str) -> RemoteVariant:
    variants = group(repo)
    if not variants:
        raise why_none(repo)
    if wanted:
        return choose(variants, wanted)
    by_name = {variant.name: variant for variant in variants}
    for name in _USUAL:
        if name in by_name:
            return by_name[name]
    return variants[len(variants) // 2]


def _of_variant(repo: Repo, variant: RemoteVariant) -> Request:
    return _request(repo, (*variant.files, *variant.mmproj), variant.name)


def _request(repo: Repo, files: tuple[RemoteFile, ...], variant: str) -> Request:
    name = repo.summary.id
    return Request(files, download_folder(name), name, variant)
