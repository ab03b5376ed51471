"""How a model file is run best on a machine: what was measured, as JSON."""

SQL = """
CREATE TABLE tuned (
    model      TEXT NOT NULL,
    machine    TEXT NOT NULL,
    record     TEXT NOT NULL,
    created_at REAL NOT NULL,
    PRIMARY KEY (model, machine)
) STRICT;
"""
