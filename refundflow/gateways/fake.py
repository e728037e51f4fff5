"""A payment channel for demos, rehearsals and users' own tests: it does what its script says.

```python
from refundflow.gateways.fake import FakeChannel

channel = FakeChannel()                       # or FakeChannel(path="channel.json")
channel.script("pay-1", "reverse", after=timedelta(hours=3))
channel.script("pay-2", "refuse_void", "settle")  # the first number is refused, the second paid
```

It has no clock: every call says at what time it is made.
"""

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from threading import RLock
from typing import TypedDict
from zoneinfo import ZoneInfo

from refundflow.gateways.port import Notification, Outcome, PayoutOrder
from refundflow.gateways.script import (
    DEFAULT_AFTER,
    SCRIPTS,
    BillRow,
    Record,
    answer,
    differs,
    movements,
    never_seen,
    told,
)
from states import times

__all__ = ["SCRIPTS", "BillRow", "FakeChannel"]


class _State(TypedDict):
    """Everything the channel knows, as JSON."""

    scripts: dict[str, list[tuple[str, int]]]  # payment → (script, microseconds) for each number
    numbers: dict[str, Record]
    order: dict[str, list[str]]  # payment → its numbers as they came
    waiting: list[tuple[str, int]]  # (number, index in what is told of it): not yet acknowledged
    seen: str | None  # the latest time of any call


def _empty() -> _State:
    return {"scripts": {}, "numbers": {}, "order": {}, "waiting": [], "seen": None}


