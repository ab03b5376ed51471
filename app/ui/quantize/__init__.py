"""The Quantize page: which weights, which files, how far, and what came of it."""
