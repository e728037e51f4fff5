"""One file per revision, frozen when it is released."""
