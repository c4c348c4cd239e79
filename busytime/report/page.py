"""The report as one page of HTML that stands by itself: no script, nothing from elsewhere, every text escaped."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from busytime import __version__
from busytime.counting import several
from busytime.errors import REASON_TEXTS, Reason
from busytime.permissions import Verdict
from busytime.report import figures, words
from busytime.report.attention import Item, attention
from busytime.report.facts import Facts

#: So many items are told at length; the first screen of a telephone has room for them.
_AT_LENGTH = 4
_SIGNS = {
    Verdict.GRANTED: "✓",
    Verdict.INSUFFICIENT: "▽",
    Verdict.MISSING: "✕",
    Verdict.PENDING: "…",
    Verdict.UNREACHABLE: "?",
    Verdict.UNPROVEN: "?",
}


@dataclass(frozen=True, slots=True)
class Tile:
    """A figure that sums a part up; `good` says whether it is as it should be."""

    name: str
    figure: str
    told: str
    good: bool


def page(facts: Facts) -> bytes:
    """Return the report of some facts; the same facts give the same bytes."""
    items = attention(facts)
    shown = (
        _environment()
        .get_template("page.html.j2")
        .render(
            facts=facts,
            version=__version__,
            items=items[:_AT_LENGTH],
            further=items[_AT_LENGTH:],
            verdict=_verdict(items),
            tiles=_tiles(facts),
            pictures=_pictures(facts),
            logons=_logons(facts),
            signs=_SIGNS,
            states={state: label for state, (label, _) in figures.STATES.items()},
        )
    )
    return shown.encode()


def _environment() -> Environment:
    loader = PackageLoader("busytime.report", "")
    environment = Environment(
        loader=loader,
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "moment": words.moment,
        "share": words.share_text,
        "place": words.name_of,
        "clean": words.clean,
        "flow": words.flow_name,
        "lasting": words.lasting,
        "reason": _reason_text,
        "day": _day,
    }
    environment.globals |= {"several": several, "drawn": Markup, "timedelta": timedelta}
    return environment


def _reason_text(reason: Reason | None) -> str:
    return REASON_TEXTS[reason] if reason else ""


def _day(instant: datetime) -> str:
    return f"{instant:%Y-%m-%d}"


def _pictures(facts: Facts) -> Mapping[str, Any]:
    """Draw what there is something to see of."""
    period = facts.period
    drawn = {
        "coverage": facts.coverage.calendars and figures.coverage_picture(facts.coverage, period),
        "permissions": facts.permissions.counts and figures.permission_picture(facts.permissions),
        "bookings": (facts.bookings.coming or facts.bookings.over) and figures.booking_picture(facts.bookings),
        "runs": facts.runs.slots and figures.run_picture(facts.runs, period),
        "logons": facts.logons.slots and figures.logon_picture(facts.logons, period, facts.runs.slot),
    }
    return {name: picture or None for name, picture in drawn.items()}


@dataclass(frozen=True, slots=True)
class Deed:
    """Something that was done to an account, by whom."""

    at: datetime
    account: str
    what: str
    by: str


def _logons(facts: Facts) -> list[Deed]:
    """Return refused log-ons and new secrets, the newest first."""
    refused = [
        Deed(it.at, it.account, f"refused: {_reason_text(it.reason or Reason.LOGON_REFUSED)}", f"{it.by}, {it.actor}")
        for it in facts.logons.refused
    ]
    stored = [Deed(it.at, it.account, f"secret version {it.version} stored", it.actor) for it in facts.logons.secrets]
    return sorted(refused + stored, key=lambda deed: deed.at, reverse=True)


def _verdict(items: tuple[Item, ...]) -> str:
    if not items:
        return "Nothing needs attention"
    return "1 thing needs attention" if len(items) == 1 else f"{len(items)} things need attention"


def _tiles(facts: Facts) -> tuple[Tile, ...]:
    counts, coming = facts.permissions.counts, facts.bookings.coming
    granted = sum(count for (_, verdict), count in counts.items() if verdict is Verdict.GRANTED)
    rights, entries = sum(counts.values()), sum(coming.values())
    placed = sum(count for state, count in coming.items() if state in figures.IN_PLACE)
    at, calendars = facts.runs.harvested_at, facts.coverage.calendars
    silence = facts.period.as_of - at if at else None
    return (
        Tile("Calendars known now", f"{facts.known:,}", f"of {calendars:,}", facts.known == calendars),
        Tile("Rights granted", f"{granted:,}", f"of {rights:,}", granted == rights),
        Tile("Coming entries in place", f"{placed:,}", f"of {entries:,}", placed == entries),
        Tile(
            "Last harvest",
            words.lasting(max(silence, timedelta(0))) if silence is not None else "never",
            "ago" if silence is not None else "",
            silence is not None and silence <= facts.period.max_age,
        ),
    )
