"""The database's schema, one step per file, append-only: a released step is never edited."""

from app.core.migrations import m001_conversations

STEPS = (m001_conversations.SQL,)
