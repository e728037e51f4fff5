"""Files that are named on the command line, read with clear errors: evidence, policies."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from refundflow.cli.options import EvidenceFile
from refundflow.errors import BadInput
from refundflow.values import Attachment

if TYPE_CHECKING:
    from states.policy_values import Policy

# A guard of this process alone: what a policy allows is far less, and is judged by the rules.
MOST_BYTES = 64 * 2**20


def attachments(given: Sequence[EvidenceFile] | None) -> list[Attachment]:
    """Read every file that was named.

    Raises:
        BadInput: a file that is not there, cannot be read, is no file, or is larger than 64 MiB.
    """
    return [Attachment(kind=item.kind, content=_content(item), filename=item.path.name) for item in given or ()]


def _content(item: EvidenceFile) -> bytes:
    try:
        with item.path.open("rb") as stream:
            content = stream.read(MOST_BYTES + 1)
    except OSError as error:
        raise BadInput(f"{item.kind}={item.path}: {error.strerror or error}", field="evidence") from error
    if len(content) > MOST_BYTES:
        raise BadInput(f"{item.kind}={item.path}: larger than {MOST_BYTES // 2**20} MiB", field="evidence")
    return content


def text(path: Path) -> str:
    """Read a small file of text.

    Raises:
        BadInput: it cannot be read, is no text, or is larger than 64 MiB.
    """
    try:
        with path.open("rb") as stream:
            content = stream.read(MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            raise BadInput(f"{path}: larger than {MOST_BYTES // 2**20} MiB", field="file")
        return content.decode()
    except OSError as error:
        raise BadInput(f"{path}: {error.strerror or error}", field="file") from error
    except UnicodeDecodeError as error:
        raise BadInput(f"{path}: not UTF-8: {error.reason}", field="file") from error


def policy(file: Path | None) -> "Policy":
    """Read a policy file; the packaged default where none is named.

    Raises:
        PolicyInvalid: it has problems; all of them are told.
        BadInput: it cannot be read.
    """
    from refundflow import policies

    if file is None:
        return policies.default()
    try:
        return policies.parse(file.read_text(encoding="utf-8"), str(file))
    except OSError as error:
        raise BadInput(f"{file}: {error.strerror or error}", field="file") from error
    except UnicodeDecodeError as error:
        raise BadInput(f"{file}: not UTF-8: {error.reason}", field="file") from error
