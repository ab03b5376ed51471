"""Conversations and their messages, a tree by parent_id from the start."""

SQL = """
CREATE TABLE conversations (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    title         TEXT NOT NULL,
    system_prompt TEXT NOT NULL DEFAULT '',
    head_id       INTEGER REFERENCES messages(id) ON DELETE SET NULL,
    created_at    REAL NOT NULL,
    updated_at    REAL NOT NULL
) STRICT;
CREATE INDEX conversations_by_update ON conversations(updated_at DESC);

CREATE TABLE messages (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    conversation_id INTEGER NOT NULL REFERENCES conversations(id) ON DELETE CASCADE,
    parent_id       INTEGER REFERENCES messages(id) ON DELETE CASCADE,
    role            TEXT NOT NULL CHECK (role IN ('system', 'user', 'assistant')),
    text            TEXT NOT NULL,
    reasoning       TEXT NOT NULL DEFAULT '',
    status          TEXT NOT NULL CHECK (status IN ('partial', 'done', 'stopped', 'failed')),
    error           TEXT NOT NULL DEFAULT '',
    model_name      TEXT NOT NULL DEFAULT '',
    variant         TEXT NOT NULL DEFAULT '',
    stats           TEXT,
    created_at      REAL NOT NULL
) STRICT;
CREATE INDEX messages_by_conversation ON messages(conversation_id);
CREATE INDEX messages_by_parent ON messages(parent_id);
"""
