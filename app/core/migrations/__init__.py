"""The database's schema, one step per file, append-only: a released step is never edited."""

from app.core.migrations import m001_conversations, m002_measured

STEPS = (m001_conversations.SQL, m002_measured.SQL)
