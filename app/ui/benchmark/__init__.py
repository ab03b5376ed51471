"""Benchmarks in the window: a section of the inspector, and a dialog with what came of them."""
