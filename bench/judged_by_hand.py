"""By hand, judged: one statement reads all that `bench.judging` asks, what it answers is written; a commit per move.

On SQLite the lock comes first, so that what was read stays so; on PostgreSQL one data-modifying statement commits by
itself, or fails where a refund or its line is no more as it was read. What is due on many refunds is found, judged
(`bench.judging_due`) and written as sets.
"""

from datetime import UTC, datetime

import psycopg

from bench.by_hand import Hand, PostgresHand, SqliteHand, as_json, given, inserted, require, selected
from bench.judging import TARGETS, Change, Found, Refused, Request, Rules, judge, moment
from bench.judging_due import Due, lapse
from bench.recorded import BATCH, EFFECT, ENTRY

EFFECTS = {"begin_review": 0, "request_evidence": 1, "approve": 3, "withdraw": 0}
_CHANGED = {  # columns that only one move changes, with the marks of their values
    "begin_review": "",
    "request_evidence": "next_due_at = ?, next_warn_at = ?,",
    "approve": "next_due_at = ?, next_warn_at = ?, approved = ?,",
    "withdraw": "next_due_at = NULL, next_warn_at = NULL, assignee = NULL,",
}
_CHANGES = {
    event: f"""
        UPDATE refunds SET state = '{TARGETS[event]}', {changed} document = ?, seq = ?, head = ?, refusal = NULL,
        repeats = 0, version = version + 1 WHERE order_id = ? AND id = ? AND version = ?"""
    for event, changed in _CHANGED.items()
}
_CHANGE_LINE = """
    UPDATE order_lines SET reserved = reserved + ?, version = version + 1
    WHERE order_id = ? AND line = ? AND version = ?"""
_LOCK_LINE = "SELECT order_id FROM order_lines WHERE order_id = ? AND line = ? AND version = ? FOR NO KEY UPDATE"
_READ = """
    SELECT refunds.document, refunds.head, refunds.version, refunds.repeats, line.document, line.version,
        line.reserved, line.in_flight, line.settled, line.charged_back, line.excess, buyers.lookup, buyers.key,
        staff.roles, calendars.ordinal, used.request_hash, EXISTS (
            SELECT 1 FROM refunds AS other WHERE other.order_id = refunds.order_id AND other.line = refunds.line
            AND other.next_due_at <= {now}
        ){and_now}
    FROM {clock}refunds
    JOIN order_lines AS line ON line.order_id = refunds.order_id AND line.line = refunds.line
    JOIN buyers ON buyers.ref = line.buyer
    LEFT JOIN staff ON staff.name = ? AND staff.active
    LEFT JOIN calendars ON calendars.ordinal = ?
    LEFT JOIN transitions AS used
    ON used.order_id = refunds.order_id AND used.key_scope = refunds.id AND used.key = ?
    WHERE refunds.order_id = ? AND refunds.id = ?"""

_READ_DUE = """
    SELECT refunds.document, refunds.head, refunds.version, refunds.repeats, refunds.warned_at, line.document,
        line.version, line.excess, NOT EXISTS (
            SELECT 1 FROM refunds AS other WHERE other.order_id = refunds.order_id AND other.line = refunds.line
            AND other.id <> refunds.id
        ), (SELECT ordinal FROM calendars WHERE ordinal = ?){and_now}
    FROM refunds JOIN order_lines AS line ON line.order_id = refunds.order_id AND line.line = refunds.line
    WHERE refunds.next_due_at IS NOT NULL AND refunds.next_due_at <= {now}
    ORDER BY refunds.next_due_at, refunds.id LIMIT ?"""
_LAPSED = ("state", "next_due_at", "next_warn_at", "assignee", "document", "seq", "head")
_ALWAYS = "clear_due_at = NULL, refusal = NULL, repeats = 0"
_KEYS = ("order_id", "id", "version")
_LINE = ("reserved", "order_id", "line", "version")


