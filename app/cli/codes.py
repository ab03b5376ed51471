"""Exit codes: 0 done, 1 a plain sentence on stderr, 2 bad usage, and these."""

CANCELLED = 130
