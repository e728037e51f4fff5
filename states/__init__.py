"""The rules of a refund: what may happen, when, and why."""