class JudgedSqliteHand(SqliteHand):
    """The sqlite3 module of Python; the moment is the host's."""

    _READ_ALL, _FIND = _READ.format(now="?", and_now="", clock=""), _READ_DUE.format(now="?", and_now="")
    _LAPSE = f"""
        UPDATE refunds SET {", ".join(f"{name} = ?" for name in _LAPSED)}, {_ALWAYS}, version = version + 1
        WHERE {" AND ".join(f"{name} = ?" for name in _KEYS)}"""

    def __init__(self, url: str, synchronous: str = "full") -> None:
        super().__init__(url, synchronous)
        self.rules = _rules(self)
        more = f", ({', '.join('?' * len(EFFECT))})"
        self._add_effects = {event: self._ADD_EFFECT + more * (count - 1) for event, count in EFFECTS.items()}

    def move(self, request: Request) -> None:
        """Make one move in one commit, or none where it was made before.

        Raises:
            Refused: it is not possible now; nothing was written.
        """
        run = self.connection.execute
        run("BEGIN IMMEDIATE")
        try:
            change = judge(request, self.read(request), self.rules)
            if change is not None:
                self.change(request.event, change)
        except BaseException:
            run("ROLLBACK")
            raise
        run("COMMIT")

    def read(self, request: Request) -> Found:
        """Read what the move must know."""
        now = datetime.now(UTC)
        asked = (moment(now), request.name, self.rules.calendars + 1, request.key, *request.place)
        row = self.connection.execute(self._READ_ALL, asked).fetchone()
        if row is None:
            raise Refused("NOT_FOUND")
        return Found._make((*row, now))

    def change(self, event: str, change: Change) -> None:
        """Write what was judged within the transaction."""
        line, reserved, refund, entry, effects = change
        run = self.connection.execute
        if run(_CHANGES[event], refund).rowcount != 1:
            raise Refused("CHANGED")
        if reserved and run(_CHANGE_LINE, (reserved, *line)).rowcount != 1:
            raise Refused("CHANGED")
        run(self._ADD_ENTRY, entry)
        if effects:
            run(self._add_effects[event], [value for effect in effects for value in effect])

    def lapse(self) -> int:
        """Find what is due and let it lapse, on at most a batch of refunds in one commit; return on how many.

        Raises:
            Refused: something else is due than is measured; nothing was written.
        """
        run, every = self.connection.execute, self.connection.executemany
        run("BEGIN IMMEDIATE")
        try:
            lapsed = [lapse(found, self.rules) for found in self.find()]
            every(self._ADD_ENTRY, [entry for one in lapsed for entry in one.entries])
            lines = [one.line for one in lapsed if one.line[0]]
            require(every(_CHANGE_LINE, lines).rowcount, len(lines))
            require(every(self._LAPSE, [one.refund for one in lapsed]).rowcount, len(lapsed))
            every(self._ADD_EFFECT, [one.effect for one in lapsed])
        except BaseException:
            run("ROLLBACK")
            raise
        run("COMMIT")
        return len(lapsed)

    def find(self) -> list[Due]:
        """Read refunds on which something is due, the oldest first, at most a batch."""
        now = datetime.now(UTC)
        found = self.connection.execute(self._FIND, (self.rules.calendars + 1, moment(now), BATCH))
        return [Due._make((*row, now)) for row in found]


