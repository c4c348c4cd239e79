"""Forgetting a person: whether it may be, that it was, and what names an address in a text."""

import re

from busytime.claiming import Desk
from busytime.errors import ConfigurationError
from busytime.store.forgetting import Uses
from busytime.store.unit_of_work import UnitOfWork


def find_person(desk: Desk, address: str) -> int | None:
    """Return the id of a person who may be forgotten; ``None`` where no row holds the address.

    Raises:
        ConfigurationError: Something still names the address, and would bring it back: it says what, and what to do.
    """
    with desk.store.read() as unit:
        owner_id = unit.owners.find(address)
        if owner_id is not None:
            _refuse_if_named(desk, unit, address, owner_id)
    return owner_id


def forget_person(desk: Desk, address: str, owner_id: int, artifacts: int) -> str:
    """Write over the row with the address, and say in the audit that it was done, without the address.

    Args:
        desk: The database.
        address: The address.
        owner_id: Its row.
        artifacts: How many of Prefect's artifacts that named it are gone.

    Returns:
        What views show in the address's place.

    Raises:
        ConfigurationError: As ``find_person``: somebody may have been faster.
    """
    with desk.store.write() as unit:
        actor_id = unit.owners.id(desk.actor)
        unit.forgetting.seize(owner_id)
        _refuse_if_named(desk, unit, address, owner_id)
        shown_as = unit.forgetting.overwrite(owner_id)
        details = {"owner_id": owner_id, "artifacts": artifacts}
        unit.events.append(desk.store.audit_key, "person:owner:forgotten", desk.clock.now(), actor_id, details)
    return shown_as


def _refuse_if_named(desk: Desk, unit: UnitOfWork, address: str, owner_id: int) -> None:
    if address == desk.actor:
        raise ConfigurationError(f"{address} is who runs this command, and stands in the audit for it: let somebody else run it.")
    uses = unit.forgetting.uses(owner_id)
    todo = _what_to_do(address, uses)
    if todo:
        raise ConfigurationError(f"{address} is still in use; nothing was forgotten. {' '.join(todo)} Then run this again.")


def _what_to_do(address: str, uses: Uses) -> list[str]:
    """Say what has to be done before a person can be forgotten."""
    todo: list[str] = []
    if uses.connected:
        todo.append(f"The account is connected: run `busytime disconnect {address}`.")
    if uses.calendars or uses.pages:
        count = "1 calendar of it names" if uses.calendars == 1 else f"{uses.calendars} calendars of it name"
        pages = f", and so do the booking pages {', '.join(uses.pages)}" if uses.pages else ""
        file = "take it out of the file, and run `busytime roster import FILE`"
        todo.append(f"The roster names the address ({count} it{pages}): {file}.")
    return todo


def names_address(text: str, address: str) -> bool:
    """Tell whether a text names an address: as a whole, not as a part of a longer one; in capitals or not."""
    whole = rf"(?<![\w.+'-]){re.escape(address)}(?![\w-]|\.\w)"
    return re.search(whole, text, re.IGNORECASE) is not None
