"""The sweep: what is due lapses and what comes near is warned of, in batches that no damaged line holds up."""

from collections import Counter
from datetime import datetime
from functools import partial

from refundflow.errors import Busy
from refundflow.service.base import Facade, Place
from refundflow.service.requests import place_of
from refundflow.store import Tx
from states.warnings import warnings

BATCH = 100
LOOK_AHEAD = 4  # batches of others that a worker looks past for work of its own


class Sweep(Facade):
    """Deadlines and warnings of all refunds; calling it never or all the time gives the same history."""

    def fire(
        self,
        done: Counter[str],
        *,
        at: datetime | None = None,
        limit: int = BATCH,
        damaged: set[Place] | None = None,
    ) -> int:
        """Fire what is due on at most `limit` order lines in one transaction; return how many lines were fired.

        A line that somebody else is changing is left to him: whoever touches it applies what is due first. One that
        cannot be read or moved is told, added to `damaged` and left out, so that it keeps no other waiting.
        """
        left_out = set() if damaged is None else damaged
        try:
            fired: Counter[str] = self.engine.write(
                lambda tx: self._fire(tx, self._due(tx, at, limit, left_out), at, limit)
            )
        except Busy:
            raise
        except Exception:  # noqa: BLE001
            fired = self._fire_each(at, limit, left_out)
        done["lapsed"] += fired["lapsed"]
        return fired["lines"]

    def _due(self, tx: Tx, at: datetime | None, limit: int, damaged: set[Place]) -> list[Place]:
        places = tx.due(self.engine.time(tx, at), LOOK_AHEAD * limit + len(damaged))
        return [place for place in places if place not in damaged]

    def _fire_each(self, at: datetime | None, limit: int, damaged: set[Place]) -> Counter[str]:
        """Fire lines one by one: something is wrong with one of them, or with more."""
        fired: Counter[str] = Counter()
        for place in self.engine.read(lambda tx: self._due(tx, at, limit, damaged)):
            one = self._apart(place, partial(self._fire_one, place, at))
            if one is None:
                damaged.add(place)
            fired += one or Counter()
            if fired["lines"] == limit:
                break
        return fired

    def _fire_one(self, place: Place, at: datetime | None) -> Counter[str]:
        return self.engine.write(lambda tx: self._fire(tx, [place], at, 1))

    def _fire(self, tx: Tx, places: list[Place], at: datetime | None, limit: int) -> Counter[str]:
        fired: Counter[str] = Counter()
        while places and fired["lines"] < limit:
            asked = limit - fired["lines"]
            lines, places = tx.take(places[:asked]), places[asked:]
            fired += self.engine.lapse(tx, lines, self.engine.time(tx, at))
        return fired

    def warn(self, done: Counter[str], *, at: datetime | None = None, limit: int = BATCH) -> int:
        """Tell once of deadlines that come near, of at most `limit` refunds in one transaction; return how many."""
        try:
            warned: int = self.engine.write(lambda tx: self._warn(tx, self._to_warn(tx, at, limit), at, limit))
        except Busy:
            raise
        except Exception:  # noqa: BLE001
            refunds = self.engine.read(lambda tx: self._to_warn(tx, at, limit))
            warned = sum(self._apart(place_of(refund), partial(self._warn_one, refund, at)) or 0 for refund in refunds)
        done["warned"] += warned
        return warned

    def _to_warn(self, tx: Tx, at: datetime | None, limit: int) -> list[str]:
        return tx.warnings(self.engine.time_to_read(tx, at), LOOK_AHEAD * limit)

    def _warn(self, tx: Tx, refunds: list[str], at: datetime | None, limit: int) -> int:
        warned = 0
        for refund in refunds:
            if warned == limit:
                break
            warned += self._warn_of(tx, refund, at)
        return warned

    def _warn_one(self, refund: str, at: datetime | None) -> int:
        return self.engine.write(lambda tx: self._warn(tx, [refund], at, 1))

    def _warn_of(self, tx: Tx, refund: str, at: datetime | None) -> int:
        order_id, line = place_of(refund)
        taken = tx.take([(order_id, line)])
        if not taken:
            return 0
        [stored] = taken
        now = self.engine.time(tx, at)
        effects = warnings(stored.aggregate.refunds[refund], now=now, warned_at=stored.chains[refund].warned_at)
        if effects:
            tx.add_effects(order_id, effects, now)
        tx.mark_warned(refund, now)
        return 1
