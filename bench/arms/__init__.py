"""The ways to make one move that are measured beside each other, each a program of its own (see `bench.serving`)."""
