"""The database's schema, one step per file, append-only: a released step is never edited."""

from app.core.migrations import (
    m001_conversations,
    m002_measured,
    m003_tuned,
    m004_benchmarks,
    m005_summaries,
)

STEPS = (
    m001_conversations.SQL,
    m002_measured.SQL,
    m003_tuned.SQL,
    m004_benchmarks.SQL,
    m005_summaries.SQL,
)
