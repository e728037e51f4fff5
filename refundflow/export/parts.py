"""Files that appear whole or not at all, and that go on where they were interrupted.

What is being written is `NAME.part`; beside it `OUTPUT.unfinished` says which command it belongs to, what it was
begun with, and how far each file has come. Whatever ends the writing leaves both. The same command goes on from
there and gives the same bytes; another one is refused. What stood under the final names stays until every file
is whole and on the disk.
"""

import errno
import fcntl
import hashlib
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import orjson

from refundflow.disk import keep_names
from refundflow.errors import BadInput, Busy, RefundflowError
from refundflow.export.whole_file import NEEDED, target_of

Json = Any
_CHUNK = 1 << 20  # bytes


class Written(NamedTuple):
    """One whole file, not under its final name yet."""

    sha256: str
    size: int
    rows: int


class Place(NamedTuple):
    """Where an export goes: a folder with several files, or one file."""

    folder: Path
    name: str  # of the one file; of a folder nothing
    manifest: Path
    state: Path


def place_of(output: str) -> Place:
    """Read a path: a folder where it ends with a slash or is one; make that folder.

    Links are followed to the file itself; devices and pipes are not replaced.

    Raises:
        BadInput: the path cannot be written; the message says what is needed.
    """
    if output.strip() and "\0" not in output and (output.endswith(os.sep) or Path(output).is_dir()):
        folder = Path(output).resolve()
        try:
            folder.mkdir(exist_ok=True)
        except OSError as problem:
            raise BadInput(f"{output}: {problem.strerror}; {NEEDED}", field="output") from problem
        return Place(folder, "", folder / "manifest", folder / "manifest.unfinished")
    target = target_of(output)
    beside = target.with_name
    return Place(target.parent, target.name, beside(f"{target.name}.manifest"), beside(f"{target.name}.unfinished"))


class Unfinished:
    """The state of an export that goes on: one JSON object in a file that only one process holds."""

    def __init__(self, file: BinaryIO, path: Path) -> None:
        self._file, self.path = file, path
        self.resumed = False
        self.begun: dict[str, Json] = {}
        self.files: dict[str, dict[str, Json]] = {}

    def read(self, command: Mapping[str, Json]) -> None:
        """Go on with what is there for the same command.

        Raises:
            BadInput: what is there belongs to another command.
        """
        try:
            kept = orjson.loads(self._file.read())
            told, begun, files = kept["command"], kept["begun"], kept["files"]
        except (ValueError, KeyError, TypeError):  # nothing, or cut off while it was written: begun anew
            return
        if told != dict(command):
            raise BadInput(
                f"{self.path.name} is of another export that was interrupted: repeat that command to finish it, "
                f"or remove {self.path} to give it up",
                field="output",
            )
        self.resumed, self.begun, self.files = True, begun, files

    def save(self, command: Mapping[str, Json]) -> None:
        """Write down how far it has come."""
        kept = orjson.dumps({"command": dict(command), "begun": self.begun, "files": self.files})
        self._file.seek(0)
        self._file.write(kept)
        self._file.truncate()
        self._file.flush()


def _own_file(path: Path) -> BinaryIO:
    """Open a file of ours, or make it: whoever else can write here must not choose what goes on, or where.

    Raises:
        BadInput: it cannot be written, is a link, or belongs to somebody else.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK, 0o666)
    except OSError as problem:
        if problem.errno == errno.ELOOP:
            raise BadInput(f"{path} is a link: remove it", field="output") from problem
        raise BadInput(f"{path}: {problem.strerror}; {NEEDED}", field="output") from problem
    file = os.fdopen(descriptor, "r+b")
    about = os.fstat(descriptor)
    if not stat.S_ISREG(about.st_mode) or about.st_uid != os.geteuid() or about.st_nlink != 1:
        file.close()
        raise BadInput(f"{path} is no ordinary file of yours alone: remove it", field="output")
    return file


@contextmanager
def unfinished(place: Place, command: Mapping[str, Json]) -> Iterator[Unfinished]:
    """Hold the state of the export that this command began here, or begin one.

    Raises:
        BadInput: the folder cannot be written, or holds the unfinished export of another command.
        Busy: another process is writing here.
        RefundflowError: the disk did not take it all.
    """
    with _own_file(place.state) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as problem:
            raise Busy(f"another export is being written to {place.folder / place.name}") from problem
        held = Unfinished(file, place.state)
        held.read(command)
        try:
            yield held
        except OSError as problem:
            raise RefundflowError(
                f"{place.folder / place.name} was not written: {problem.strerror or problem}; "
                "the same command goes on from here"
            ) from problem


class Part:
    """One file that is being written: appended to piece by piece, cut back to the last piece that was kept."""

    def __init__(self, path: Path, kept: Mapping[str, Json] | None) -> None:
        self.path = path
        self._hash = hashlib.sha256()
        self.size = self.rows = 0
        self.cursor: Json = None
        self._file = _own_file(path)
        if kept:
            self._go_on(kept)
        self._file.seek(self.size)
        self._file.truncate()

    def _go_on(self, kept: Mapping[str, Json]) -> None:
        """Take over what is there where it is what was kept; else begin anew."""
        left, digest = kept["size"], hashlib.sha256()
        while left and (read := self._file.read(min(left, _CHUNK))):
            digest.update(read)
            left -= len(read)
        if not left and digest.hexdigest() == kept["sha256"]:
            self._hash, self.size, self.rows, self.cursor = digest, kept["size"], kept["rows"], kept["cursor"]

    def add(self, data: bytes, rows: int, cursor: Json) -> None:
        """Append one piece."""
        self._file.write(data)
        self._hash.update(data)
        self.size, self.rows, self.cursor = self.size + len(data), self.rows + rows, cursor

    def kept(self) -> dict[str, Json]:
        """Hand over what was written, and say how far it reaches."""
        self._file.flush()
        return {"size": self.size, "rows": self.rows, "cursor": self.cursor, "sha256": self._hash.hexdigest()}

    def close(self) -> None:
        """Close the file, whole or not."""
        with suppress(OSError):  # what could not be written is told by whoever wrote it
            self._file.close()


def whole(part: Path, rows: int, sha256: str | None = None) -> Written:
    """Bring a whole file to the disk; return its size and its hash, which is read anew where it is not known."""
    with part.open("rb") as file:
        os.fsync(file.fileno())
        known = sha256 or hashlib.file_digest(file, "sha256").hexdigest()
    return Written(known, part.stat().st_size, rows)


def give_names(parts: Sequence[tuple[Path, Path]], folder: Path) -> None:
    """Let whole files take their places in order, those that have already done so aside, and keep the names."""
    for part, final in parts:
        if part.exists() or not final.exists():
            part.replace(final)
    keep_names(folder)
