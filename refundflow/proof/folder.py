"""Publication into a folder: every file whole or not at all, on the disk before anything names it."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from refundflow.disk import keep_names, open_part
from refundflow.errors import RefundflowError


class Folder:
    """A folder, perhaps of another host or on a medium that can be written once."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def read(self, name: str) -> bytes | None:
        """Return what stands under a name, None where nothing does."""
        try:
            return (self._root / name).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as problem:
            raise _failed(self._root / name, problem) from problem

    def keep(self, name: str, content: bytes) -> bool:
        """Write what stays as it is; False where something stands there already."""
        target = self._root / name
        if target.exists():
            return False
        with self._written(target, content) as temporary:
            try:
                os.link(temporary, target)
            except FileExistsError:
                return False
            keep_names(target.parent)
        return True

    def replace(self, name: str, content: bytes) -> None:
        """Write what takes the place of what stood there, whole or not at all."""
        target = self._root / name
        with self._written(target, content) as temporary:
            temporary.replace(target)
            keep_names(target.parent)

    def drop(self, name: str) -> None:
        """Remove partial tiles that are whole by now."""
        with suppress(OSError):
            shutil.rmtree(self._root / name)

    def sizes(self) -> Iterator[int]:
        """Yield the sizes under `checkpoints/` in ascending order."""
        folder = self._root / "checkpoints"
        names = [path.name for path in folder.iterdir()] if folder.is_dir() else []
        yield from sorted(int(name) for name in names if name.isascii() and name.isdigit())

    @contextmanager
    def _written(self, target: Path, content: bytes) -> Iterator[Path]:
        """Give a temporary file that is on the disk; all of them lie at the root, where what was left is soon found."""
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with open_part(self._root, "publication") as file:
                temporary = Path(file.name)
                try:
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())
                    yield temporary
                finally:
                    temporary.unlink(missing_ok=True)  # it may have taken its place
        except OSError as problem:
            raise _failed(target, problem) from problem


def _failed(path: Path, problem: OSError) -> RefundflowError:
    return RefundflowError(f"{path}: {problem.strerror}: the checkpoints are published by the next run")
