"""Nibble's bundled quantizer: reads checkpoints, writes GGUF. No Qt, no app."""
