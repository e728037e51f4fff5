"""Tests through the ways in, as a user has them."""
