"""Figures for Prometheus, read from the tables when they are asked for; no address but those of connected accounts."""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from busytime.alarms import AlarmKind
from busytime.bookings import EntryState
from busytime.model import Breaker
from deployments.cli.status import count_known
from tasks.workspace import Workspace


class _Tables(Collector):
    """Reads all figures in a few short transactions."""

    def __init__(self, office: Workspace) -> None:
        self._office = office

    def collect(self) -> Iterator[Metric]:
        yield from self._coverage()
        yield from self._entries()
        yield from self._connections()
        yield from self._steps()
        yield self._alarms()

    def _coverage(self) -> Iterator[Metric]:
        now = self._office.clock.now()
        known, unknown = count_known(self._office, now)
        calendars = GaugeMetricFamily("busytime_calendars", "Calendars of the roster, known now or not.", labels=["state"])
        calendars.add_metric(["known"], known)
        calendars.add_metric(["unknown"], unknown)
        yield calendars
        with self._office.store.read() as unit:
            oldest = unit.figures.oldest_answer()
        if oldest is not None:
            age = (now - oldest).total_seconds()
            yield GaugeMetricFamily(
                "busytime_coverage_age_seconds", "Age of the calendar's answer that is the oldest.", value=age
            )

    def _entries(self) -> Iterator[Metric]:
        with self._office.store.read() as unit:
            counts = unit.entries.counts(ends_after=self._office.clock.now())
        entries = GaugeMetricFamily("busytime_entries", "Entries of bookings that are not over.", labels=["state"])
        for state in EntryState:
            entries.add_metric([state], counts.get(state, 0))
        yield entries

    def _connections(self) -> Iterator[Metric]:
        labels = ["connection"]
        breaker = GaugeMetricFamily("busytime_breaker_open", "Whether every log-on is stopped.", labels=labels)
        refused = GaugeMetricFamily("busytime_refused_logons", "Refused log-ons that count now.", labels=labels)
        left = GaugeMetricFamily("busytime_allowance_left", "Refused log-ons that are safe yet.", labels=[*labels, "by"])
        with self._office.store.read() as unit:
            for connection in unit.connections.all_open():
                name = connection.email  # as status and alarms call it
                allowance = self._office.desk.allowance(unit, connection.owner_id)
                breaker.add_metric([name], connection.breaker is Breaker.OPEN)
                refused.add_metric([name], allowance.refused)
                left.add_metric([name, "machine"], allowance.machine_left)
                left.add_metric([name, "person"], allowance.person_left)
        yield from (breaker, refused, left)

    def _steps(self) -> Iterator[Metric]:
        with self._office.store.read() as unit:
            steps, logons = unit.figures.steps(), unit.figures.logons()
        attempts = CounterMetricFamily("busytime_step_attempts", "Attempts of steps on record.", labels=["step", "outcome"])
        back_off = CounterMetricFamily("busytime_back_off_seconds", "Back-off that the server asked for.", labels=["step"])
        waited: dict[str, float] = {}
        for (step, outcome), (count, milliseconds) in steps.items():
            attempts.add_metric([step, outcome], count)
            waited[step] = waited.get(step, 0.0) + milliseconds / 1000
        for step, seconds in waited.items():
            back_off.add_metric([step], seconds)
        answered = CounterMetricFamily("busytime_logons", "Log-ons on record.", labels=["answer"])
        for answer, count in logons.items():
            answered.add_metric([answer], count)
        yield from (attempts, back_off, answered)

    def _alarms(self) -> Metric:
        with self._office.store.read() as unit:
            counts = unit.alarms.counts()
        alarms = GaugeMetricFamily("busytime_alarms_open", "Alarms that stand.", labels=["kind"])
        for kind in AlarmKind:
            alarms.add_metric([kind], counts.get(kind, 0))
        return alarms


def page_of_figures(office: Workspace) -> bytes:
    """Return all figures as Prometheus reads them."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Tables(office))
    return generate_latest(registry)
