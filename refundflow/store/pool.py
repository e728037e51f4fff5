"""Driver connections, each with what is done on it, lent to one transaction at a time."""

import threading
from collections import deque
from contextlib import AbstractContextManager, suppress
from queue import Empty, SimpleQueue
from types import TracebackType
from weakref import WeakSet

from refundflow.errors import Misconfigured
from refundflow.store.database import Database
from refundflow.store.sessions import Conflict, Connection, LookingSession, Session
from refundflow.store.tx import Tx

KEPT = 8  # connections that stay open while nobody uses them
MOST = 32  # in use at once
WAIT_SECONDS = 30.0
_MOMENT = 1.0  # seconds, between the turn of who waits and what is put there


class Lent:
    """A driver connection, its sessions and its `Tx`: made once, for an act or a look (`session`) only set back.

    What the driver raises within is a conflict where it reads so.
    """

    connection: Connection = None  # until it is opened, and when it is closed
    acting: LookingSession
    looking: LookingSession
    session: LookingSession
    _tx: Tx

    def __init__(self, pool: "Pool", database: Database) -> None:
        self._pool, self._database = pool, database

    def open(self) -> None:
        """Connect, again where the server has gone.

        Raises:
            Conflict: the server takes no connection.
        """
        self.close()
        connection = self._pool.open()
        self.acting, self.looking = self._database.act(connection), self._database.look(connection)
        self._tx = Tx(self.looking)
        self.connection = connection

    def close(self) -> None:
        """Close the connection, which ends whatever it was in the middle of."""
        connection, self.connection = self.connection, None
        if connection is not None:
            connection.close()

    def __del__(self) -> None:
        """Close what an interrupt has dropped on its way out of the pool or back."""
        self.close()

    def __enter__(self) -> Tx:
        tx = self._tx
        tx.session = session = self.session
        tx.clock = tx.calendar_count = None
        session.written = False
        return tx

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        if problem is None:
            self._pool.give(self)
        else:
            self.failed(problem, self.session.cut_off(problem))

    def failed(self, problem: BaseException, conflict: Conflict | Misconfigured | None = None) -> None:
        """Give it back, closed if it is of no more use, and raise what the problem means if that is a conflict."""
        sound = False
        try:
            if isinstance(problem, Exception):  # an interrupt comes anywhere: what is left then, closing ends
                sound = self.connection is not None and not self._database.broken(self.connection)
                conflict = conflict or self._database.conflict(problem)
                if conflict is not None:
                    raise conflict from problem
        finally:
            if not sound:
                self.close()
            self._pool.give(self)


class Transaction:
    """A transaction on what was lent, from its begin to its commit or rollback."""

    def __init__(self, lent: Lent, session: AbstractContextManager[Session], pool: "Pool") -> None:
        self._lent, self._session, self._pool = lent, session, pool

    def __enter__(self) -> Tx:
        try:
            return Tx(self._session.__enter__())
        except BaseException as problem:
            self._failed(problem)
            raise

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._session.__exit__(kind, problem, trace)
        except BaseException as raised:
            self._failed(raised)
            raise
        if problem is None:
            self._pool.give(self._lent)
        else:
            self._failed(problem)

    def _failed(self, problem: BaseException) -> None:
        if not isinstance(problem, Exception):
            with suppress(BaseException):  # an interrupt may have come while the transaction ended
                self._session.__exit__(type(problem), problem, problem.__traceback__)
        self._lent.failed(problem)


class Pool:
    """Lends the connection that came back last, or a new one; safe for threads.

    Those in use are counted by being there: one that an interrupt drops on its way in or out takes up no place.
    Our own, for one more general took a tenth of the time of a move (docs/why/016).
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._begin()

    def _begin(self) -> None:
        self._idle: list[Lent] = []  # append and pop are atomic
        self._all: WeakSet[Lent] = WeakSet()
        self._adding = threading.Lock()
        self._waiting: deque[SimpleQueue[Lent]] = deque()

    def forked(self) -> None:
        """Begin anew in a child process: the connections are the parent's, those in use too."""
        for lent in self._all:
            if lent.connection is not None:
                self._database.forked(lent.connection)
                lent.connection = None
        self._begin()

    def open(self) -> Connection:
        """Open one more connection."""
        return self._database.connect()

    def take(self) -> Lent:
        """Return a connection that works.

        Raises:
            Conflict: too many are in use, or the server takes none.
        """
        try:
            lent = self._idle.pop()
        except IndexError:
            lent = self._another()
        if lent.connection is None or (self._database.remote and self._database.broken(lent.connection)):
            lent.open()
        return lent

    def _another(self) -> Lent:
        """Make one more; where all are in use, wait until one comes back."""
        with self._adding:
            if len(self._all) < MOST:
                lent = Lent(self, self._database)
                self._all.add(lent)
                return lent
        turn: SimpleQueue[Lent] = SimpleQueue()
        self._waiting.append(turn)
        self._hand_on()  # one may have come back before the turn was seen
        try:
            return turn.get(timeout=WAIT_SECONDS)
        except BaseException as problem:
            with suppress(ValueError):
                self._waiting.remove(turn)
                if isinstance(problem, Empty):
                    raise Conflict("busy", f"this process runs {MOST} transactions already") from problem
                raise
            lent = turn.get(timeout=_MOMENT)  # the turn has come meanwhile
            if isinstance(problem, Empty):
                return lent
            self.give(lent)
            raise

    def give(self, lent: Lent) -> None:
        """Take one back: for who waits longest, or to be kept."""
        idle = self._idle
        idle.append(lent)
        if self._waiting:  # looked at behind: who begins to wait looks at the idle ones behind too
            self._hand_on()
        if lent.connection is None or len(idle) > KEPT:
            with suppress(ValueError):  # somebody has taken it
                idle.remove(lent)
                self._all.discard(lent)
                lent.close()

    def _hand_on(self) -> None:
        """Give what is idle to who waits longest."""
        while self._waiting:
            try:
                lent = self._idle.pop()
            except IndexError:
                return
            try:
                turn = self._waiting.popleft()
            except IndexError:
                self._idle.append(lent)
            else:
                turn.put(lent)

    def close(self) -> None:
        """Close the connections that nobody uses."""
        with suppress(IndexError):
            while True:
                lent = self._idle.pop()
                self._all.discard(lent)
                lent.close()
