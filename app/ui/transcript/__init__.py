"""The transcript: shows a conversation and streams an answer into it, however long they are."""

from app.ui.transcript.view import Transcript

__all__ = ["Transcript"]
