"""`busytime status`: one look at everything."""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from busytime.coverage import unknown_parts
from busytime.model import Breaker, Window
from busytime.permissions import Verdict
from busytime.signing_in import Allowance, allowance
from busytime.store.connections import StoredConnection
from deployments.cli.output import ExitStatus, JsonOption, clock, finish, output, plain_table, print_json
from tasks.workspace import Workspace, open_workspace

_RUNS = 10
#: What fits a narrow table.
_SHORT = {"completed_with_failures": "with failures"}


def status(as_json: JsonOption = False) -> None:
    """Show connections, coverage and the last runs in one look.

    Example: busytime status
    """
    office = open_workspace()
    now = office.clock.now()
    with office.store.read() as unit:
        connections = [
            (it, allowance(unit.logons.recent(it.owner_id), now, office.desk.policy)) for it in unit.connections.all_open()
        ]
        runs = unit.runs.recent(_RUNS)
        verdicts = Counter(str(stored.conclusion.verdict) for stored in unit.permissions.current().values())
    known, unknown = count_known(office, now)
    office.close()
    if as_json:
        print_json(
            {
                "connections": [_connection(it, left) for it, left in connections],
                "coverage": {"known": known, "unknown": unknown},
                "permissions": dict(verdicts),
                "entries": {},
                "runs": [_run(run) for run in runs],
            }
        )
    else:
        _show(connections, known, unknown, verdicts, runs)
    troubled = unknown or any(it.breaker is Breaker.OPEN for it, _ in connections)
    finish(ExitStatus.NEEDS_ATTENTION if troubled else ExitStatus.DONE)


def count_known(office: Workspace, now: datetime) -> tuple[int, int]:
    """Count the calendars whose busy time is known at this moment, and those for which it is not."""
    moment = Window(now, now + timedelta(seconds=1))
    with office.store.read() as unit:
        keys = [calendar.id for calendar in unit.roster.calendars()]
        coverage = unit.busy_time.current_coverage()
    known = sum(not unknown_parts(coverage.get(key, ()), moment, now, office.settings.max_age) for key in keys)
    return known, len(keys) - known


def _connection(it: StoredConnection, left: Allowance) -> dict[str, Any]:
    return {
        "email": it.email,
        "mode": it.mode,
        "breaker": it.breaker,
        "credential_version": it.credential_version,
        "refused_logons": left.refused,
        "safe_after": left.safe_after,
    }


def _run(run: dict[str, Any]) -> dict[str, Any]:
    shown = ("flow", "trigger", "actor", "status", "reason", "started_at", "finished_at", "counts")
    return {"run_id": run["id"]} | {name: run[name] for name in shown}


def _show(
    connections: list[tuple[StoredConnection, Allowance]],
    known: int,
    unknown: int,
    verdicts: Mapping[str, int],
    runs: list[dict[str, Any]],
) -> None:
    screen = output()
    if not connections:
        screen.print("[yellow]No mailbox is connected.[/] Next: [bold]busytime connect EMAIL --ews-url URL[/].")
    for it, left in connections:
        if it.breaker is Breaker.OPEN:
            screen.print(
                f"[bold red]STOPPED[/] {it.email}: a log-on was refused at {clock(it.breaker_changed_at)}; nothing is sent. "
                f"Next: [bold]busytime connect {it.email}[/] with the right password.",
                soft_wrap=True,
            )
        else:
            screen.print(f"[green]Connected[/] {it.email} ({it.mode}), secret version {it.credential_version}.")
        if left.refused:
            screen.print(
                f"  {left.refused} refused log-ons count; people may cause {left.person_left} more. "
                f"All is safe again from {clock(left.safe_after)}."
            )
    colour = "yellow" if unknown else "green"
    screen.print(f"[{colour}]Calendars[/]: {known} known now, {unknown} unknown.")
    stopped = any(it.breaker is Breaker.OPEN for it, _ in connections)
    if unknown and connections and not stopped:
        screen.print("  Next: [bold]busytime harvest[/]; it names each calendar without an answer, and why.")
    if verdicts:
        worse = sum(count for verdict, count in verdicts.items() if verdict != Verdict.GRANTED)
        said = ", ".join(f"{count} {verdict}" for verdict, count in sorted(verdicts.items()))
        screen.print(f"[{'yellow' if worse else 'green'}]Permissions[/]: {said}.")
        if worse:
            screen.print("  Next: [bold]busytime validate[/] shows which; `busytime advise` what to grant.")
    table = plain_table("Run", "Flow", "Started, UTC", "Ended as", "Counts", title="\nLast runs")
    for run in runs:
        counts = ", ".join(f"{count} {name}" for name, count in run["counts"].items() if count)
        ended = run["reason"] or _SHORT.get(run["status"], run["status"])
        table.add_row(str(run["id"]), run["flow"].partition("_")[0], f"{run['started_at']:%m-%d %H:%M}", ended, counts)
    if runs:
        screen.print(table)
