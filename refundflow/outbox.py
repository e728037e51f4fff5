"""What leaves the process: receivers, and when an effect is tried again or given up."""

import json
import os
import random
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

from states import times

Json = Any
MAX_TRIES = 12
FIRST_WAIT = timedelta(seconds=10)
LONGEST_WAIT = timedelta(hours=6)
COMMAND_SECONDS = 60


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """One effect as a receiver gets it: at least once, and in order per refund.

    `id` is the same each time; `refund` names the refund, or the order line (``ORDER/LINE``), and
    `seq` the entry that caused it. `text` are the texts of that entry.
    """

    id: str
    kind: str
    code: str
    refund: str
    seq: int
    params: Mapping[str, Json]
    texts: Mapping[str, str | None]
    effective_at: datetime
    recorded_at: datetime

    def as_json(self) -> dict[str, Json]:
        """Return the message as a JSON document."""
        return {
            "id": self.id,
            "kind": self.kind,
            "code": self.code,
            "refund": self.refund,
            "seq": self.seq,
            "params": dict(self.params),
            "texts": dict(self.texts),
            "effective_at": times.text(self.effective_at),
            "recorded_at": times.text(self.recorded_at),
        }


class NotDelivered(Exception):
    """Say that a receiver did not take a message, and why; it is tried again."""


class Receiver(Protocol):
    """Where effects go."""

    def deliver(self, message: Message) -> None:
        """Take one message for good, or raise `NotDelivered`; the same `id` may come again."""
        ...


@dataclass(frozen=True)
class CallableReceiver:
    """Hands each message to a Python callable; whatever it raises means not delivered."""

    take: Callable[[Message], None]

    def deliver(self, message: Message) -> None:
        """Call the callable."""
        try:
            self.take(message)
        except Exception as problem:
            raise NotDelivered(f"{type(problem).__name__}: {problem}") from problem


@dataclass(frozen=True)
class FileReceiver:
    """Appends each message as one line of JSON to a file, flushed to the disk."""

    path: Path

    def deliver(self, message: Message) -> None:
        """Append one line."""
        line = json.dumps(message.as_json(), ensure_ascii=False) + "\n"
        try:
            handle = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                data = line.encode()
                if os.write(handle, data) != len(data):
                    raise NotDelivered(f"{self.path}: only a part was written")
                os.fsync(handle)
            finally:
                os.close(handle)
        except OSError as problem:
            raise NotDelivered(f"{self.path}: {problem.strerror}") from problem


@dataclass(frozen=True)
class CommandReceiver:
    """Runs a command for each message, with its JSON on standard input; exit status 0 means taken."""

    command: Sequence[str]
    seconds: float = COMMAND_SECONDS

    def deliver(self, message: Message) -> None:
        """Run the command and wait for it."""
        try:
            done = subprocess.run(
                list(self.command),
                input=json.dumps(message.as_json(), ensure_ascii=False).encode(),
                capture_output=True,
                timeout=self.seconds,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as problem:
            raise NotDelivered(f"{self.command[0]}: {problem}") from problem
        if done.returncode != 0:
            said = done.stderr.decode(errors="replace").strip()[-200:]
            raise NotDelivered(f"{self.command[0]} ended with {done.returncode}: {said}")


def wait_after(tries: int) -> timedelta:
    """Return how long to wait after so many tries: doubling up to a bound, with a tenth of jitter."""
    wait: timedelta = min(FIRST_WAIT * 2 ** min(tries - 1, 20), LONGEST_WAIT)
    return wait * random.uniform(0.9, 1.1)
