"""`Refunds`: connect to a database and drive refunds; thin, typed, safe for threads."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from refundflow import calendars, policies
from refundflow.config import CHECKPOINTS, Synchronous, checked_url
from refundflow.errors import BadInput, Misconfigured
from refundflow.gateways import Gateway
from refundflow.proof.folder import Folder
from refundflow.proof.publish import Place
from refundflow.service.calendar import CalendarWork
from refundflow.service.case_files import CaseFiles
from refundflow.service.delivery import Delivery
from refundflow.service.engine import Engine, busy
from refundflow.service.exports import Exports
from refundflow.service.history import HistoryImport
from refundflow.service.keys import Keys
from refundflow.service.line_acts import LineActs
from refundflow.service.numbers import Numbers
from refundflow.service.payout_acts import PayoutActs
from refundflow.service.privacy import Privacy
from refundflow.service.review_acts import ReviewActs
from refundflow.service.staff import Staff
from refundflow.service.work import SystemWork
from refundflow.store import Conflict, Store
from states.policy_values import Policy


class Refunds(
    ReviewActs,
    PayoutActs,
    LineActs,
    CaseFiles,
    Staff,
    SystemWork,
    Delivery,
    CalendarWork,
    Numbers,
    Exports,
    Keys,
    Privacy,
    HistoryImport,
):
    """The facade: one method per event of the workflow, and the queries beside them.

    Use it as a context manager; one instance serves all threads of a process::

        with Refunds.connect("sqlite:///refundflow.db") as refunds:
            refund = refunds.submit("A1001", reason="CODE_INVALID", actor="buyer:b-17", key="k1")
    """

    def __init__(
        self,
        store: Store,
        *,
        policy: Policy,
        gateways: Mapping[str, Gateway] | None = None,
        signing_key: Path | None = None,
        checkpoints: str | None = None,
    ) -> None:
        self.engine = Engine(store, policy)
        self.gateways = dict(gateways or {})
        self.signing_key = signing_key
        self.place = place_of_publication(checkpoints) if checkpoints else None

    @classmethod
    def connect(
        cls,
        url: str,
        *,
        policy: Policy | Path | None = None,
        gateways: Mapping[str, Gateway] | None = None,
        signing_key: Path | None = None,
        checkpoints: str | None = None,
        synchronous: Synchronous = "full",
    ) -> Self:
        """Open an initialised database.

        `policy` is pinned to refunds submitted from now on (default: the packaged one); `gateways`
        are the payment channels by name. `signing_key` is the file of the key that signs checkpoints, `checkpoints`
        the folder or bucket (``s3://…``) in which they are published. With `synchronous` "normal" an SQLite file is
        not flushed at every commit: what was acknowledged last may be missing after a power cut, never after a
        killed process.

        Raises:
            NotInitialised, SchemaTooNew: see `Refunds.init`.
            PolicyInvalid: the policy file has problems; all of them are told.
            Busy: the database is locked, or went away meanwhile.
        """
        pinned = _policy(policy)
        with typed_conflicts():
            return cls(
                Store.open(checked_url(url), synchronous=synchronous),
                policy=pinned,
                gateways=gateways,
                signing_key=signing_key,
                checkpoints=checkpoints,
            )

    @classmethod
    def init(cls, url: str, *, rehearsal: bool = False, partitions: int | None = None) -> None:
        """Make a database ready, live or for rehearsals, for ever; the same call again changes nothing.

        `partitions` splits the tables of a new PostgreSQL database by order id (2 to 64), for ever too.

        Raises:
            BadInput: it was made ready in the other mode, or cannot have so many partitions.
            SchemaTooNew: it was made by a newer version.
        """
        shipped, policy = calendars.shipped(), policies.default()
        with (
            typed_conflicts(),
            Store.create(checked_url(url), rehearsal=rehearsal, partitions=partitions) as store,
            store.write() as tx,
        ):
            if not tx.calendars():
                tx.put_calendar(shipped.version, None, calendars.dump(shipped))
            tx.put_policy(policy.version, policies.content_of(policy))

    @property
    def rehearsal(self) -> bool:
        """Tell whether time is what the caller says."""
        return self.engine.store.rehearsal

    @property
    def policy(self) -> Policy:
        """Return the policy that is pinned at submit."""
        return self.engine.policy

    @property
    def dialect(self) -> str:
        """Return the kind of database: sqlite or postgresql."""
        return self.engine.store.dialect

    def wait_for_work(self, seconds: float, stop: threading.Event) -> None:
        """Return when a commit has brought work (PostgreSQL), `stop` is set, or the time is over."""
        self.engine.store.news.wait(seconds, stop)

    def close(self) -> None:
        """Close the connections."""
        self.engine.store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@contextmanager
def typed_conflicts() -> Iterator[None]:
    """Tell a database that is locked, or goes away while it is opened, as busy."""
    try:
        yield
    except Conflict as conflict:
        raise busy(conflict) from conflict


def place_of_publication(named: str) -> Place:
    """Return where checkpoints are published: a folder, or a bucket.

    Raises:
        Misconfigured: a kind of place that refundflow does not know, or the extra for it is missing.
    """
    if named.startswith("s3://"):
        from refundflow.proof.bucket import Bucket

        return Bucket(named)
    if "://" in named:
        raise Misconfigured(f"{CHECKPOINTS}: {named!r} is neither a folder nor s3://BUCKET", field=CHECKPOINTS)
    return Folder(Path(named))


def _policy(given: Policy | Path | None) -> Policy:
    if given is None:
        return policies.default()
    if isinstance(given, Policy):
        return given
    try:
        return policies.parse(given.read_text(encoding="utf-8"), str(given))
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise BadInput(f"the policy file {given} cannot be read: {why}", field="policy") from error