class JudgedPostgresHand(PostgresHand):
    """psycopg: one statement reads, and one data-modifying statement commits by itself; the moment is the server's."""

    _READ_ALL = _READ.replace("?", "%s").format(
        now="clock.now", and_now=", clock.now", clock="(SELECT clock_timestamp() AS now) AS clock CROSS JOIN "
    )
    _FIND = _READ_DUE.replace("?", "%s").format(now="now()", and_now=", now()")

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.rules = _rules(self)

    def move(self, request: Request) -> None:
        """Make one move in one commit, or none where it was made before.

        Raises:
            Refused: it is not possible now; nothing was written.
        """
        change = judge(request, self.read(request), self.rules)
        if change is not None:
            self.change(request.event, change)

    def read(self, request: Request) -> Found:
        """Read what the move must know."""
        asked = (request.name, self.rules.calendars + 1, request.key, *request.place)
        row = self._run(self._READ_ALL, asked).fetchone()
        if row is None:
            raise Refused("NOT_FOUND")
        return Found._make((*row[:-1], row[-1].astimezone(UTC)))

    def change(self, event: str, change: Change) -> None:
        """Write what was judged."""
        line, reserved, refund, entry, effects = change
        values = [*line, *refund, *entry]
        if event == "withdraw":
            values.insert(0, reserved)
        for effect in effects:
            values += effect
        try:
            self._run(_AT_ONCE[event], values)
        except (psycopg.errors.DivisionByZero, psycopg.errors.UniqueViolation) as problem:
            raise Refused("CHANGED") from problem

    def lapse(self) -> int:
        """Find what is due and let it lapse, on at most a batch of refunds in one commit; return on how many.

        Raises:
            Refused: something else is due than is measured, or one was overtaken; nothing was written.
        """
        lapsed = [lapse(found, self.rules) for found in self.find()]
        lines = [one.line for one in lapsed if one.line[0]]
        entries = [(*entry[:-2], entry[-2].decode(), entry[-1]) for one in lapsed for entry in one.entries]
        values = (
            as_json(_LINE, lines), as_json((*_LAPSED, *_KEYS), [one.refund for one in lapsed]),
            as_json(ENTRY, entries), as_json(EFFECT, [one.effect for one in lapsed]), len(lines), len(lapsed),
        )  # fmt: skip
        try:
            self._run(_LAPSE_MANY, values)
        except (psycopg.errors.DivisionByZero, psycopg.errors.UniqueViolation) as problem:
            raise Refused("CHANGED") from problem
        return len(lapsed)

    def find(self) -> list[Due]:
        """Read refunds on which something is due, the oldest first, at most a batch."""
        found = self._run(self._FIND, (self.rules.calendars + 1, BATCH))
        return [Due._make((*row[:-1], row[-1].astimezone(UTC))) for row in found]


_LAPSE_MANY = f"""
    WITH line AS (
        UPDATE order_lines SET reserved = order_lines.reserved + given.reserved, version = order_lines.version + 1
        FROM {given("given", _LINE)} WHERE order_lines.order_id = given.order_id AND order_lines.line = given.line
        AND order_lines.version = given.version RETURNING 1
    ), changed AS (
        UPDATE refunds SET {", ".join(f"{name} = given.{name}" for name in _LAPSED)}, {_ALWAYS},
        version = refunds.version + 1 FROM {given("given", (*_LAPSED, *_KEYS))}
        WHERE {" AND ".join(f"refunds.{name} = given.{name}" for name in _KEYS)} RETURNING 1
    ), entry AS (
        INSERT INTO transitions ({", ".join(ENTRY)}) SELECT {selected("given", ENTRY)} FROM {given("given", ENTRY)}
    ), effect AS (
        INSERT INTO effects ({", ".join(EFFECT)}) SELECT {selected("given", EFFECT)} FROM {given("given", EFFECT)}
    ) SELECT 1 / ((SELECT count(*) FROM line) = %s AND (SELECT count(*) FROM changed) = %s)::int"""


def _at_once(event: str) -> str:
    """Write the statement of a move: it divides by zero where refund or line have another version."""
    line = f"{_CHANGE_LINE} RETURNING order_id" if event == "withdraw" else _LOCK_LINE
    parts = [
        f"line AS ({line.replace('?', '%s')})",
        f"changed AS ({_CHANGES[event].replace('?', '%s')} RETURNING order_id)",
        f"entry AS ({inserted('transitions', ENTRY, 1)})",
    ]
    if EFFECTS[event]:
        parts.append(f"effect AS ({inserted('effects', EFFECT, EFFECTS[event])})")
    return f"WITH {', '.join(parts)} SELECT 1 / count(*) FROM line, changed"


_AT_ONCE = {event: _at_once(event) for event in TARGETS}


def _rules(hand: Hand) -> Rules:
    """Read what seldom changes."""
    rows = hand.connection.execute
    [(secret,)] = rows("SELECT value FROM meta WHERE key = 'secret'").fetchall()
    kept = rows("SELECT version, content FROM policies").fetchall()
    known = rows("SELECT content, imported_at FROM calendars ORDER BY ordinal").fetchall()
    return Rules(secret, kept, known)


def open_judged(url: str, synchronous: str = "full") -> JudgedSqliteHand | JudgedPostgresHand:
    """Open a connection of the kind that the URL names."""
    return JudgedSqliteHand(url, synchronous) if url.startswith("sqlite:") else JudgedPostgresHand(url)