class FakeChannel:
    """A scripted payment channel in memory, or in a JSON file that several processes may share.

    Without a script a payment settles at once. Scripts are the keys of `SCRIPTS`.
    """

    def __init__(self, name: str = "fake", *, path: str | os.PathLike[str] | None = None) -> None:
        """Open the channel; with `path` its state is read from and written to that file at each call."""
        self.name = name
        self._path = Path(path) if path is not None else None
        self._memory = _empty()
        self._lock = RLock()

    def script(self, payment_no: str, *scripts: str, after: timedelta | None = None) -> None:
        """Say what the payment's numbers do, first number first; the last script goes for all later ones.

        `after` is the delay of scripts that have one. Replaces an earlier script, for new numbers only.

        Raises:
            ValueError: no or an unknown script, or a negative delay.
        """
        unknown = [name for name in scripts if name not in SCRIPTS]
        if unknown or not scripts:
            allowed = ", ".join(SCRIPTS)
            raise ValueError(f"unknown script {', '.join(unknown) or '(none)'}: use one of {allowed}")
        if after is not None and after < timedelta(0):
            raise ValueError("`after` is a delay: it cannot be negative")
        steps = [(name, _microseconds(name, after)) for name in scripts]
        with self._state() as state:
            done = state["order"].get(payment_no, [])
            kept = [(state["numbers"][n]["script"], state["numbers"][n]["after"]) for n in done]
            state["scripts"][payment_no] = [*kept, *steps]

    def send(self, order: PayoutOrder) -> Outcome:
        """Pay as the payment's script says; the same number again gives the first answer."""
        with self._state(order.at) as state:
            record = state["numbers"].get(order.number)
            if record is None:
                record = self._accept(state, order)
            elif (refusal := differs(order, record)) is not None:
                return refusal
            else:
                self._send_again(state, order, record)
            return answer(order.number, record, order.at, "send")

    def query(self, order: PayoutOrder) -> Outcome:
        """Say what became of a number at the time of the call."""
        with self._state(order.at) as state:
            record = state["numbers"].get(order.number)
            if record is None:
                return never_seen(order.number)
            return answer(order.number, record, order.at, "query")

    def notifications(self, at: datetime) -> Sequence[Notification]:
        """List what happened up to `at` and was not acknowledged, oldest first."""
        with self._state(at) as state:
            found = [_of(state, number, index) for number, index in state["waiting"]]
            return sorted((n for n in found if n.occurred_at <= at), key=lambda n: (n.occurred_at, n.number))

    def acknowledge(self, notification: Notification) -> None:
        """Stop delivering a notification; of two equal ones, one."""
        with self._state() as state:
            for place in state["waiting"]:
                if place[0] == notification.number and _of(state, *place) == notification:
                    state["waiting"].remove(place)
                    return

    def paid(self, payment_no: str, *, at: datetime | None = None) -> int:
        """Sum what the buyer really has of this payment's refunds in minor units, less what came back.

        `at` is the time looked at; without it the latest time of any call.
        """
        rows = self._moved(at, payment_no)
        return sum(row.amount if row.kind == "paid" else -row.amount for row in rows)

    def bill(self, day: date, *, zone: str = "Asia/Shanghai") -> tuple[BillRow, ...]:
        """List what moved on a civil day of the zone up to the latest time of any call, oldest first."""
        where = ZoneInfo(zone)
        return tuple(row for row in self._moved(None) if row.occurred_at.astimezone(where).date() == day)

    def sent(self, payment_no: str) -> tuple[str, ...]:
        """List the numbers that reached the channel for a payment, in the order in which they came."""
        with self._state() as state:
            return tuple(state["order"].get(payment_no, ()))

    def _moved(self, at: datetime | None, payment_no: str | None = None) -> list[BillRow]:
        with self._state() as state:
            until = at or (times.moment(state["seen"]) if state["seen"] else datetime.min.replace(tzinfo=UTC))
            numbers = state["numbers"] if payment_no is None else state["order"].get(payment_no, [])
            rows = [row for number in numbers for row in movements(number, state["numbers"][number])]
        return sorted((r for r in rows if r.occurred_at <= until), key=lambda r: (r.occurred_at, r.number))

    def _accept(self, state: _State, order: PayoutOrder) -> Record:
        numbers = state["order"].setdefault(order.payment_no, [])
        steps = state["scripts"].get(order.payment_no, [("settle", 0)])
        script, after = steps[min(len(numbers), len(steps) - 1)]
        numbers.append(order.number)
        record = Record(
            payment_no=order.payment_no,
            amount=order.amount,
            currency=order.currency,
            script=script,
            after=after,
            sent_at=times.text(order.at),
            sent_again_at=None,
        )
        state["numbers"][order.number] = record
        self._announce(state, order.number, record)
        return record

    def _send_again(self, state: _State, order: PayoutOrder, record: Record) -> None:
        due = times.moment(record["sent_at"]) + timedelta(microseconds=record["after"])
        cares = record["script"] in ("refuse_once", "timeout_not_done")
        if cares and record["sent_again_at"] is None and order.at >= due:
            record["sent_again_at"] = times.text(order.at)
            self._announce(state, order.number, record)

    @staticmethod
    def _announce(state: _State, number: str, record: Record) -> None:
        state["waiting"].extend((number, index) for index, _ in enumerate(told(number, record)))

    @contextmanager
    def _state(self, at: datetime | None = None) -> Iterator[_State]:
        """Give the state to one caller at a time and keep what he changed."""
        with self._lock:
            if self._path is None:
                _see(self._memory, at)
                yield self._memory
                return
            with _only_one(self._path):
                before = self._path.read_text(encoding="utf-8") if self._path.exists() else ""
                state: _State = json.loads(before) if before else _empty()
                state["waiting"] = [(number, index) for number, index in state["waiting"]]
                _see(state, at)
                yield state
                after = json.dumps(state, ensure_ascii=False, sort_keys=True, indent=1)
                if after != before:
                    # That time went on alone need not survive a power cut.
                    _write(self._path, after, durable=not before or _facts(after) != _facts(before))


def _of(state: _State, number: str, index: int) -> Notification:
    return list(told(number, state["numbers"][number]))[index]


def _see(state: _State, at: datetime | None) -> None:
    if at is not None:
        state["seen"] = max(state["seen"] or "", times.text(at))


def _microseconds(script: str, after: timedelta | None) -> int:
    delay = DEFAULT_AFTER.get(script, timedelta(0)) if after is None else after
    return delay // timedelta(microseconds=1)


@contextmanager
def _only_one(path: Path) -> Iterator[None]:
    """Hold the advisory lock beside the file, so that processes take turns."""
    import fcntl  # only a shared file needs it; the channel in memory works where it is missing

    with path.with_name(f"{path.name}.lock").open("a", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _facts(written: str) -> dict[str, object]:
    return {**json.loads(written), "seen": None}


def _write(path: Path, text: str, *, durable: bool) -> None:
    """Replace the file as a whole: a reader or a crash sees the old or the new state."""
    beside = path.with_name(f"{path.name}.new")
    with beside.open("w", encoding="utf-8") as file:
        file.write(text)
        if durable:
            file.flush()
            os.fsync(file.fileno())
    beside.replace(path)
