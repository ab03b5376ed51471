"""The Models page: the list at the left, one model at the right, downloads at its foot."""
