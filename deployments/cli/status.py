"""`busytime status`: one look at everything."""

from collections import Counter
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from rich.console import Console
from rich.markup import escape

from busytime.bookings import EntryState
from busytime.claiming import tries_left
from busytime.counting import several
from busytime.coverage import unknown_parts
from busytime.model import Breaker, Window
from busytime.permissions import Verdict
from busytime.probing import stopped_message
from busytime.signing_in import Allowance
from busytime.standing import TROUBLED
from busytime.store.connections import StoredConnection
from deployments.cli.bookings_table import STATES
from deployments.cli.output import ExitStatus, JsonOption, clock, finish, output, plain_table, print_json
from tasks.workspace import Workspace, open_workspace

_RUNS = 10
#: What fits a narrow table.
_SHORT = {"completed_with_failures": "with failures"}
#: A calendar without an answer stays known by an earlier one, so "failed" beside "known" would seem to say the opposite.
_COUNTED = {("harvest_busy_time", "failed"): "not read"}


#: Entries that a person should look at; what owners did is no fault, and yet news.
_WORTH_A_LOOK = TROUBLED | {EntryState.MOVED_BY_OWNER, EntryState.REMOVED_BY_OWNER}


@dataclass(frozen=True, slots=True)
class _Look:
    """All that one look shows.

    Args:
        connections: With how many refused log-ons their accounts may still cause.
        stops: Why nothing is sent, in words, for each connection whose breaker is open.
        known: How many calendars are known now.
        unknown: How many are not.
        verdicts: How many of each verdict.
        entries: How many entries are in each state, of bookings that are not over.
        restored_at: When the database was found to be restored from a backup.
        runs: The last runs.
    """

    connections: list[tuple[StoredConnection, Allowance]]
    stops: Mapping[int, str]
    known: int
    unknown: int
    verdicts: Mapping[str, int]
    entries: Mapping[EntryState, int]
    restored_at: datetime | None
    runs: list[dict[str, Any]]

    @property
    def stopped(self) -> bool:
        """Whether a breaker is open."""
        return bool(self.stops)

    @property
    def troubled(self) -> bool:
        """Whether something is not as it should be."""
        return bool(self.unknown or self.stopped or self.restored_at or TROUBLED & self.entries.keys())


def status(as_json: JsonOption = False) -> None:
    """Show connections, coverage, entries and the last runs in one look.

    Example: busytime status
    """
    look = _look()
    if as_json:
        print_json(_as_object(look))
    else:
        _show(look)
    finish(ExitStatus.NEEDS_ATTENTION if look.troubled else ExitStatus.DONE)


def _look() -> _Look:
    with closing(open_workspace()) as office:
        now = office.clock.now()
        known, unknown = count_known(office, now)
        with office.store.read() as unit:
            connections = unit.connections.all_open()
            return _Look(
                connections=[(it, office.desk.allowance(unit, it.owner_id)) for it in connections],
                stops={it.id: stopped_message(unit, it) for it in connections if it.breaker is Breaker.OPEN},
                known=known,
                unknown=unknown,
                verdicts=Counter(str(stored.conclusion.verdict) for stored in unit.permissions.current().values()),
                entries=unit.entries.counts(ends_after=now),
                restored_at=office.store.restored_at,
                runs=unit.runs.recent(_RUNS),
            )


def count_known(office: Workspace, now: datetime) -> tuple[int, int]:
    """Count the calendars whose busy time is known at this moment, and those for which it is not."""
    moment = Window(now, now + timedelta(seconds=1))
    with office.store.read() as unit:
        keys = [calendar.id for calendar in unit.roster.calendars()]
        coverage = unit.busy_time.current_coverage()
    known = sum(not unknown_parts(coverage.get(key, ()), moment, now, office.settings.max_age) for key in keys)
    return known, len(keys) - known


def _as_object(look: _Look) -> dict[str, Any]:
    return {
        "connections": [_connection(it, left) for it, left in look.connections],
        "coverage": {"known": look.known, "unknown": look.unknown},
        "permissions": dict(look.verdicts),
        "entries": dict(look.entries),
        "restored_at": look.restored_at,
        "runs": [_run(run) for run in look.runs],
    }


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


