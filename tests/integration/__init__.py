"""Tests on real databases: an SQLite file and a PostgreSQL server."""
