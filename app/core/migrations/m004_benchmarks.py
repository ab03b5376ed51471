"""Benchmarks, by machine: the whole record as JSON, what is looked for in columns."""

SQL = """
CREATE TABLE benchmarks (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    machine    TEXT NOT NULL,
    model      TEXT NOT NULL,
    variant    TEXT NOT NULL,
    record     TEXT NOT NULL,
    created_at REAL NOT NULL
) STRICT;
CREATE INDEX benchmarks_by_machine ON benchmarks(machine, id DESC);
"""
