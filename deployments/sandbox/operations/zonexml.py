"""The server's time zone definitions, with the rules that hold at present."""

from __future__ import annotations

from dataclasses import dataclass

from deployments.sandbox.zones import WINDOWS_ZONES


@dataclass(frozen=True, slots=True)
class _Rule:
    """Minutes from UTC to local time, negated as Windows does, and when summer time runs.

    Changes are (month, which Sunday, hour of local time); -1 is the last one.
    """

    bias: int
    begins: tuple[int, int, int] | None = None
    ends: tuple[int, int, int] | None = None


_WEST = ((3, -1, 1), (10, -1, 2))
_MIDDLE = ((3, -1, 2), (10, -1, 3))
_AMERICA = ((3, 2, 2), (11, 1, 2))
_RULES = {
    "UTC": _Rule(0),
    "W. Europe Standard Time": _Rule(-60, *_MIDDLE),
    "Romance Standard Time": _Rule(-60, *_MIDDLE),
    "Central Europe Standard Time": _Rule(-60, *_MIDDLE),
    "GMT Standard Time": _Rule(0, *_WEST),
    "Greenwich Standard Time": _Rule(0),
    "Eastern Standard Time": _Rule(300, *_AMERICA),
    "Central Standard Time": _Rule(360, *_AMERICA),
    "Mountain Standard Time": _Rule(420, *_AMERICA),
    "Pacific Standard Time": _Rule(480, *_AMERICA),
    "India Standard Time": _Rule(-330),
    "Tokyo Standard Time": _Rule(-540),
    "AUS Eastern Standard Time": _Rule(-600, (10, 1, 2), (4, 1, 3)),
}


def _duration(minutes: int) -> str:
    hours, rest = divmod(abs(minutes), 60)
    sign = "-" if minutes < 0 else ""
    return f"{sign}PT{hours}H" + (f"{rest}M" if rest else "")


def _period(name: str, zone: str, minutes: int) -> str:
    return f'<t:Period Bias="{_duration(minutes)}" Name="{name}" Id="trule:{zone}/{name}"/>'


def _change(zone: str, name: str, when: tuple[int, int, int]) -> str:
    month, sunday, hour = when
    return (
        f'<t:RecurringDayTransition><t:To Kind="Period">trule:{zone}/{name}</t:To>'
        f"<t:TimeOffset>PT{hour}H</t:TimeOffset><t:Month>{month}</t:Month>"
        f"<t:DayOfWeek>Sunday</t:DayOfWeek><t:Occurrence>{sunday}</t:Occurrence>"
        "</t:RecurringDayTransition>"
    )


def _definition(zone: str, rule: _Rule) -> str:
    periods = _period("Standard", zone, rule.bias)
    if rule.begins is None or rule.ends is None:
        group = f'<t:Transition><t:To Kind="Period">trule:{zone}/Standard</t:To></t:Transition>'
    else:
        periods += _period("Daylight", zone, rule.bias - 60)
        # In the year's order, as Windows lists them; in the south summer time ends first.
        changes = sorted([(rule.begins, "Daylight"), (rule.ends, "Standard")])
        group = "".join(_change(zone, name, when) for when, name in changes)
    return (
        f'<t:TimeZoneDefinition Id="{zone}" Name="{_title(zone)}"><t:Periods>{periods}</t:Periods>'
        f'<t:TransitionsGroups><t:TransitionsGroup Id="0">{group}</t:TransitionsGroup>'
        '</t:TransitionsGroups><t:Transitions><t:Transition><t:To Kind="Group">0</t:To>'
        "</t:Transition></t:Transitions></t:TimeZoneDefinition>"
    )


def _title(zone: str) -> str:
    hours, rest = divmod(abs(_RULES[zone].bias), 60)
    sign = "-" if _RULES[zone].bias > 0 else "+"
    city = WINDOWS_ZONES[zone].rsplit("/", 1)[-1].replace("_", " ")
    return f"(UTC{sign}{hours:02}:{rest:02}) {city}"


FULL = {zone: _definition(zone, rule) for zone, rule in _RULES.items()}
SHORT = {zone: f'<t:TimeZoneDefinition Id="{zone}" Name="{_title(zone)}"/>' for zone in _RULES}
