"""Tests of values alone: no files, no databases, no clock."""
