"""What Nibble knows without a window or a model: no Qt, no ctypes, runs headless."""
