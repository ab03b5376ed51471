"""What was measured against what was predicted: loads and the speed of answers."""

SQL = """
CREATE TABLE loads (
    id                INTEGER PRIMARY KEY AUTOINCREMENT,
    model             TEXT NOT NULL,
    variant           TEXT NOT NULL,
    device            TEXT NOT NULL,
    n_ctx             INTEGER NOT NULL,
    kv_type           TEXT NOT NULL,
    n_gpu_layers      INTEGER NOT NULL,
    predicted_weights INTEGER NOT NULL,
    predicted_kv      INTEGER NOT NULL,
    predicted_compute INTEGER NOT NULL,
    actual_weights    INTEGER NOT NULL,
    actual_kv         INTEGER NOT NULL,
    actual_compute    INTEGER NOT NULL,
    predicted_host    INTEGER NOT NULL,
    rss               INTEGER NOT NULL,
    created_at        REAL NOT NULL
) STRICT;

CREATE TABLE speeds (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    model         TEXT NOT NULL,
    variant       TEXT NOT NULL,
    device        TEXT NOT NULL,
    predicted_tps REAL NOT NULL,
    measured_tps  REAL NOT NULL,
    created_at    REAL NOT NULL
) STRICT;
"""
