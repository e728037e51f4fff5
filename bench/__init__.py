"""The benchmark: one move through the facade against the same rows written by hand."""
