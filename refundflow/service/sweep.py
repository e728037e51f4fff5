"""The sweep: what is due lapses and what comes near is warned of, in batches that no damaged line holds up."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from functools import partial
from itertools import islice

from refundflow.errors import Busy
from refundflow.service.base import Facade, Place
from refundflow.service.requests import place_of
from refundflow.store import Stored, Tx
from states.case import Case, Effect, line_subject
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

        def find(tx: Tx) -> Iterator[str]:
            return found(partial(tx.due, self.engine.time(tx, at)), limit, left_out)

        fired = self._together(find, partial(self._fire, at=at, limit=limit), limit, left_out)
        done["lapsed"] += fired["lapsed"]
        return fired["lines"]

    def _together(
        self,
        find: Callable[[Tx], Iterator[str]],
        step: Callable[[Tx, Iterator[str]], Counter[str]],
        limit: int,
        damaged: set[Place],
    ) -> Counter[str]:
        """Take a step on what is found, in one transaction; if something is wrong with one, on at most `limit` alone.

        Where all of them are damaged it is looked for others behind them.
        """

        def alone(refund: str) -> Counter[str]:
            return self.engine.write(lambda tx: step(tx, iter([refund])))

        try:
            return self.engine.write(lambda tx: step(tx, find(tx)))
        except Busy:
            raise
        except Exception:  # noqa: BLE001
            done, taken, known = Counter[str](), 0, -1
        while not done and known < len(damaged):
            known = len(damaged)
            for refund in self.engine.read(lambda tx: list(find(tx))):
                place = place_of(refund)
                one = self._apart(place, partial(alone, refund))
                if one is None:
                    damaged.add(place)
                elif one:  # empty: somebody else holds it
                    done, taken = done + one, taken + 1
                    if taken == limit:
                        break
        return done

    def _fire(self, tx: Tx, refunds: Iterator[str], *, at: datetime | None, limit: int) -> Counter[str]:
        fired: Counter[str] = Counter()
        while chosen := list(islice(refunds, limit - fired["lines"])):
            fired += self.engine.lapse(tx, tx.take(_places(chosen)), self.engine.time(tx, at))
        return fired

    def warn(
        self,
        done: Counter[str],
        *,
        at: datetime | None = None,
        limit: int = BATCH,
        damaged: set[Place] | None = None,
    ) -> int:
        """Tell once of deadlines that come near, of at most `limit` refunds in one transaction; return how many.

        What is wrong with one keeps no other waiting; see `fire`.
        """
        left_out = set() if damaged is None else damaged

        def find(tx: Tx) -> Iterator[str]:
            return found(partial(tx.warnings, self.engine.time_to_read(tx, at)), limit, left_out)

        warned = self._together(find, partial(self._warn, at=at, limit=limit), limit, left_out)
        done["warned"] += warned["warned"]
        return warned["warned"]

    def _warn(self, tx: Tx, refunds: Iterator[str], *, at: datetime | None, limit: int) -> Counter[str]:
        warned: Counter[str] = Counter()
        while chosen := list(islice(refunds, limit - warned["warned"])):
            taken = {stored.subject: stored for stored in tx.take(_places(chosen))}
            now = self.engine.time(tx, at)
            of_line = [(refund, taken.get(line_subject(*place_of(refund)))) for refund in chosen]
            given = [_warnings(stored, refund, now) for refund, stored in of_line if stored is not None]
            tx.give_warnings(given, now)
            warned["warned"] += len(given)
        return warned


def found(find: Callable[[int], Sequence[str]], limit: int, damaged: set[Place]) -> Iterator[str]:
    """Give what is found, beyond one batch only to who got less of it because others hold some.

    `find` finds at most so many refunds.
    """
    given: set[str] = set()
    for batches in (1, LOOK_AHEAD):
        page = batches * limit + len(damaged)
        refunds = find(page)
        for refund in refunds:
            if refund not in given and place_of(refund) not in damaged:
                given.add(refund)
                yield refund
        if len(refunds) < page:
            return


def _places(refunds: Sequence[str]) -> list[Place]:
    """Return the lines of refunds, each once."""
    return list(dict.fromkeys(map(place_of, refunds)))


def _warnings(stored: Stored, refund: str, now: datetime) -> tuple[Case, list[Effect]]:
    case = stored.aggregate.refunds[refund]
    return case, warnings(case, now=now, warned_at=stored.chains[refund].warned_at)
