"""One file from one hub: what an earlier run left is used, the rest fetched, all of it verified.

Says now and then on the disk how far it is, and throws away what turns out wrong.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from contextlib import suppress

from app.core.errors import Message
from app.hub.answered import Again, Changed, NoRanges
from app.hub.crew import Crew
from app.hub.fetching import Task
from app.hub.link import Hub, Link
from app.hub.options import TransferOptions
from app.hub.partfile import PartFile
from app.hub.ranges import Digest, HashFront
from app.hub.refusals import changed, damaged
from app.hub.repo import RemoteFile
from app.hub.resolve import Resolved, resolve
from quantize.control import Control
from quantize.errors import Cancelled

_PAUSE_STEP_S = 0.05


class Watch:
    """What a transfer tells: phase, bytes of this file that are there, and why it waits."""

    def __init__(self, tell: Callable[[str, int, Message | None], None], control: Control) -> None:
        self._tell = tell
        self._control = control
        self._done_bytes = 0

    def tell(self, phase: str, done_bytes: int | None = None, note: Message | None = None) -> None:
        """`done_bytes` None: as many as before. Raises Cancelled; waits while paused."""
        self._control.check()
        self._done_bytes = self._done_bytes if done_bytes is None else done_bytes
        self._tell(phase, self._done_bytes, note)


class Transfer:
    """One file into one part."""

    def __init__(
        self,
        link: Link,
        file: RemoteFile,
        part: PartFile,
        options: TransferOptions,
        control: Control,
        watch: Watch,
    ) -> None:
        self._link = link
        self._file = file
        self._part = part
        self._options = options
        self._control = control
        self._watch = watch
        self._checkpoint_at = 0.0

    def prepare_next(self) -> None:
        """Another hub comes next: without a hash its bytes must not follow this one's."""
        if not self._file.sha256:
            self._part.discard_content()

    def run(self, hub: Hub) -> str:
        """From `hub`; the SHA-256. Raises HubError, Cancelled, OSError."""
        task = Task(self._link, hub, self._file, self._part, self._options, self._control)
        for is_last in (False, True):
            resolved = self._resolve(task)
            try:
                return self._attempt(task, resolved)
            except Changed as change:
                self._part.reset()
                if is_last:
                    raise changed(self._file, str(change)) from change
        raise AssertionError

    def _attempt(self, task: Task, resolved: Resolved) -> str:
        """Raises Changed as well."""
        digest = self._restore(resolved)
        front = HashFront(resolved.size_bytes, self._options.window_bytes, digest)
        self._part.preallocate(resolved.size_bytes)
        try:
            self._fetch(task, resolved, front)
        except BaseException:
            self._save(front, resolved.url)
            raise
        return self._finish(resolved, front.digest)

    def _resolve(self, task: Task) -> Resolved:
        """What this hub says. What there is stays if it is another file: it may be right elsewhere.

        Raises HubError.
        """
        self._watch.tell("checking")
        failures = 0
        while True:
            try:
                return self._in_reach(lambda: resolve(self._link, task.hub, self._file))
            except Changed as change:
                raise changed(self._file, str(change)) from change
            except Again as again:
                failures += 1
                if failures > self._options.retries:
                    raise again.error from again
                self._wait(again, min(30.0, self._options.backoff_s * 2 ** (failures - 1)))

    def _in_reach(self, ask: Callable[[], Resolved]) -> Resolved:
        """`ask` on a thread, so that cancelling need not wait for an answer."""
        answer: Future[Resolved] = Future()
        threading.Thread(target=_answer, args=(answer, ask), daemon=True).start()
        try:
            while not wait((answer,), _PAUSE_STEP_S).done:
                self._watch.tell("checking")
            return answer.result()
        except Cancelled:
            self._link.shut()
            raise

    def _wait(self, again: Again, pause_s: float) -> None:
        ends = time.monotonic() + (again.after_s or pause_s)
        while time.monotonic() < ends:
            self._watch.tell("waiting", None, again.error.text)
            time.sleep(min(_PAUSE_STEP_S, max(0.0, ends - time.monotonic())))

    def _restore(self, resolved: Resolved) -> Digest:
        """The digest of what an earlier run left."""
        git_size = resolved.size_bytes if resolved.git_oid and not resolved.sha256 else None
        digest = Digest(git_size)
        sidecar = self._part.restore(
            self._file, digest, lambda done: self._watch.tell("checking", done)
        )
        return digest if sidecar is not None else Digest(git_size)

    def _fetch(self, task: Task, resolved: Resolved, front: HashFront) -> None:
        if front.is_done:
            return
        crew = Crew(task, resolved, front)
        try:
            crew.run(lambda: self._tick(crew, front))
        except NoRanges:
            front.resume()
            single = Crew(task, resolved, front, with_ranges=False)
            single.run(lambda: self._tick(single, front))

    def _tick(self, crew: Crew, front: HashFront) -> None:
        now = time.monotonic()
        if self._control.paused or now - self._checkpoint_at > self._options.checkpoint_s:
            if self._checkpoint_at:
                self._save(front, crew.url)
            self._checkpoint_at = time.monotonic()
        note = crew.note
        self._watch.tell("waiting" if note else "fetching", front.accepted_bytes, note)

    def _save(self, front: HashFront, url: str) -> None:
        """On a full disk the one before stays, which is still true."""
        mark = front.mark()
        if mark.offset:
            with suppress(OSError):
                self._part.checkpoint(self._file, url.partition("?")[0], mark)

    def _finish(self, resolved: Resolved, digest: Digest) -> str:
        """Verify, then give it its name. Raises TransferError with nothing left."""
        self._watch.tell("verifying", digest.n_bytes)
        is_right = digest.sha256 == resolved.sha256 if resolved.sha256 else True
        if not resolved.sha256 and resolved.git_oid:
            is_right = digest.git_oid == resolved.git_oid
        if not is_right:
            self._part.discard_content()
            raise damaged(self._file, digest.sha256)
        self._part.finish(resolved.size_bytes)
        return digest.sha256


def _answer(answer: Future[Resolved], ask: Callable[[], Resolved]) -> None:
    try:
        answer.set_result(ask())
    except BaseException as error:
        answer.set_exception(error)
