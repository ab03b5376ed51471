"""A hub's repository as a subject: its variants first, what they need of memory as headers come.

Runs on a thread of its own; whoever asks gets each step. One header is read for the shape of the
model, the cheapest to get; the other variants are reckoned from their sizes until theirs is read.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from app.core.errors import QT_TRANSLATE_NOOP
from app.core.fit import ModelShape, shape_of
from app.hub.errors import AccessError, HubError, NotFoundError
from app.hub.repo import RemoteVariant
from app.jobs.assessing import with_header
from app.jobs.subjects import Offer, Subject, of_repo
from quantize.errors import GgufError

if TYPE_CHECKING:
    from app.hub.client import Hub
    from app.hub.pull import Request

# Of one model, the header is nearly the same for all variants; but of a split file each part has
# one. So: a variant in one file, and rather one that people take.
ORIGINAL = "original"  # the variant of a download that brings weights to quantize
_USUAL = ("Q4_K_M", "Q8_0", "Q4_0")


def read_repo(hub: Hub, repo_id: str, tell: Callable[[Subject], None]) -> Subject:
    """Everything worth knowing of a repository. Raises HubError.

    A header that cannot be read leaves the memory unknown; sizes and downloads are still there.
    """
    from app.hub.variants import group

    repo = hub.repo(repo_id)
    variants = group(repo)
    subject = of_repo(repo, map(offer_of, variants))
    tell(subject)
    if not variants:
        return subject
    number = cheapest(variants)
    try:
        shape = _shape(hub, variants[number])
    except (HubError, GgufError):
        return subject
    return with_header(subject, number, shape)


def read_offer(hub: Hub, subject: Subject, number: int) -> Subject:
    """The subject with that offer's own header read. Raises HubError, GgufError."""
    offer = subject.offers[number]
    variant = RemoteVariant(offer.variant, offer.files, offer.mmproj)
    return with_header(subject, number, _shape(hub, variant))


def read_card(hub: Hub, subject: Subject) -> str:
    """The original's card, which says more; else that of the repository with the files. Made safe;
    "" without one. Raises HubError."""
    from app.hub.card import safe_card

    places = [(subject.repo, "main"), (subject.gguf_repo, subject.commit or "main")]
    places = [(repo_id, commit) for repo_id, commit in places if repo_id]
    for repo_id, commit in places[:-1]:
        try:
            if card := safe_card(hub.card(repo_id, commit)):
                return card
        except (NotFoundError, AccessError):
            continue
    return safe_card(hub.card(*places[-1])) if places else ""


def check_access(repo_id: str) -> None:
    """For a repository that asks for a token. Raises AccessError where there is none to show."""
    from app.hub import token as tokens

    if not tokens.get_token():
        raise AccessError(
            QT_TRANSLATE_NOOP(
                "remote", "{repo} wants its terms accepted before it is downloaded."
            ).fill(repo=repo_id),
            QT_TRANSLATE_NOOP("remote", "Accept them on its page and give Nibble your token."),
        )


def original_request(hub: Hub, subject: Subject) -> Request:
    """What brings the original weights here. Raises HubError; also where there are none."""
    from app.hub.pull import Request, download_folder
    from app.hub.snapshot import snapshot_files

    repo = hub.repo(subject.repo or subject.gguf_repo)
    if repo.summary.gated:
        check_access(repo.summary.id)
    folder = download_folder(repo.summary.id)
    return Request(snapshot_files(repo), folder, subject.name, ORIGINAL)


def request_for(subject: Subject, offer: Offer) -> Request:
    """What brings one variant here, with what it sees with."""
    from app.hub.pull import Request, download_folder

    files = (*offer.files, *offer.mmproj)
    return Request(files, download_folder(offer.files[0].repo), subject.name, offer.variant)


def save_token(token: str) -> None:
    """Raises HubError."""
    from app.hub import token as tokens

    tokens.save_token(token)


def offer_of(variant: RemoteVariant) -> Offer:
    from app.hub.variants import kind_of

    return Offer(
        variant=variant.name,
        size_bytes=variant.size_bytes,
        files=variant.files,
        mmproj=variant.mmproj,
        kind=kind_of(variant),
    )


def cheapest(variants: tuple[RemoteVariant, ...]) -> int:
    """The number of the variant whose header is read first."""

    def cost(number: int) -> tuple[int, int, int]:
        variant = variants[number]
        usual = _USUAL.index(variant.name) if variant.name in _USUAL else len(_USUAL)
        return len(variant.files), usual, variant.size_bytes

    return min(range(len(variants)), key=cost)


def _shape(hub: Hub, variant: RemoteVariant) -> ModelShape:
    mmproj_bytes = sum(file.size_bytes for file in variant.mmproj)
    return shape_of(hub.model_header(variant), mmproj_bytes)
