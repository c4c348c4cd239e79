"""Reading the answer of the availability service, mailbox by mailbox, straight from the XML.

The hot path of a harvest: no object per appointment, no element touched that is not needed. Whatever is odd in
one mailbox takes the careful path, which decides; and what it cannot read is unknown, never free. Details
that a server sends unasked are never looked at.
"""

from collections.abc import Sequence
from operator import itemgetter, lt
from typing import Any

from lxml import etree

from busytime.errors import Reason
from busytime.ews import statuses
from busytime.ews.body import Element, Unreadable
from busytime.ews.codes import ruling_of
from busytime.ews.soap import MESSAGES, NAMESPACES, TYPES, refusal_in
from busytime.ews.times import InstantCache
from busytime.model import BusyAnswer, BusyStatus, BusyTime, Interval, Unanswered

#: Exchange cuts a mailbox's answer at this many appointments.
MOST_APPOINTMENTS = 1000

#: lxml's stubs give a path's result every type there is.
_path: Any = etree.XPath
_EVENT = "m:FreeBusyView/t:CalendarEventArray/t:CalendarEvent"
_TEXTS = _path(f"{_EVENT}/*/text()", namespaces=NAMESPACES, smart_strings=False)
_COUNT = _path(f"count({_EVENT})", namespaces=NAMESPACES)
_IN_ORDER = _path(f"count({_EVENT}/t:StartTime/following-sibling::*[1][self::t:EndTime])", namespaces=NAMESPACES)
_EVENTS = _path(_EVENT, namespaces=NAMESPACES)

_RESPONSE = f"{{{MESSAGES}}}FreeBusyResponse"
_MESSAGE = f"{{{MESSAGES}}}ResponseMessage"
_VIEW = f"{{{MESSAGES}}}FreeBusyView"
_VIEW_TYPE = f"{{{TYPES}}}FreeBusyViewType"
_START, _END, _STATUS = (f"{{{TYPES}}}{name}" for name in ("StartTime", "EndTime", "BusyType"))

#: Views that tell each appointment (``FreeBusyViewType``); asked is only the first.
_WITH_EVENTS = frozenset({"FreeBusy", "FreeBusyMerged", "Detailed", "DetailedMerged"})

_status_of: Any = itemgetter(2)


class MergedOnly:
    """A mailbox that tells merged busy time alone and has to be asked for it."""


MERGED_ONLY = MergedOnly()


class _Odd(Exception):  # noqa: N818 -- a signal inside this module
    """The careful path found why the mailbox has no busy time."""

    def __init__(self, answer: Unanswered) -> None:
        super().__init__()
        self.answer = answer


_MALFORMED = Unanswered(Reason.MALFORMED_ANSWER)


def responses_in(payload: Element) -> list[Element]:
    """Return the responses of an answer (``GetUserAvailabilityResponse``), in the order asked.

    Raises:
        Unreadable: It is no such answer.
    """
    array = payload.find(f"{{{MESSAGES}}}FreeBusyResponseArray")
    if payload.tag != f"{{{MESSAGES}}}GetUserAvailabilityResponse":
        raise Unreadable(Reason.MALFORMED_ANSWER)
    return [] if array is None else array.findall(_RESPONSE)


def read_responses(responses: Sequence[Element]) -> list[BusyAnswer | MergedOnly]:
    """Read one answer for each response.

    Args:
        responses: The ``FreeBusyResponse`` elements of one answer.

    Returns:
        For each, busy time, a reason, or the sign that merged busy time has to be asked for.
    """
    instants = InstantCache()
    return [read_response(response, instants) for response in responses]


def read_response(response: Element, instants: InstantCache) -> BusyAnswer | MergedOnly:
    """Read one mailbox's response."""
    refused = refused_mailbox(response)
    if refused is not None:
        return refused
    view = response.find(_VIEW)
    kinds = (view.findtext(_VIEW_TYPE) or "").split() if view is not None else []  # the schema has a list here
    if _WITH_EVENTS.isdisjoint(kinds):
        return _without_events(kinds)
    return _read_events(response, instants)


def refused_mailbox(response: Element) -> Unanswered | None:
    """Return why the server refused this mailbox, if it did (``ResponseMessage`` of ``FreeBusyResponse``)."""
    try:
        refusal = refusal_in(response.find(_MESSAGE))
    except Unreadable:
        return _MALFORMED
    if refusal is None:
        return None
    return Unanswered(ruling_of(refusal.code).mailbox_reason, refusal.code)


def _without_events(kinds: Sequence[str]) -> BusyAnswer | MergedOnly:
    if kinds == ["MergedOnly"]:
        return MERGED_ONLY
    return Unanswered(Reason.NO_DATA) if kinds == ["None"] else _MALFORMED


def _read_events(response: Element, instants: InstantCache) -> BusyAnswer:
    count = int(_COUNT(response))
    if count >= MOST_APPOINTMENTS:
        return Unanswered(Reason.TOO_MANY_APPOINTMENTS)
    texts: list[str] = _TEXTS(response)
    if len(texts) == 3 * count == 3 * int(_IN_ORDER(response)):
        try:
            # Start, end and status in turn, as the schema orders them. Anything else in their place is no
            # instant or no status, or is not in order, and goes the careful way.
            starts = list(map(instants.__getitem__, texts[0::3]))
            ends = list(map(instants.__getitem__, texts[1::3]))
            occupied = list(map(statuses.ALL.__getitem__, texts[2::3]))
        except (KeyError, ValueError):
            return _read_carefully(response, instants)
        if all(map(lt, starts, ends)):
            return BusyTime(tuple(filter(_status_of, zip(starts, ends, occupied, strict=True))))  # a free one has no status
    return _read_carefully(response, instants)


def _read_carefully(response: Element, instants: InstantCache) -> BusyAnswer:
    """Read appointment by appointment, by name; free and empty ones are left out."""
    events: list[Element] = _EVENTS(response)
    intervals: list[Interval] = []
    worst: Unanswered | None = None
    for event in events:
        try:
            interval = _read_event(event, instants)
        except _Odd as odd:
            # A definite reason counts more than an unreadable appointment beside it.
            worst = odd.answer if worst is None or not worst.reason.definite else worst
            continue
        if interval is not None:
            intervals.append(interval)
    return worst or BusyTime(tuple(intervals))


def _read_event(event: Element, instants: InstantCache) -> Interval | None:
    status = read_status(event.findtext(_STATUS))
    start = instants.find(event.findtext(_START))
    end = instants.find(event.findtext(_END))
    if start is None or end is None:
        raise _Odd(_MALFORMED)
    if end < start:
        raise _Odd(Unanswered(Reason.ENDS_BEFORE_START, start.isoformat()))
    return None if status is None or start == end else (start, end, status)


def read_status(text: str | None) -> BusyStatus | None:
    """Return what a status means; ``None`` is free."""
    name = (text or "").strip()
    if name == statuses.FREE:
        return None
    if name == statuses.NO_DATA:
        raise _Odd(Unanswered(Reason.NO_DATA))
    status = statuses.BUSY.get(name)
    if status is None:
        raise _Odd(_MALFORMED)
    return status
