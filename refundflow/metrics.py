"""Metrics for Prometheus: the numbers of a database in its exposition format; needs the extra `metrics`."""

import socket
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from refundflow import totals, values
from refundflow.errors import Misconfigured
from refundflow.service import Refunds

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry
    from prometheus_client.core import HistogramMetricFamily, Metric

Totals = Mapping[tuple[str, tuple[str, ...]], int]
Found = Mapping[tuple[str, ...], float]
# Histogram: name of the total, name and help of the metric, its labels, its bounds in seconds.
HISTOGRAMS: tuple[tuple[str, str, str, tuple[str, ...], Sequence[int]], ...] = (
    ("state", "refundflow_state_seconds", "How long a refund was in a state that it left.", ("state",),
     totals.STATE_BUCKETS),
    ("overdue", "refundflow_overdue_seconds", "How late a broken promise was met.", ("promise",),
     totals.OVERDUE_BUCKETS),
    ("lapse_delay", "refundflow_lapse_delay_seconds", "How long after its moment a lapse was recorded.", (),
     totals.DELAY_BUCKETS),
)  # fmt: skip


def text(refunds: Refunds) -> str:
    """Return all metrics as the text that Prometheus scrapes.

    Raises:
        Misconfigured: the extra `metrics` is not installed.
    """
    registry = _registry(refunds)
    from prometheus_client import generate_latest

    return generate_latest(registry).decode()


@contextmanager
def served(refunds: Refunds, port: int) -> Iterator[int]:
    """Serve the metrics over HTTP on a port of all addresses (0: any free one) and yield its number.

    Raises:
        Misconfigured: the extra `metrics` is not installed, or the port is taken.
    """
    registry = _registry(refunds)
    from prometheus_client import start_http_server

    try:
        server, thread = start_http_server(port, registry=registry)
    except OSError as problem:
        raise Misconfigured(f"port {port} cannot be served: {problem.strerror}", field="metrics_port") from problem
    try:
        yield int(server.server_port)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _registry(refunds: Refunds) -> "CollectorRegistry":
    try:
        from prometheus_client import CollectorRegistry
    except ImportError as problem:
        raise Misconfigured("metrics need the extra: pip install 'refundflow[metrics]'") from problem
    registry = CollectorRegistry()
    registry.register(_Collector(refunds))
    return registry


class _Collector:
    """Asks the database at every scrape."""

    def __init__(self, refunds: Refunds) -> None:
        self._refunds = refunds

    def describe(self) -> Iterable["Metric"]:
        """Tell nothing beforehand, so that registering asks nothing of the database."""
        return ()

    def collect(self) -> Iterator["Metric"]:
        """Yield every metric."""
        numbers = self._refunds.numbers()
        yield from _counters(numbers.totals)
        for name, metric, about, labels, bounds in HISTOGRAMS:
            yield _histogram(numbers.totals, name, metric, about, labels, bounds)
        yield from _gauges(numbers)
        yield _gauge(
            "refundflow_clock_skew_seconds", "How far this host's clock is ahead of the database's.", ("host",),
            {(socket.gethostname(),): self._refunds.skew().total_seconds()},
        )  # fmt: skip


def _counters(counted: Totals) -> Iterator["Metric"]:
    from prometheus_client.core import CounterMetricFamily

    for name, metric, about, labels in (
        ("moves", "refundflow_moves", "Entries by event and outcome.", ("event", "outcome")),
        ("promises", "refundflow_promises", "Promises to buyers that ended, kept or broken.", ("promise", "outcome")),
    ):
        family = CounterMetricFamily(metric, about, labels=labels)
        for values_of_labels, value in _of(counted, name).items():
            family.add_metric(values_of_labels, value)
        yield family


def _gauges(numbers: values.Numbers) -> Iterator["Metric"]:
    overdue = _of(numbers.totals, "overdue_now")
    waiting: Found = {(kind,): count for kind, count in numbers.waiting_by_kind.items()}
    open_now: Found = {(state,): count for state, count in numbers.open_by_state.items()}
    yield _gauge("refundflow_promises_overdue", "Broken promises that are not met yet.", ("promise",), overdue)
    yield _gauge("refundflow_open_refunds", "Refunds that are not at their end.", ("state",), open_now)
    yield _gauge("refundflow_effects_waiting", "Effects that have not left yet.", ("kind",), waiting)
    for name, about, value in (
        ("refundflow_effects_dead", "Dead letters: effects given up after the last try.", numbers.dead),
        ("refundflow_worker_lag_seconds", "For how long the oldest due deadline waits.", numbers.lag_seconds),
        ("refundflow_outbox_lag_seconds", "For how long the oldest effect to try waits.", numbers.outbox_lag_seconds),
        ("refundflow_calendar_days_left", "Days until the coverage of the calendar ends.", numbers.coverage_days),
        ("refundflow_entries_uncounted", "Entries that the totals do not hold yet.", numbers.uncounted),
        ("refundflow_entries_unsigned", "Entries that no signed checkpoint has yet.", numbers.unsigned),
        (
            "refundflow_checkpoint_age_seconds",
            "Age of the newest signed checkpoint; 0 where there is none.",
            numbers.checkpoint_age_seconds,
        ),
        (
            "refundflow_erasures_unfinished",
            "Erasures of buyers that were begun and have not ended.",
            numbers.unfinished_erasures,
        ),
    ):
        yield _gauge(name, about, (), {(): value})


def _gauge(name: str, about: str, labels: Sequence[str], found: Found) -> "Metric":
    from prometheus_client.core import GaugeMetricFamily

    family = GaugeMetricFamily(name, about, labels=labels)
    for values_of_labels, value in found.items():
        family.add_metric(values_of_labels, value)
    return family


def _histogram(
    counted: Totals, name: str, metric: str, about: str, labels: tuple[str, ...], bounds: Sequence[int]
) -> "HistogramMetricFamily":
    from prometheus_client.core import HistogramMetricFamily

    family = HistogramMetricFamily(metric, about, labels=labels)
    found = _of(counted, name)
    for values_of_labels in sorted({key[:-1] for key in found}):
        total, buckets = 0, []
        for bound in (*map(str, bounds), totals.MORE):
            total += found.get((*values_of_labels, bound), 0)
            buckets.append((bound, total))
        family.add_metric(values_of_labels, buckets, found.get((*values_of_labels, totals.SUM), 0) / 1000)
    return family


def _of(counted: Totals, name: str) -> dict[tuple[str, ...], int]:
    return {labels: value for (total, labels), value in counted.items() if total == name}
