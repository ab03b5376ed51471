"""The window: widgets only; no file or network access, no model logic."""
