"""Numbers for operations: totals that are counted on as entries come, and what stands open now."""

from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta

from refundflow import totals, values
from refundflow.clock import utc_now
from refundflow.service.base import Facade
from refundflow.service.work import never
from refundflow.store import COUNTED, Tx
from states.calendar import day_of

BATCH = 200  # entries; they are read outside the transaction that adds them up


class Numbers(Facade):
    """What is counted; safe to call from many processes, each entry is counted once."""

    def count(self, *, stop: Callable[[], bool] = never) -> int:
        """Count entries that nobody has counted yet; return how many transactions that took.

        On PostgreSQL what was written a moment ago may be left for the next call.
        """
        horizon = self._horizon()
        done = 0
        while not stop() and self._count(horizon):
            done += 1
        return done

    def numbers(self, *, at: datetime | None = None) -> values.Numbers:
        """Return every number: its cost grows with what is open and waits, not with what is over."""

        def read(tx: Tx) -> values.Numbers:
            now = self.engine.time_to_read(tx, at)
            self.engine.refresh(tx)
            counted, standing = tx.totals(), tx.standing()
            signed = tx.newest_signed_checkpoint()
            covered = self.engine.calendars.at(now + timedelta(microseconds=1)).last
            return values.Numbers(
                totals={key: value for key, value in counted.items() if key[1]},
                open_by_state=standing.open_by_state,
                waiting_by_kind=standing.waiting_by_kind,
                dead=standing.dead,
                lag_seconds=_since(standing.first_due_at, now),
                outbox_lag_seconds=_since(standing.first_try_at, now),
                coverage_days=(covered - day_of(now, self.engine.policy.zone)).days,
                uncounted=max(standing.newest - counted.get((COUNTED, ()), 0), 0),
                unsigned=max(tx.log_end().size - (signed.size if signed else 0), 0)
                + max(standing.newest - tx.log_end().last_gid, 0),
                checkpoint_age_seconds=_since(signed.made_at if signed else None, now),
                unfinished_erasures=len(tx.unfinished_erasures()),
            )

        return self.engine.read(read)

    def skew(self, *, host: Callable[[], datetime] = utc_now) -> timedelta:
        """Return how far this host's clock is ahead of the database's, which decides; without network time.

        Nothing on SQLite, where they are one, and in a rehearsal.
        """
        if self.engine.store.dialect == "sqlite" or self.engine.store.rehearsal:
            return timedelta(0)
        before = host()
        told = self.engine.read(lambda tx: tx.now())
        after = host()
        return before + (after - before) / 2 - told

    def _horizon(self) -> int:
        look = self.engine.read if self.engine.store.dialect == "sqlite" else self.engine.write
        return look(lambda tx: tx.horizon())

    def _count(self, horizon: int) -> bool:
        new = self.engine.read(lambda tx: tx.new_entries(horizon, BATCH))
        if not new.places:
            return False
        counted: Counter[totals.Key] = Counter()

        def read(tx: Tx) -> None:
            for (order_id, subject), numbers in new.places.items():
                counted.update(totals.count(tx.chain_for_totals(order_id, subject, max(numbers)), numbers))

        self.engine.read(read)
        return self.engine.write(lambda tx: tx.add_totals(new, counted))


def _since(moment: datetime | None, now: datetime) -> float:
    return max((now - moment).total_seconds(), 0.0) if moment is not None else 0.0
