"""A proxy on the way to PostgreSQL that counts how often the client must wait for the server: its round trips."""

import select
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit, urlunsplit

# So long is the server's answer held back while the client may still be sending: what it sends without an answer
# belongs to the same round trip.
_QUIET = 0.01
_MOST = 1 << 16


class RoundTrips:
    """How many round trips there were so far, over all connections."""

    def __init__(self) -> None:
        self.count = 0


@contextmanager
def counting(url: str) -> Iterator[tuple[str, RoundTrips]]:
    """Give the URL of a proxy to the server of `url`, and the count of round trips through it."""
    parts = urlsplit(url)
    trips = RoundTrips()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        server = (str(parts.hostname), int(parts.port or 5432))
        thread = threading.Thread(target=_accept, args=(listener, server, trips), daemon=True)
        thread.start()
        user = f"{parts.username}@" if parts.username else ""
        yield urlunsplit(parts._replace(netloc=f"{user}127.0.0.1:{port}")), trips
        listener.shutdown(socket.SHUT_RDWR)
    thread.join()


def _accept(listener: socket.socket, server: tuple[str, int], trips: RoundTrips) -> None:
    while True:
        try:
            client, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=_pass_on, args=(client, server, trips), daemon=True).start()


def _pass_on(client: socket.socket, server: tuple[str, int], trips: RoundTrips) -> None:
    """Carry bytes both ways; the server's answers wait until the client is quiet."""
    with client, socket.create_connection(server) as there:
        while asked := client.recv(_MOST):
            there.sendall(asked)
            while select.select([client], [], [], _QUIET)[0]:
                asked = client.recv(_MOST)
                if not asked:
                    return
                there.sendall(asked)
            trips.count += 1
            while True:  # the client waits: all that comes now answers it
                ready = select.select([client, there], [], [])[0]
                if client in ready:
                    break
                answered = there.recv(_MOST)
                if not answered:
                    return
                client.sendall(answered)
