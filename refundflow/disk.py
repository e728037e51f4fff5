"""What must be on the disk before somebody is told so."""

import os
from pathlib import Path


def keep_names(folder: Path) -> None:
    """Bring the names in a folder to the disk, new ones and changed ones."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
