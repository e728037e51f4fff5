"""Import of history: closed cases of another system, in bounded transactions, each case whole or not at all."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime
from itertools import islice
from pathlib import Path

from refundflow import history, orders, values
from refundflow.errors import RoleNotAllowed
from refundflow.history import CaseRow
from refundflow.orders import RejectedRow
from refundflow.service.base import Facade
from refundflow.service.callers import parse_caller, require_registered
from refundflow.service.importing import IMPORTED, UNCHANGED, Imagined, Import, subject_of
from states.case import Blocker

BATCH = 50  # cases of one transaction


class HistoryImport(Facade):
    """Cases that were decided elsewhere, marked as such in every entry."""

    def history_import(
        self,
        path: str | Path,
        *,
        actor: str,
        rejects: str | Path | None = None,
        dry_run: bool = False,
        at: datetime | None = None,
        progress: Callable[[int], None] | None = None,
        batch: int = BATCH,
    ) -> values.HistoryImport:
        """Take the closed cases of a file in, as entries of kind imported with their own times.

        Each transaction has at most `batch` cases, told to `progress`. The same file again changes nothing and goes
        on where it was interrupted. What cannot be told is rejected with its line and reason, to the CSV file
        `rejects` if one is named. `dry_run` only says what would be done.

        Raises:
            BadInput: the file cannot be read, or `rejects` cannot be written.
            RoleNotAllowed: the actor is no service.
        """
        caller = parse_caller(actor)
        if caller.role != "service":
            params = {"role": caller.role, "roles": ["service"]}
            raise RoleNotAllowed((Blocker(code="ROLE_NOT_ALLOWED", params=params),))
        if not self.engine.store.rehearsal:
            self.engine.read(lambda tx: require_registered(tx, caller))
        digest, counts = history.digest_of_file(path), Counter[str]()
        importing = Import(self.engine, caller, digest, at)
        found = self._cases(path, importing, counts, progress, batch, dry_run=dry_run)
        if rejects is None:
            for _ in found:
                pass
        else:
            orders.write_rejects(rejects, found)
        return values.HistoryImport(
            file=digest, dry_run=dry_run, imported=counts[IMPORTED], unchanged=counts[UNCHANGED],
            rejected=counts["rejected"],
        )  # fmt: skip

    def _cases(
        self,
        path: str | Path,
        importing: Import,
        counts: Counter[str],
        progress: Callable[[int], None] | None,
        batch: int,
        *,
        dry_run: bool,
    ) -> Iterator[RejectedRow]:
        cases = history.read(path)
        with closing(Imagined()) as imagined:
            while some := list(islice(cases, batch)):
                # in the order of lines, so that two imports do not wait for each other in a circle
                rows = sorted((row for row in some if isinstance(row, CaseRow)), key=subject_of)
                if dry_run:
                    answers = self.engine.read(lambda tx, rows=rows: importing.imagine(tx, rows, imagined))  # type: ignore[misc]
                else:
                    answers = self.engine.write(lambda tx, rows=rows: importing.take_in(tx, rows))  # type: ignore[misc]
                for row in some:
                    answer = row if isinstance(row, RejectedRow) else answers[row.line_number]
                    if isinstance(answer, RejectedRow):
                        counts["rejected"] += 1
                        yield answer
                    else:
                        counts[answer] += 1
                if progress:
                    progress(len(some))
