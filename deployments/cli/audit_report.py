"""`busytime audit report`: the audit as one page to look at. It needs no key."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from busytime.counting import several
from busytime.errors import ConfigurationError
from busytime.report.attention import Item, attention
from busytime.report.facts import Facts
from busytime.report.period import Period
from busytime.store.reading_views import open_reader, snapshot
from busytime.store.report_facts import gather
from config.settings import Settings, load_settings
from deployments.cli.files import write_whole
from deployments.cli.output import ExitStatus, JsonOption, finish, output, print_json, rfc3339, shown
from deployments.cli.times import parse_instant

#: Days that a report tells of, today included, where nobody says otherwise.
_DAYS = 14
_STYLES = {"stopped": "bold red", "act": "yellow", "look": "cyan"}


def report(
    out: Annotated[Path, typer.Option("--out", help="File that gets the page, ending in .html.")],
    start: Annotated[str | None, typer.Option("--from", help="Tell of the time from here on. Default: 14 days.")] = None,
    end: Annotated[str | None, typer.Option("--to", help="Tell of the time before this. Default: now.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Write one page to look at: what needs attention first, then coverage, permissions, bookings, runs and log-ons.

    Exit status 3: the page is written, and something on it needs attention.

    Example: busytime audit report --out report.html --from 2026-11-01 --to 2026-12-01
    """
    if out.suffix.lower() not in {".html", ".htm"}:
        raise ConfigurationError(f"--out {out} does not end in .html, so no browser would open it; add that.")
    settings = load_settings()
    facts = _facts(settings, _period(start, end, datetime.now(UTC), settings))
    written = write_whole(out, _page(facts))
    items = attention(facts)
    if as_json:
        print_json(_as_object(written, facts, items))
    else:
        _show(written, items)
    finish(ExitStatus.NEEDS_ATTENTION if items else ExitStatus.DONE)


def _period(start: str | None, end: str | None, now: datetime, settings: Settings) -> Period:
    until = min(parse_instant(end, "--to").astimezone(UTC), now) if end else now
    midnight = until.replace(hour=0, minute=0, second=0, microsecond=0)
    since = parse_instant(start, "--from").astimezone(UTC) if start else midnight - timedelta(days=_DAYS - 1)
    if since >= until:
        raise ConfigurationError(
            f"The report would begin at {rfc3339(since)} and end at {rfc3339(until)}; give an earlier --from."
        )
    return Period(since, until, now, settings.max_age)


def _facts(settings: Settings, period: Period) -> Facts:
    engine = open_reader(settings.database_address)
    try:
        with snapshot(engine) as views:
            return gather(views, period)
    finally:
        engine.dispose()


def _page(facts: Facts) -> bytes:
    from busytime.report.page import page  # noqa: PLC0415 -- the plotting library is slow to import, and no other command needs it

    return page(facts)


def _as_object(written: Path, facts: Facts, items: tuple[Item, ...]) -> dict[str, object]:
    period = facts.period
    told = [
        {"kind": it.kind, "urgency": it.urgency, "headline": it.headline, "detail": it.detail, "next": it.command or None}
        for it in items
    ]
    return {
        "out": str(written),
        "as_of": period.as_of,
        "from": period.start,
        "to": period.end,
        "bytes": written.stat().st_size,
        "attention": told,
    }


def _show(written: Path, items: tuple[Item, ...]) -> None:
    screen = output()
    for item in items:
        following = f" Next: [bold]{shown(item.command)}[/]" if item.command else ""
        screen.print(f"[{_STYLES[item.urgency]}]{shown(item.headline)}.[/]{following}", soft_wrap=True)
    found = "Nothing needs attention" if not items else f"{several(len(items), 'thing')} to look at"
    screen.print(f"[green]Written[/] to {shown(str(written))}. {found}.", soft_wrap=True)
