"""The report's charts.

Each is laid out in pixels, once for wide screens and paper and once for narrow screens. No state is told by colour alone:
there is a number, a shape or a hatch beside it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from math import ceil

from busytime.report.sheet import Sheet, drawn
from busytime.report.svg import Drawing, Role


@dataclass(frozen=True, slots=True)
class Frame:
    """How a chart is laid out.

    Args:
        name: Name of the drawing.
        width: Width in pixels; a chart of many columns may be wider.
        left: Width of the labels on the left; 0 = they stand above.
        small: Size of small letters, in pixels.
        letters: How many letters a label has room for.
    """

    name: str
    width: float
    left: float
    small: float
    letters: int

    def fitted(self, words: str) -> str:
        """Return a label that has room."""
        return words if len(words) <= self.letters else f"{words[: self.letters - 1]}…"


def _day_labels(columns: Sequence[datetime], width: float, letter: float) -> Iterator[tuple[int, str]]:
    """Yield labels for as many columns as there is room, with their numbers; the month stands where it begins."""
    every, month = max(1, ceil(3.4 * letter / width)), 0
    for number, column in enumerate(columns):
        if number % every == 0:
            yield number, f"{column.day}" if column.month == month else f"{column.day} {column:%b}"
            month = column.month


#: Shares below which a cell looks so; what is known throughout looks like nothing.
_TONES = (
    (0.000_5, Role.NONE, Role.ON_NONE),
    (0.5, Role.LOW, Role.ON_LOW),
    (0.95, Role.SOME, Role.ON_SOME),
    (0.999_5, Role.HIGH, Role.ON_HIGH),
)
_LEGEND = ("known 100 %", "95 to 100", "50 to 95", "below 50", "0 %")


@dataclass(frozen=True, slots=True)
class HeatMap:
    """Shares by line and column, which begins at an instant; ``None`` = there is nothing to tell."""

    lines: Sequence[tuple[str, Sequence[float | None]]]
    columns: Sequence[datetime]


def heat_map(chart: HeatMap, frame: Frame) -> Drawing:
    """Draw the shares, the first line apart from the others, as the sum of them."""
    least, tall, head = (7.0, 20.0, 44.0) if frame.width < 500 else (22.0, 22.0, 50.0)  # noqa: PLR2004 -- pixels of a screen
    cell = max(least, (frame.width - frame.left) / len(chart.columns))
    width, height = frame.left + cell * len(chart.columns), head + tall * len(chart.lines) + 10
    with drawn(frame.name, width, height) as (sheet, done):
        _scale(sheet, frame)
        for number, label in _day_labels(chart.columns, cell, frame.small):
            x = min(frame.left + (number + 0.5) * cell, width - 0.35 * frame.small * len(label))
            sheet.text(x, head - 8, label, frame.small, Role.MUTED, ha="center")
        for row, (label, shares) in enumerate(chart.lines):
            top = head + row * tall + (6 if row else 0)
            weight = "normal" if row else "bold"
            sheet.text(0, top + tall * 0.68, frame.fitted(label), frame.small + 1, fontweight=weight)
            for number, share in enumerate(shares):
                _cell(sheet, (frame.left + number * cell, top, cell, tall), share, frame.small)
    return done[0]


def _cell(sheet: Sheet, place: tuple[float, float, float, float], share: float | None, size: float) -> None:
    x, y, width, height = place
    if share is None:
        sheet.box(x + 0.75, y + 0.75, width - 1.5, height - 1.5, None, Role.LINE)
        return
    role, ink = next(((role, ink) for below, role, ink in _TONES if share < below), (Role.FULL, None))
    sheet.box(x + 0.75, y + 0.75, width - 1.5, height - 1.5, role)
    if ink and width > 1.4 * size:  # else two digits have no room
        sheet.text(x + width / 2, y + height * 0.68, str(min(99, int(share * 100))), size, ink, ha="center")


def _scale(sheet: Sheet, frame: Frame) -> None:
    """Draw what the tones mean."""
    step, x = (66.0, 0.0) if frame.width < 500 else (88.0, frame.left)  # noqa: PLR2004 -- as above
    for label, role in zip(_LEGEND, (Role.FULL, Role.HIGH, Role.SOME, Role.LOW, Role.NONE), strict=True):
        sheet.box(x, 4, 10, 10, role)
        sheet.text(x + 14, 13, label, frame.small, Role.MUTED)
        x += step + (22 if role is Role.FULL else 0)


@dataclass(frozen=True, slots=True)
class Bar:
    """A count that has two parts, the second of which is told by a hatch."""

    label: str
    first: int
    second: int
    role: Role


def bars(chart: Sequence[Bar], names: tuple[str, str], frame: Frame) -> Drawing:
    """Draw counts as bars, with their numbers."""
    step, head = (26.0, 26.0) if frame.left else (40.0, 26.0)
    most, room = max((bar.first + bar.second for bar in chart), default=1) or 1, frame.width - frame.left - 110
    with drawn(frame.name, frame.width, head + step * len(chart) + 4) as (sheet, done):
        for x, name, hatch in ((frame.left, names[0], None), (frame.left + 110, names[1], Role.PAPER)):
            sheet.box(x, 4, 14, 11, Role.MUTED, hatch)
            sheet.text(x + 19, 14, name, frame.small, Role.MUTED)
        for number, bar in enumerate(chart):
            top = head + number * step
            sheet.text(0, top + (15 if frame.left else 13), frame.fitted(bar.label), frame.small + 1)
            _bar(sheet, bar, (frame.left, top + (3 if frame.left else 18)), room / most)
    return done[0]


def _bar(sheet: Sheet, bar: Bar, corner: tuple[float, float], unit: float) -> None:
    x, y = corner
    for count, hatch in ((bar.first, None), (bar.second, Role.PAPER)):
        if count:
            length = max(3.0, count * unit)
            sheet.box(x, y, length, 16, bar.role, hatch)
            x += length + 1
    numbers = f"{bar.first:,}" if not bar.second else f"{bar.first:,} + {bar.second:,}"
    sheet.text(x + 6, y + 12.5, numbers, 12)


class Mark(StrEnum):
    """What happened in one slot of a lane, the most telling last."""

    FAINT = "faint"
    GOOD = "good"
    MILD = "mild"
    REFUSED = "refused"
    FAILED = "failed"
    CRASHED = "crashed"
    NEW = "new"


#: How each mark is drawn: a tick of some height, or a shape.
_TICKS = {Mark.FAINT: (Role.FAINT, 4.0, None), Mark.GOOD: (Role.GOOD, 12.0, None), Mark.MILD: (Role.MILD, 16.0, Role.PAPER)}
_SHAPES = {Mark.REFUSED: ("s", Role.BAD), Mark.FAILED: ("^", Role.BAD), Mark.CRASHED: ("x", Role.BAD), Mark.NEW: ("D", Role.INK)}


@dataclass(frozen=True, slots=True)
class Lane:
    """What happened to one thing in the course of time: marks by number of the slot."""

    label: str
    told: str
    marks: Sequence[tuple[int, Mark]]


@dataclass(frozen=True, slots=True)
class Timeline:
    """Lanes over the same time.

    Args:
        lanes: The lanes.
        slots: How many slots there are.
        columns: When the columns of slots begin.
        now: At which slot, and part of one, the present instant is; ``None`` where it is not among them.
        legend: Which marks are explained, and how.
    """

    lanes: Sequence[Lane]
    slots: int
    columns: Sequence[datetime]
    now: float | None
    legend: Sequence[tuple[Mark, str]]


def timeline(chart: Timeline, frame: Frame) -> Drawing:
    """Draw lanes below each other; empty places are empty."""
    step, per_line = (40.0, len(chart.legend)) if frame.left else (46.0, 3)
    legend_lines = -(-len(chart.legend) // per_line)
    head = 18.0 * legend_lines + 22
    slot = (frame.width - frame.left - 6) / chart.slots
    bottom = head + step * len(chart.lanes)
    with drawn(frame.name, frame.width, bottom + 6) as (sheet, done):
        _explain(sheet, chart.legend, frame, per_line)
        wide = (frame.width - frame.left - 6) / len(chart.columns)
        for number, label in _day_labels(chart.columns, wide, frame.small):
            x = frame.left + number * wide
            sheet.line(x, head - 2, x, bottom, Role.LINE)
            sheet.text(x + 3, head - 6, label, frame.small, Role.MUTED)
        for number, lane in enumerate(chart.lanes):
            _lane(sheet, lane, frame, (head + number * step, step, slot))
        if chart.now is not None:
            x = frame.left + chart.now * slot
            sheet.line(x, head - 2, x, bottom, Role.INK, ":")
    return done[0]


def _lane(sheet: Sheet, lane: Lane, frame: Frame, place: tuple[float, float, float]) -> None:
    top, step, slot = place
    if frame.left:
        sheet.text(0, top + 17, frame.fitted(lane.label), frame.small + 1, fontweight="bold")
        sheet.text(0, top + 32, frame.fitted(lane.told), frame.small, Role.MUTED)
    else:
        sheet.box(0, top + 3, frame.width, 15, Role.PAPER)
        sheet.text(0, top + 14, frame.fitted(f"{lane.label}: {lane.told}"), frame.small + 1)
    base = top + step - 6
    sheet.line(frame.left, base, frame.width - 6, base, Role.LINE)
    for number, mark in lane.marks:
        x = frame.left + number * slot
        if mark in _TICKS:
            role, tall, hatch = _TICKS[mark]
            sheet.box(x + slot * 0.1, base - tall, max(1.2, slot * 0.8), tall, role, hatch)
    for number, mark in lane.marks:  # over the ticks, so that none of them hides one
        if mark in _SHAPES:
            shape, role = _SHAPES[mark]
            sheet.mark(frame.left + (number + 0.5) * slot, base - 10, shape, role, 9)


def _explain(sheet: Sheet, legend: Sequence[tuple[Mark, str]], frame: Frame, per_line: int) -> None:
    """Draw what the marks mean."""
    step = (frame.width - frame.left) / max(per_line, 4)
    for number, (mark, words) in enumerate(legend):
        x, y = frame.left + number % per_line * step + 6, 12.0 + number // per_line * 18
        if mark in _TICKS:
            role, tall, hatch = _TICKS[mark]
            sheet.box(x - 4, y - tall + 2, 8, tall, role, hatch)
        else:
            shape, role = _SHAPES[mark]
            sheet.mark(x, y - 4, shape, role, 9)
        sheet.text(x + 9, y, words, frame.small, Role.MUTED)
