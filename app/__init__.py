"""Nibble: chat offline with open-weight language models, and know which quantized file to keep."""
