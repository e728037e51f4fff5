"""The process of one arm: it is told how many moves to make and answers with how long each took; standard library only.

Read from standard input: first the plan (JSON), then one request a line, `{"event": ..., "count": ...}`. Written to
standard output: `{"versions": ...}` when ready, an answer per request `{"wall": [...], "cpu": [...]}` in milliseconds,
and at the end `{"peak": MiB}`. CPU is that of this process, all its threads.
"""

import gc
import json
import resource
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

Move = Callable[[str, int], None]  # event, how many of that event were made before
Opened = AbstractContextManager[tuple[Move, Mapping[str, str]]]


def serve(opened: Callable[[Mapping[str, Any]], Opened]) -> None:
    """Open an arm by its plan and make the moves that are asked for until standard input ends."""
    answers = sys.stdout
    sys.stdout = sys.stderr  # whatever an arm prints is no answer
    with opened(json.loads(sys.stdin.readline())) as (move, versions):
        gc.collect()
        gc.freeze()
        _tell(answers, {"versions": dict(versions)})
        made: Counter[str] = Counter()
        for line in sys.stdin:
            asked = json.loads(line)
            event, times = asked["event"], []
            for _ in range(asked["count"]):
                times.append(_timed(move, event, made[event]))
                made[event] += 1
            _tell(answers, {"wall": [wall for wall, _ in times], "cpu": [cpu for _, cpu in times]})
        _tell(answers, {"peak": _peak()})


def _timed(move: Move, event: str, number: int) -> tuple[float, float]:
    wall, cpu = time.perf_counter_ns(), time.process_time_ns()
    move(event, number)
    return (time.perf_counter_ns() - wall) / 1e6, (time.process_time_ns() - cpu) / 1e6


def _peak() -> float:
    """Return the most memory that this program held, in MiB; what `getrusage` tells counts who started it too."""
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    [held] = [line for line in status.read_text().splitlines() if line.startswith("VmHWM:")]
    return int(held.split()[1]) / 1024


def _tell(answers: Any, answer: Mapping[str, Any]) -> None:
    answers.write(json.dumps(answer) + "\n")
    answers.flush()
