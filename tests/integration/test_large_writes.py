"""On PostgreSQL a transaction sends what is larger than a socket takes at once."""

from threading import Thread

from refundflow.store import Store
from refundflow.store.people import ADD_CONTENT
from tests.support.databases import Databases

SIZE = 32 * 2**20
LONGEST = 30  # seconds to wait for what takes one


def test_all_is_sent_before_the_answer_is_waited_for(postgres_databases: Databases) -> None:
    """Else the server waits for the rest, and whoever sends it for the server."""
    store = Store.create(postgres_databases.empty(), rehearsal=False)

    def write() -> None:
        with store.write() as tx:
            tx.session.write({ADD_CONTENT: [{"buyer": "b", "digest": "d", "cipher": bytes(SIZE)}]})

    writing = Thread(target=write, daemon=True)
    writing.start()
    writing.join(LONGEST)
    assert not writing.is_alive()
    store.close()
