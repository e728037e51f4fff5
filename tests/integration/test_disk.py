"""Files that are written beside their target: whoever is killed meanwhile leaves nothing to the next writer."""

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from refundflow.export import whole_file
from refundflow.proof.folder import Folder

# Is killed by the kernel after the first thousand bytes of a file.
_WRITER = """
import resource, signal, sys
from pathlib import Path
from tests.integration.test_disk import WRITERS
signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
WRITERS[sys.argv[1]](Path(sys.argv[2]), bytes(10_000))
"""


def _file(folder: Path, content: bytes) -> None:
    with whole_file(str(folder / "out")) as file:
        file.write(content)


WRITERS: dict[str, Callable[[Path, bytes], object]] = {
    "file": _file,
    "kept": lambda folder, content: Folder(folder).keep("checkpoints/7", content),
    "replaced": lambda folder, content: Folder(folder).replace("checkpoint", content),
}


def names(folder: Path) -> set[str]:
    """Return the names of all files, hidden ones too."""
    return {path.name for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("writer", WRITERS)
def test_the_next_writer_removes_what_a_killed_one_left(writer: str, tmp_path: Path) -> None:
    """The file stands there whole, and nothing beside it."""
    command = [sys.executable, "-c", _WRITER, writer, str(tmp_path)]
    killed = subprocess.run(command, check=False)
    left = names(tmp_path)
    WRITERS[writer](tmp_path, b"whole")

    assert killed.returncode == -signal.SIGXFSZ and len(left) == 1
    [written] = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert written.name not in left and written.read_bytes() == b"whole"


def test_what_others_are_writing_stays(tmp_path: Path) -> None:
    """Two write the same file at once, each into one of his own; files that only look alike are nobody's to remove."""
    (tmp_path / ".out.notes.part").write_bytes(b"of somebody")
    with whole_file(str(tmp_path / "out")) as first:
        first.write(b"first")
        with whole_file(str(tmp_path / "out")) as second:
            second.write(b"second")
        assert len(names(tmp_path)) == 3

    assert names(tmp_path) == {"out", ".out.notes.part"} and (tmp_path / "out").read_bytes() == b"first"
