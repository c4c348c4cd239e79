"""Merged busy time: one digit for each stretch of the window.

Digits as documented for ``MergedFreeBusy``: 0 free, 1 tentative, 2 busy, 3 out of office, 4 no data. Servers
tell "working elsewhere" as 0 in this form; nothing can be done about that here.
"""

from datetime import UTC, datetime, timedelta
from itertools import groupby

from busytime.errors import Reason
from busytime.ews.availability import MergedOnly, read_response, refused_mailbox
from busytime.ews.body import Element
from busytime.ews.envelopes import MERGED_MINUTES
from busytime.ews.soap import NAMESPACES
from busytime.ews.times import InstantCache
from busytime.model import BusyAnswer, BusyStatus, BusyTime, Interval, Unanswered, Window

_STEP = timedelta(minutes=MERGED_MINUTES)
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)

_FREE = "0"
_NO_DATA = "4"
_STATUS = {"1": BusyStatus.TENTATIVE, "2": BusyStatus.BUSY, "3": BusyStatus.OUT_OF_OFFICE}


def aligned(window: Window) -> Window:
    """Widen a window to whole stretches, so that each digit means a stretch that begins on the clock."""
    end = window.end + (_EPOCH - window.end) % _STEP
    return Window(window.start - (window.start - _EPOCH) % _STEP, end)


def read_merged_response(response: Element, window: Window) -> BusyAnswer:
    """Read a mailbox's response to a request for merged busy time.

    Args:
        response: Its ``FreeBusyResponse``.
        window: What was asked, aligned.
    """
    refused = refused_mailbox(response)
    if refused is not None:
        return refused
    answer = read_response(response, InstantCache())
    if not isinstance(answer, MergedOnly):
        return answer  # it told its appointments this time
    return decode(response.findtext("m:FreeBusyView/t:MergedFreeBusy", namespaces=NAMESPACES) or "", window)


def decode(digits: str, window: Window) -> BusyAnswer:
    """Turn digits into busy intervals, runs of one status as one interval.

    Args:
        digits: One for each ``MERGED_MINUTES`` of the window. Any other number of digits cannot be read: it
            would mean another length of stretch, or a part that is missing, and nobody can tell which.
        window: What was asked, aligned.
    """
    text = digits.strip()
    if len(text) * _STEP != window.length or not set(text) <= {_FREE, _NO_DATA, *_STATUS}:
        return Unanswered(Reason.MALFORMED_ANSWER)
    if _NO_DATA in text:
        return Unanswered(Reason.NO_DATA)
    intervals: list[Interval] = []
    start = window.start
    for digit, run in groupby(text):
        end = start + _STEP * len(list(run))
        if digit != _FREE:
            intervals.append((start, end, _STATUS[digit]))
        start = end
    return BusyTime(tuple(intervals))
