"""Background work for the window: the only code that starts threads for it. QtCore, no widgets."""
