"""A rehearsal: a file of real complaints driven through the facade by a fixed rule, and checked against it."""