def _show(look: _Look) -> None:
    screen = output()
    _show_stops(screen, look)
    if look.restored_at is not None:
        email = look.connections[0][0].email if look.connections else "EMAIL"
        screen.print(
            f"[bold red]RESTORED[/] At {clock(look.restored_at)} this database was found to be restored from a backup: calendars "
            "may hold entries that it has forgotten, and nothing is pushed. "
            f"Next: [bold]busytime resync {email} --adopt[/] takes over what the calendars hold.",
            soft_wrap=True,
        )
    _show_connections(screen, look)
    colour = "yellow" if look.unknown else "green"
    screen.print(f"[{colour}]Calendars[/]: {look.known} known now, {look.unknown} unknown.")
    if look.unknown and look.connections and not look.stopped:
        screen.print("  Next: [bold]busytime harvest[/]; it names each calendar without an answer, and why.")
    if look.verdicts:
        worse = sum(count for verdict, count in look.verdicts.items() if verdict != Verdict.GRANTED)
        said = ", ".join(f"{count} {verdict}" for verdict, count in sorted(look.verdicts.items()))
        screen.print(f"[{'yellow' if worse else 'green'}]Permissions[/]: {said}.")
        if worse:
            screen.print("  Next: [bold]busytime validate[/] shows which; `busytime advise` what to grant.")
    _show_entries(screen, look.entries)
    _show_runs(screen, look.runs)


def _show_connections(screen: Console, look: _Look) -> None:
    if not look.connections:
        screen.print("[yellow]No mailbox is connected.[/] Next: [bold]busytime connect EMAIL[/].")
    for it, left in look.connections:
        if it.id in look.stops:
            continue  # said first of all
        screen.print(f"[green]Connected[/] {it.email} ({it.mode}), secret version {it.credential_version}.")
        if left.refused:
            screen.print(f"  {_count_refused(left)}")


def _show_stops(screen: Console, look: _Look) -> None:
    """Print before all else which accounts cannot log on, why, and what helps."""
    for it, left in look.connections:
        if it.id in look.stops:
            screen.print(
                f"[bold red]STOPPED[/] {it.email}: {escape(look.stops[it.id])}",
                soft_wrap=True,
            )
            screen.print(f"  {_count_refused(left)}")
    waiting = look.entries.get(EntryState.WAITING_FOR_LOG_ON, 0)
    if look.stops and waiting:
        waits = "1 entry waits" if waiting == 1 else f"{waiting} entries wait"
        screen.print(f"  {waits} for a log-on; the same command pushes what waits as soon as it works.")


def _count_refused(left: Allowance) -> str:
    safe = f" All is safe again from {clock(left.safe_after)}." if left.safe_after and left.person_left else ""
    return f"{several(left.refused, 'refused log-on')} count{'s' if left.refused == 1 else ''} now. {tries_left(left)}{safe}"


def _show_entries(screen: Console, entries: Mapping[EntryState, int]) -> None:
    """Print how many entries stand how; of bookings that are over, none."""
    if not entries:
        return
    odd = _WORTH_A_LOOK & entries.keys()
    said = [f"[{STATES[state][1]}]{entries[state]} {STATES[state][0]}[/]" for state in EntryState if state in entries]
    screen.print(f"[{'yellow' if odd else 'green'}]Entries[/]: {', '.join(said)}.", soft_wrap=True)
    if odd:
        screen.print("  Next: [bold]busytime bookings list[/] shows which, why, and what to do.")
    elif EntryState.WANTED in entries:
        screen.print("  Next: [bold]busytime push[/].")


def _show_runs(screen: Console, runs: list[dict[str, Any]]) -> None:
    table = plain_table("Run", "Flow", "Started, UTC", "Ended as", "Counts", title="\nLast runs")
    for run in runs:
        names = {name: _COUNTED.get((run["flow"], name), name.replace("_", " ")) for name in run["counts"]}
        counts = ", ".join(f"{count} {names[name]}" for name, count in run["counts"].items() if count)
        ended = run["reason"] or _SHORT.get(run["status"], run["status"])
        table.add_row(str(run["id"]), run["flow"].partition("_")[0], f"{run['started_at']:%m-%d %H:%M}", ended, counts)
    if runs:
        screen.print(table)
