"""Summaries that stand for the older part of a branch; the messages themselves stay as they are."""

SQL = """
CREATE TABLE summaries (
    id               INTEGER PRIMARY KEY AUTOINCREMENT,
    conversation_id  INTEGER NOT NULL REFERENCES conversations(id) ON DELETE CASCADE,
    up_to_message_id INTEGER NOT NULL REFERENCES messages(id) ON DELETE CASCADE,
    text             TEXT NOT NULL,
    n_messages       INTEGER NOT NULL,
    created_at       REAL NOT NULL
) STRICT;
CREATE INDEX summaries_by_conversation ON summaries(conversation_id);
CREATE INDEX summaries_by_message ON summaries(up_to_message_id);
"""
