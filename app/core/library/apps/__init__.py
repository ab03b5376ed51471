"""Where other apps keep their models, one module each. Nothing of theirs is ever written to."""
