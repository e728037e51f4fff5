"""The documentation, and what generates its reference pages; not part of the installed packages."""
