"""The report's questions, asked of the views at one instant; each answer is bounded, however large the installation is."""

from busytime.report.facts import Facts
from busytime.report.period import Period
from busytime.store.database import translated
from busytime.store.reading_views import Snapshot
from busytime.store.report_activity import ActivityQuestions
from busytime.store.report_bookings import BookingQuestions
from busytime.store.report_coverage import CoverageQuestions
from busytime.store.report_permissions import PermissionQuestions


def gather(snapshot: Snapshot, period: Period) -> Facts:
    """Return all that a report tells.

    Args:
        snapshot: The views at one instant.
        period: Of which time.

    Raises:
        ConfigurationError: The database cannot be read.
    """
    connection = snapshot.connection
    coverage_questions, activity = CoverageQuestions(connection, period), ActivityQuestions(connection, period)
    with translated():
        coverage = coverage_questions.coverage()
        known, unknown = coverage_questions.unknown()
        return Facts(
            period=period,
            connections=activity.connections(),
            unknown=unknown,
            known=known,
            coverage=coverage,
            worst=coverage_questions.worst(coverage),
            permissions=PermissionQuestions(connection, period).permissions(),
            bookings=BookingQuestions(connection, period).bookings(),
            runs=activity.runs(),
            logons=activity.logons(),
            waiting=activity.waiting(),
        )
