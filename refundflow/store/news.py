"""News: a commit that brings work wakes the workers of all hosts, where the database can tell it."""

import threading
import time
from contextlib import suppress
from typing import Any

from sqlalchemy import Text, cast, func, literal_column, select

from refundflow.store.database import Database
from refundflow.store.sessions import Conflict

CHANNEL = "refundflow"
# As text, for a statement of several parts that several servers answer may have no part of no type.
TELL = select(cast(func.pg_notify(literal_column(f"'{CHANNEL}'"), literal_column("''")), Text))
_LOOK_UP = 0.5  # seconds after which a listener looks whether it is to stop


class News:
    """Waits for news of work; on SQLite, which tells nothing, it only waits."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._ears: Any = None

    def wait(self, seconds: float, stop: threading.Event) -> None:
        """Return when work was announced, `stop` is set, or the time is over.

        Also at once when it only now began to listen: what was announced before was not heard.
        """
        if self._database.dialect == "sqlite":
            stop.wait(seconds)
            return
        import psycopg

        end = time.monotonic() + seconds
        try:
            if self._ears is None:
                self._ears = self._database.connect()
                self._ears.execute(f"LISTEN {CHANNEL}")
                return
            ears = self._ears
            while not stop.is_set() and (left := end - time.monotonic()) > 0:
                if next(ears.notifies(timeout=min(left, _LOOK_UP), stop_after=1), None) is not None:
                    return
        except (psycopg.Error, Conflict):
            # The server is gone for now, or a standby that tells no news; who works next finds out and says so.
            self.close()
            stop.wait(min(_LOOK_UP, seconds))

    def forked(self) -> None:
        """Leave the connection to the parent process."""
        if self._ears is not None:
            self._database.forked(self._ears)
            self._ears = None

    def close(self) -> None:
        """Stop listening."""
        if self._ears is not None:
            with suppress(OSError):
                self._ears.close()
            self._ears = None
