"""`busytime validate`, `discover` and `advise`: what the connection may do, and what is to be granted."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from busytime.advice import owner_sentence, owner_text
from busytime.counting import several
from busytime.errors import REASON_TEXTS, ConfigurationError
from busytime.granting import NOTHING_TO_GRANT, can_be_granted, showable, with_ways
from busytime.granting import Finding as Grant
from busytime.model import Calendar
from busytime.outcomes import ValidationOutcome
from busytime.permissions import Need, Verdict
from busytime.powershell import admin_script, script_bytes, script_fault
from busytime.verdicts import Finding
from deployments.cli.files import write_whole
from deployments.cli.output import ExitStatus, JsonOption, finish, messages, output, plain_table, print_json
from deployments.cli.running import run_flow, tell_outcome, waiting
from flows.options import ValidateOptions
from tasks.grants import grant_of, grants_of
from tasks.workspace import Workspace, open_workspace

_COLOURS = {
    Verdict.GRANTED: "green",
    Verdict.UNPROVEN: "yellow",
    Verdict.PENDING: "yellow",
    Verdict.UNREACHABLE: "yellow",
    Verdict.INSUFFICIENT: "bold red",
    Verdict.MISSING: "bold red",
}


def validate(
    probe_write: Annotated[
        bool, typer.Option("--probe-write", help="Where nothing else settles it, prove the right to write by a free entry.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Check what the connection may do in every calendar.

    Example: busytime validate
    """
    with waiting("Validating delegation ...", quiet=as_json):
        outcome = run_flow("validate_delegation", ValidationOutcome, ValidateOptions(probe_write=probe_write))
    grants = {id(finding): grant for finding, grant in zip(outcome.findings, grants_of(outcome.findings), strict=True)}
    tell_outcome(
        outcome,
        "validation",
        lambda it: _as_object(it, grants),
        lambda it: _show(it, grants),
        as_json=as_json,
    )


def _as_object(outcome: ValidationOutcome, grants: dict[int, Grant]) -> dict[str, Any]:
    permissions = [
        {
            "owner": it.candidate.calendar.owner,
            "folder": it.candidate.calendar.folder,
            "need": it.need,
            "roles": list(it.candidate.roles),
            "required": grants[id(it)].required,
            "observed": it.conclusion.observed,
            "evidence": it.conclusion.evidence,
            "verdict": it.conclusion.verdict,
            "reason": it.conclusion.reason,
            "advice": None if it.conclusion.verdict is Verdict.GRANTED else owner_sentence(grants[id(it)]),
        }
        for it in outcome.findings
    ]
    return {"permissions": permissions}


def _show(outcome: ValidationOutcome, grants: dict[int, Grant]) -> None:
    screen = output()
    if not outcome.findings:
        screen.print("The roster is empty. Next: [bold]busytime roster import FILE[/].")
        return
    cells = {(it.candidate.calendar.id, it.need): _cell(it) for it in outcome.findings}
    table = plain_table("Calendar", "Read", "Write", "Level, at least", "Why")
    table.columns[0].overflow = "fold"  # a name is never cut: somebody has to find it
    for candidate in {it.candidate.calendar.id: it.candidate for it in outcome.findings}.values():
        calendar = candidate.calendar
        mine = [it for it in outcome.findings if it.candidate.calendar.id == calendar.id]
        worst = next((it.conclusion for it in mine if it.conclusion.reason), mine[-1].conclusion)
        why = REASON_TEXTS[worst.reason] if worst.reason else ""
        read, write = (cells.get((calendar.id, need), "-") for need in Need)
        table.add_row(_name(calendar), read, write, str(worst.observed or ""), why)
    screen.print(table)
    for it in outcome.worse:
        before = it.before.verdict if it.before else "new"
        screen.print(
            f"[bold red]Worse[/] {_name(it.candidate.calendar)}, {it.need}: {before} -> {it.conclusion.verdict}", soft_wrap=True
        )
    if any(can_be_granted(grant) and grant.verdict is not Verdict.GRANTED for grant in grants.values()):
        screen.print("Next: [bold]busytime advise --out DIR[/] writes what each owner can click, and a script for the admin.")


def _name(calendar: Calendar) -> str:
    """Return a calendar's name as it can be printed, whatever people called the folder."""
    return escape(showable(calendar.label))


def _cell(finding: Finding) -> str:
    verdict = finding.conclusion.verdict
    return f"[{_COLOURS[verdict]}]{verdict}[/]"


def advise(
    out: Annotated[Path, typer.Option("--out", help="Directory for texts and script; made if needed.", show_default=False)],
    as_json: JsonOption = False,
) -> None:
    """Write what to grant: a text for each owner and one script for the admin.

    Example: busytime advise --out advice
    """
    office = open_workspace()
    wanted = _wanted(office)
    office.close()
    grants = [grant for grant in wanted if grant.verdict is not Verdict.GRANTED]
    beyond = [grant for grant in grants if grant.reason in NOTHING_TO_GRANT]
    owners = sorted({grant.owner for grant in grants if grant not in beyond})
    faults = [fault for fault in map(script_fault, filter(can_be_granted, grants)) if fault]
    written = [write_whole(out / f"{owner}.txt", owner_text(owner, grants).encode()) for owner in owners]
    scripted = [grant for grant in grants if not (can_be_granted(grant) and script_fault(grant))]
    written.append(write_whole(out / "grant-permissions.ps1", script_bytes(admin_script(scripted))))
    for fault in faults:
        messages().print(f"[yellow]Left out of the script[/]: {escape(fault)}", soft_wrap=True)
    for it in {grant.label: grant for grant in beyond}.values():
        why = REASON_TEXTS[it.reason] if it.reason else ""
        messages().print(f"[yellow]Nothing to grant[/] for {escape(it.label)}: {why}.", soft_wrap=True)
    if as_json:
        print_json({"files": [str(path) for path in written], "owners": owners, "left_out": faults})
    elif not owners:
        output().print(f"[green]Nothing is to be granted[/]: grant-permissions.ps1 in {escape(str(out))} changes nothing.")
    else:
        texts = several(len(owners), "text")
        output().print(f"[green]Wrote[/] {texts} for owners and grant-permissions.ps1 to {escape(str(out))}.")
        output().print("Next: let the admin run the script with -WhatIf first, then without; then [bold]busytime validate[/].")
    finish(ExitStatus.NEEDS_ATTENTION if faults else ExitStatus.DONE)


def _wanted(office: Workspace) -> list[Grant]:
    """Return what every calendar of the roster needs, with its verdict where there is one."""
    with office.store.read() as unit:
        connections = unit.connections.all_open()
        if not connections:
            raise ConfigurationError(
                "No mailbox is connected, so there is nobody to grant to: run `busytime connect EMAIL` first."
            )
        stored = unit.permissions.current()
        served = [(connection, unit.roster.candidates(connection.id)) for connection in connections]
    grants: list[Grant] = []
    for connection, candidates in served:
        for candidate in candidates:
            for need in candidate.needs:
                verdict = stored.get((candidate.calendar.id, need))
                grants.append(grant_of(candidate, need, verdict.conclusion if verdict else None, connection.email))
    return with_ways(grants)
