"""Tests of the dossier's pure parts."""
