"""`busytime forget`: writes over the one row that holds a person's address, and says what that cannot reach."""

import os
from contextlib import closing
from typing import Annotated, Any

import typer

from busytime.counting import several
from busytime.errors import ConfigurationError
from busytime.forgetting import find_person, forget_person
from busytime.roster import parse_address
from deployments.cli.connect_questions import confirmed
from deployments.cli.output import JsonOption, output, print_json, shown
from deployments.cli.passwords import has_terminal
from deployments.cli.running import waiting
from deployments.prefect_server import PrefectServerError, prefect_server
from tasks.workspace import Workspace, open_workspace

#: What holds addresses and lies elsewhere: where, and what becomes of it.
NOT_REACHED = {
    "files": "advice, reports and exports that were written, and the roster's and bookings' own files: remove them by hand",
    "backups": (
        "backups of the databases, and the copies that `busytime db upgrade` makes: one that is restored knows the address "
        "again, so run this once more then"
    ),
    "prefect_runs": (
        "messages, parameters and logs of Prefect's runs, which name calendars that could not be read: its server removes them "
        "with the runs, 90 days after these unless its settings say otherwise"
    ),
    "alarms": "messages of alarms that were sent, which name owners: their receivers have them",
    "figures": "figures that Prometheus has kept, which name connected accounts: it removes them when they are old",
    "guests": "what guests wrote in bookings: `busytime maintain` takes it out once the bookings are over",
    "folders": "names of sub-calendars, which their owners chose",
    "exchange": "the calendars themselves, which are the Exchange server's",
}


def forget(
    owner: Annotated[str, typer.Argument(help="Address of the person, as the views show it.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask whether it is meant.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Take a person's address and name out of the tables for good; refused while the roster or a connection names them.

    Example: busytime forget ana@corp.example
    """
    with closing(open_workspace()) as office:
        address = owner.strip().lower()
        owner_id = find_person(office.desk, address)
        if owner_id is None:
            address = parse_address(owner)
        if owner_id is not None and not yes and not _is_meant(address):
            output().print(f"{shown(address)} is not forgotten; nothing was changed.")
            return
        # First what a second try would find again: the row goes last.
        with waiting("Looking through Prefect's artifacts ...", quiet=as_json):
            artifacts = _remove_artifacts(office, address)
        if owner_id is None and not artifacts:
            raise ConfigurationError(f"{address} is not known here: check how it is written, or it was forgotten already.")
        shown_as = forget_person(office.desk, address, owner_id, artifacts) if owner_id is not None else None
        emptied = office.store.empty_log()
    if as_json:
        print_json(_as_object(owner_id, shown_as, artifacts, emptied=emptied))
    else:
        _show(owner_id, shown_as, artifacts, emptied=emptied)


def _is_meant(address: str) -> bool:
    """Ask the person who runs this.

    Raises:
        ConfigurationError: There is nobody.
    """
    if not has_terminal():
        raise ConfigurationError(f"There is no terminal to ask on whether {address} is to be forgotten: add --yes.")
    return confirmed(f"Take {address} out of the tables? It cannot be brought back.")


def _remove_artifacts(office: Workspace, address: str) -> int:
    """Remove Prefect's artifacts that name the address; return how many.

    Raises:
        PrefectServerError: Its server does not answer; nothing was changed in the tables.
    """
    home = office.settings.home / "prefect"
    if not home.exists() and "PREFECT_API_URL" not in os.environ:  # no flow ever ran here
        return 0
    with prefect_server(home):
        # Only now: Prefect reads its settings when it is imported.
        from tasks.artifacts import remove_artifacts  # noqa: PLC0415

        try:
            return remove_artifacts(address)
        except Exception as error:  # noqa: BLE001 -- Prefect raises all kinds of things when its server is not there
            raise PrefectServerError(
                f"Prefect's artifacts could not be looked through ({type(error).__name__}), so nothing was forgotten. Check that "
                f"the server which PREFECT_API_URL names answers, or unset it; see also the logs under {home}."
            ) from None


def _as_object(owner_id: int | None, shown_as: str | None, artifacts: int, *, emptied: bool) -> dict[str, Any]:
    return {
        "owner_id": owner_id,
        "shown_as": shown_as,
        "artifacts_removed": artifacts,
        "log_emptied": emptied,
        "not_reached": NOT_REACHED,
    }


def _show(owner_id: int | None, shown_as: str | None, artifacts: int, *, emptied: bool) -> None:
    known = f"[green]Forgotten[/]: views show {shown_as} now, wherever person {owner_id} stood."
    lines = [known if owner_id is not None else "No row of the tables holds this address; it may have been forgotten before."]
    named = f"{several(artifacts, 'artifact')} of Prefect's that named the address {'is' if artifacts == 1 else 'are'} gone."
    lines.append(named if artifacts else "None of Prefect's artifacts named the address.")
    if not emptied:
        lines.append(
            "[yellow]Others were reading[/]: SQLite's write-ahead log still holds older pages; `busytime maintain` empties it."
        )
    lines += ["What this cannot reach:", *(f"- {text}." for text in NOT_REACHED.values())]
    for line in lines:
        output().print(line, soft_wrap=True)
