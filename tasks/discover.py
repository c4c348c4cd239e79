"""The steps of a discovery, each retryable."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import partial
from time import sleep

from prefect import task
from prefect.cache_policies import NO_CACHE

from busytime.discovering import Discovery, OwnerChanges, SeenInvitation, compare, discover_owner, discover_shared
from busytime.errors import BusyTimeError, FatalError, SkippableError
from busytime.model import Calendar, Invitation
from busytime.ports import CalendarGateway
from busytime.roster import domain_of
from tasks.runs import HeldLock, OpenRun, Part
from tasks.steps import RETRIED, Step, is_last_word, patient
from tasks.workspace import Workspace, workspace

_OWNERS_A_BATCH = 25
#: An accepted calendar takes a moment to appear; what is not there by then is met by the next discovery.
_LOOKS_AFTER_ACCEPTING = 5
_PAUSE_BETWEEN_LOOKS_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class DiscoveryBatch(Part):
    """Some owners that one connection serves."""

    owners: tuple[str, ...]


@task(name="list_discovery_batches", cache_policy=NO_CACHE)
def list_discovery_batches(run: OpenRun, locks: Sequence[HeldLock], only: Collection[str]) -> list[DiscoveryBatch]:
    """Cut the owners of the connections that answered into batches; only some of them where these are named."""
    parts: list[tuple[HeldLock, tuple[str, ...]]] = []
    with workspace().store.read() as unit:
        for lock in locks:
            owners = [owner for owner in unit.roster.owners_served(lock.connection_id) if not only or owner in only]
            starts = range(0, len(owners), _OWNERS_A_BATCH)
            parts += [(lock, tuple(owners[start : start + _OWNERS_A_BATCH])) for start in starts]
    return [DiscoveryBatch(number, run.run_id, lock, owners) for number, (lock, owners) in enumerate(parts)]


@task(name="discover_batch", **RETRIED)
def discover_batch(batch: DiscoveryBatch) -> list[OwnerChanges]:
    """Look for the calendars of some owners, and store what was found."""
    office = workspace()
    connection = office.connection(batch.lock.connection_id)
    step = Step(office, batch.run_id, "discover_batch", batch.number, len(batch.owners))
    gateway = office.gateway(connection)
    try:
        seen = [patient(office, connection, partial(discover_owner, gateway, owner)) for owner in batch.owners]
    except BusyTimeError as error:
        step.note(error)
        if isinstance(error, FatalError) or not is_last_word(error):
            raise
        seen = [Discovery(owner, reason=error.reason, detail=error.detail) for owner in batch.owners]
    else:
        step.note()
    return _write(office, batch.lock, seen)


@task(name="discover_shared_calendars", **RETRIED)
def discover_shared_calendars(run: OpenRun, lock: HeldLock, accept_from: str) -> tuple[list[SeenInvitation], list[OwnerChanges]]:
    """Look for calendars of other organisations, and accept invitations of one domain if that was asked for."""
    office = workspace()
    connection = office.connection(lock.connection_id)
    step = Step(office, run.run_id, "discover_shared_calendars", connection.id)
    gateway = office.gateway(connection)
    with office.store.read() as unit:
        known = unit.roster.external(connection.id)
    try:
        waiting = patient(office, connection, gateway.list_invitations)
        invitations = [SeenInvitation(it.sender, _accept(gateway, it, accept_from)) for it in waiting]
        awaited = {it.sender for it in invitations if it.accepted}
        seen = patient(office, connection, partial(_look_until, gateway, known, awaited))
    except BusyTimeError as error:
        step.note(error)
        raise
    step.note()
    return invitations, _write(office, lock, seen)


def _accept(gateway: CalendarGateway, invitation: Invitation, domain: str) -> bool:
    if domain_of(invitation.sender) != domain.lower():
        return False
    try:
        gateway.accept_invitation(invitation.invitation_id)
    except SkippableError:
        return False  # gone, or accepted before: the calendar says more than the message
    return True


def _look_until(gateway: CalendarGateway, known: Sequence[Calendar], awaited: set[str]) -> list[Discovery]:
    """Look for shared calendars until those that were just accepted are there, or it takes too long."""
    for _ in range(_LOOKS_AFTER_ACCEPTING):
        seen = discover_shared(gateway, known)
        if awaited <= {it.owner for it in seen if it.sightings}:
            break
        sleep(_PAUSE_BETWEEN_LOOKS_SECONDS)
    return seen


def _write(office: Workspace, lock: HeldLock, seen: Sequence[Discovery]) -> list[OwnerChanges]:
    with office.store.write() as unit:
        office.store.check_lock(unit, lock.name, lock.holder)
        found: list[OwnerChanges] = []
        for discovery in seen:
            changes = compare(unit.roster.known_of(discovery.owner, lock.connection_id), discovery)
            unit.roster.write_discovery(discovery.owner, changes, office.clock.now())
            found.append(OwnerChanges(discovery, tuple(changes)))
        unit.roster.assign_connections()
    return found
