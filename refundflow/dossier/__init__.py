"""The dossier: one refund on one page that a person can read and print, for the eyes of whoever asks."""

from datetime import datetime

from refundflow.dossier.page import page
from refundflow.export.whole_file import whole_file
from refundflow.messages import Language
from refundflow.service import Refunds
from refundflow.values import Dossier

__all__ = ["LANGUAGES", "Dossier", "page", "write_dossier"]

LANGUAGES: tuple[Language, ...] = ("en", "zh")


def write_dossier(
    refunds: Refunds,
    refund_id: str,
    *,
    output: str,
    actor: str,
    language: Language = "en",
    at: datetime | None = None,
    buyer: str | None = None,
) -> Dossier:
    """Write the dossier of a refund to a file, which appears whole or not at all.

    What is in it is what the actor may see: a buyer is told no internal notes, flags or names of staff.

    Raises:
        NotFound: the refund does not exist, or is not the actor's to see.
        BadInput: the path cannot be written.
    """
    file = refunds.case_file(refund_id, actor=actor, at=at, buyer=buyer)
    with whole_file(output, private=True) as written:
        written.write(page(file, language).encode())
    return Dossier(refund=refund_id, output=output, lang=language, entries=len(file.entries))
