"""Files that appear whole or not at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from refundflow.disk import keep_names, open_part
from refundflow.errors import BadInput, RefundflowError

NEEDED = "needed: the path of a new file, or of a file to be replaced, in a folder that can be written"


@contextmanager
def whole_file(output: str, *, private: bool = False) -> Iterator[BinaryIO]:
    """Give a temporary file beside `output` that takes its place at the end, once it is on the disk.

    A `private` one can be read by nobody else.

    Whatever ends the writing early, an interruption from the keyboard too, removes the temporary file and leaves
    what stood at `output` before.

    Raises:
        BadInput: the path cannot be written; the message says what is needed.
        RefundflowError: the disk did not take it all.
    """
    target = target_of(output)
    try:
        file = open_part(target.parent, target.name, private=private)
    except OSError as problem:
        raise BadInput(f"{output}: {problem.strerror}; {NEEDED}", field="output") from problem
    temporary = Path(file.name)
    try:
        with file:
            yield file
            file.flush()
            os.fsync(file.fileno())
            temporary.replace(target)
    except OSError as problem:
        raise RefundflowError(f"{output} was not written: {problem.strerror or problem}") from problem
    finally:
        temporary.unlink(missing_ok=True)  # it may have taken its place
    keep_names(target.parent)


def target_of(output: str) -> Path:
    """Follow links to the file itself; devices, pipes and folders are not replaced.

    Raises:
        BadInput: the path names no file, or none that can be replaced.
    """
    if output.strip() in ("", "-") or "\0" in output:  # a dash: nothing of it could appear whole in a pipe
        raise BadInput(f"{output!r} names no file; {NEEDED}", field="output")
    try:
        target = Path(output).resolve()
        if target.exists() and not target.is_file():
            raise BadInput(f"{output} is no ordinary file; {NEEDED}", field="output")
    except (OSError, RuntimeError) as problem:  # a name too long, links in a circle
        raise BadInput(f"{output}: {problem}; {NEEDED}", field="output") from problem
    return target
