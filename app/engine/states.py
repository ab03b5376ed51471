"""What a conversation's KV cache held, kept on disk, so that reopening it reads nothing again.

One file per conversation: llama.cpp's own sequence file (tokens, then the cache), the latest
checkpoint where the cache cannot be cut, and a footer with a SHA-256 over both and over what they
belong to: the model, the template, the settings that shape the cache, and the library. llama.cpp
asserts on a file that is not what it wrote, so nothing is handed to it before the sum is right.
What does not match is dropped: reading again is always possible. Runs in the engine child.

Source: llama.cpp at 0c1e57098, src/llama-context.cpp (state_seq_save_file, state_seq_load_file).
"""

from __future__ import annotations

import hashlib
import os
import struct
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from app.engine import statefiles
from app.engine.branches import common_prefix
from app.engine.context import Context
from quantize.durable import fsync_folder

MIN_TOKENS = 128  # fewer are read again sooner than a file is
_MAGIC = b"NibbleK2"
# magic, bytes of llama.cpp's part, bytes of the checkpoint and its tokens, SHA-256
_FOOTER = struct.Struct("<8sQQQ32s")
_HEAD = struct.Struct("<III")  # llama.cpp's magic, version, token count
_CHUNK_BYTES = 4 * 1024**2
_CHECKPOINT_SHARE = 0.15  # at most, where a window allows for a small cut without one


class States:
    """The files in `folder`, `limit_bytes` of them at most; those used least lately go first.

    `owner` is everything a cache depends on but the conversation. Never raises for a file: what
    cannot be saved or restored is said in one line on stderr.
    """

    def __init__(self, folder: Path, owner: str, limit_bytes: int) -> None:
        self._folder, self._owner, self._limit_bytes = folder, owner, limit_bytes
        with suppress(OSError):
            statefiles.delete_left(folder)

    def save(self, conversation: str, context: Context) -> int:
        """Keep what `context` holds; returns the bytes of the file, 0 where none was written."""
        if len(context.tokens) < MIN_TOKENS:
            return 0
        path = self._path(conversation)
        partial = statefiles.partial_of(path)
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            size = self._write(partial, conversation, context)
            os.replace(partial, path)  # noqa: PTH105 - atomic on every system
            fsync_folder(self._folder)
            statefiles.evict(self._folder, self._limit_bytes)
        except OSError as error:
            _log(f"the state of conversation {conversation} was not kept: {error}")
            size = 0
        with suppress(OSError):
            partial.unlink()
        return size if path.exists() else 0

    def restore(self, conversation: str, prompt: Sequence[int], context: Context) -> None:
        """Bring `context` nearer to `prompt`, if the conversation's file is of more use than what
        the context holds now."""
        path = self._path(conversation)
        try:
            tokens = _tokens(path)
            held = common_prefix(context.tokens, prompt)
            if common_prefix(tokens, prompt) < held + MIN_TOKENS or len(tokens) > context.n_ctx:
                return
            if self._load(path, conversation, tokens, context):
                os.utime(path)
            else:
                _log(f"the state of conversation {conversation} does not match, so it is dropped")
                path.unlink()
        except FileNotFoundError:
            return
        except (OSError, ValueError) as error:
            _log(f"the state of conversation {conversation} was not read: {error}")

    def forget(self, conversation: str) -> None:
        """Delete all that is kept of `conversation`, whatever it belonged to."""
        statefiles.delete(self._folder, conversation)

    def _path(self, conversation: str) -> Path:
        return statefiles.path_of(self._folder, conversation, self._owner)

    def _write(self, path: Path, conversation: str, context: Context) -> int:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))
        size = context.save_state(path)
        if not size or path.stat().st_size != size:
            raise OSError("llama.cpp could not write it")
        n_tokens, checkpoint = context.checkpoints.latest()
        if context.n_outputs > 1 and len(checkpoint) > _CHECKPOINT_SHARE * size:
            n_tokens, checkpoint = 0, b""
        with path.open("ab") as file:
            file.write(checkpoint)
        digest = self._digest(path, size + len(checkpoint), conversation)
        with path.open("ab") as file:
            file.write(_FOOTER.pack(_MAGIC, size, len(checkpoint), n_tokens, digest))
            file.flush()
            os.fsync(file.fileno())
        return size + len(checkpoint) + _FOOTER.size

    def _load(self, path: Path, conversation: str, tokens: Sequence[int], context: Context) -> bool:
        """Whether the file was whole, and llama.cpp took it."""
        with path.open("rb") as file:
            file.seek(max(path.stat().st_size - _FOOTER.size, 0))
            footer = file.read()
            if len(footer) != _FOOTER.size:
                return False
            magic, size, checkpoint_size, n_tokens, digest = _FOOTER.unpack(footer)
            told = size + checkpoint_size + _FOOTER.size
            if magic != _MAGIC or told != path.stat().st_size:
                return False
            if digest != self._digest(path, size + checkpoint_size, conversation):
                return False
            file.seek(size)
            checkpoint = file.read(checkpoint_size)
        if not context.load_state(path, tokens):
            return False
        if checkpoint:
            context.checkpoints.put_back(n_tokens, checkpoint)
        return True

    def _digest(self, path: Path, size: int, conversation: str) -> bytes:
        digest = hashlib.sha256(f"{conversation}\0{self._owner}\0".encode())
        with path.open("rb") as file:
            while size > 0 and (chunk := file.read(min(size, _CHUNK_BYTES))):
                digest.update(chunk)
                size -= len(chunk)
        return digest.digest()


def _tokens(path: Path) -> list[int]:
    """The tokens that the file at `path` says it holds. Raises OSError or ValueError."""
    with path.open("rb") as file:
        head = file.read(_HEAD.size)
        if len(head) != _HEAD.size:
            raise ValueError("it ends early")
        n_tokens = _HEAD.unpack(head)[2]
        data = file.read(4 * min(n_tokens, 2**24))
    if len(data) != 4 * n_tokens:
        raise ValueError("it ends early")
    return list(struct.unpack(f"<{n_tokens}i", data))


def _log(text: str) -> None:
    sys.stderr.write(text + "\n")
