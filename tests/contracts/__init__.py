"""Tests of the ports: one file per port, run against every implementation."""
