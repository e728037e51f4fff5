"""Driver connections, lent to one transaction at a time."""

from queue import Empty, SimpleQueue

from refundflow.store.database import Database
from refundflow.store.sessions import Conflict, Connection

KEPT = 8  # connections that stay open while nobody uses them
MOST = 32  # in use at once
WAIT_SECONDS = 30.0


class Pool:
    """Lends the connection that came back last, or a new one; safe for threads.

    Our own, for one more general took a tenth of the time of a move (docs/why/016).
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._parents: list[Connection] = []
        self._begin()

    def _begin(self) -> None:
        self._idle: list[Connection] = []  # append and pop are atomic
        self._permits: SimpleQueue[None] = SimpleQueue()
        for _ in range(MOST):
            self._permits.put(None)

    def forked(self) -> None:
        """Begin anew in a child process: the connections are the parent's, and here not even closed."""
        self._parents += self._idle
        self._begin()

    def open(self) -> Connection:
        """Open one more connection."""
        return self._database.connect()

    def take(self) -> Connection:
        """Return a connection that works.

        Raises:
            Conflict: too many are in use, or the server takes none.
        """
        try:
            self._permits.get(timeout=WAIT_SECONDS)
        except Empty as problem:
            raise Conflict("busy", f"this process runs {MOST} transactions already") from problem
        try:
            while (connection := self._pop()) is not None:
                if not self._database.broken(connection):
                    return connection
                connection.close()
            return self.open()
        except BaseException:
            self._permits.put(None)
            raise

    def give(self, connection: Connection, *, sound: bool = True) -> None:
        """Take a connection back; one that is not sound is closed."""
        if sound and len(self._idle) < KEPT:
            self._idle.append(connection)
        else:
            connection.close()
        self._permits.put(None)

    def close(self) -> None:
        """Close the connections that nobody uses."""
        while (connection := self._pop()) is not None:
            connection.close()

    def _pop(self) -> Connection | None:
        try:
            return self._idle.pop()
        except IndexError:
            return None
