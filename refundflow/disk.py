"""What must be on the disk before somebody is told so."""

import fcntl
import os
import re
import secrets
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO


def keep_names(folder: Path) -> None:
    """Bring the names in a folder to the disk, new ones and changed ones."""
    _keep(folder, os.O_RDONLY | os.O_DIRECTORY)


def keep_content(file: Path) -> None:
    """Bring a file to the disk as it is now."""
    _keep(file, os.O_RDWR)


def _keep(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def open_part(folder: Path, name: str, *, private: bool = False) -> BinaryIO:
    """Open a new hidden file `.NAME.RANDOM.part` in a folder, locked until it is closed; its writer removes it.

    What killed writers of the same name have left is removed before. A `private` one can be read by nobody else.

    Raises:
        OSError: the folder cannot be written.
    """
    name = name[:200]
    _remove_left(folder, name)
    while True:
        path = folder / f".{name}.{secrets.token_hex(8)}.part"
        file = open(path, "xb", opener=_private if private else None)  # noqa: SIM115  the writer closes it
        with suppress(OSError):  # not every file system knows locks: there nobody removes anything
            fcntl.flock(file, fcntl.LOCK_EX)
        if os.fstat(file.fileno()).st_nlink:
            return file
        file.close()  # another writer took it for left before it was locked


def _remove_left(folder: Path, name: str) -> None:
    """Remove the files that nobody holds."""
    ours = re.compile(rf"\.{re.escape(name)}\.[0-9a-f]{{16}}\.part")
    for left in [path for path in folder.iterdir() if ours.fullmatch(path.name)]:
        with suppress(OSError):  # somebody else's, or gone meanwhile
            descriptor = os.open(left, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                left.unlink()
            finally:
                os.close(descriptor)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CLOEXEC, 0o600)
