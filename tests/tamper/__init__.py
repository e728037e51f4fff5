"""Attacks on a database by somebody who may do everything in it, and what verification finds of each."""
