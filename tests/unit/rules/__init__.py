"""Tests of the pure rules, without any input or output."""
