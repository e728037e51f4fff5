"""The ways to make one move that are measured beside each other, each a program of its own (see `bench.serving`).

What those share that are no part of refundflow stands in `unit` and `beside`.
"""
