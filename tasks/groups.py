"""Looking for distribution lists among the owners that a roster file names for the first time.

A list has no calendar, and answers for its members as if they were one. It must not know Prefect: imports never start it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from busytime.errors import (
    BusyTimeError,
    NoConnectionError,
    PauseInForceError,
    Reason,
    ServerBusyError,
    ServerUnavailableError,
)
from busytime.model import ConnectionMode
from busytime.roster import Roster
from busytime.store.connections import StoredConnection
from tasks.workspace import Workspace


@dataclass(frozen=True, slots=True)
class GroupSearch:
    """What became of a search.

    Args:
        groups: The addresses that are distribution lists.
        unasked: Of how many new owners nothing is known.
        error: Why not.
    """

    groups: frozenset[str] = frozenset()
    unasked: int = 0
    error: BusyTimeError | None = None


def look_for_groups(office: Workspace, roster: Roster) -> GroupSearch:
    """Ask the server about each owner that is new, after one log-on. What cannot be asked is told, not raised.

    Owners of calendars that are in use, and of calendars of other organisations, are not asked about.
    """
    with office.store.read() as unit:
        open_ones = unit.connections.all_open()
        connection = next((it for it in open_ones if it.mode is ConnectionMode.CORPORATE), next(iter(open_ones), None))
        known = {it.owner for it in unit.roster.calendars()}
        known |= {it.owner for it in unit.roster.external(connection.id)} if connection else set()
    new = sorted({it.owner for it in roster.calendars} - known)
    if not new:
        return GroupSearch()
    if connection is None:
        return GroupSearch(unasked=len(new), error=NoConnectionError("No mailbox is connected."))
    answers: dict[str, bool] = {}
    try:
        _ask(office, connection, new, answers)
    except BusyTimeError as error:
        _keep_pause(office, connection, error)
        return GroupSearch(_groups(answers), len(new) - len(answers), error)
    return GroupSearch(_groups(answers))


def _groups(answers: dict[str, bool]) -> frozenset[str]:
    return frozenset(owner for owner, is_group in answers.items() if is_group)


def _ask(office: Workspace, connection: StoredConnection, owners: Sequence[str], answers: dict[str, bool]) -> None:
    """Ask about one owner after the other; what was answered before an error is kept."""
    deadline = office.clock.now() + timedelta(seconds=office.settings.batch_deadline_seconds)
    gateway = office.log_on(connection)
    for owner in owners:
        if office.clock.now() > deadline:
            raise ServerUnavailableError("The server takes too long to answer.", reason=Reason.TIMED_OUT)
        answers[owner] = gateway.is_group(owner)


def _keep_pause(office: Workspace, connection: StoredConnection, error: BusyTimeError) -> None:
    """Tell all workers of the connection how long the server wants to be left alone; the import itself does not wait."""
    if isinstance(error, ServerBusyError) and not isinstance(error, PauseInForceError) and error.back_off_seconds:
        with office.store.write() as unit:
            unit.connections.back_off(connection.id, office.clock.now() + timedelta(seconds=error.back_off_seconds))
