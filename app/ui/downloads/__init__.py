"""The downloads in the window: the dock at the foot of the Models page, and one row in it each."""
