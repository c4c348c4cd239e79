"""The proof of a right by doing: one marked item is created, changed and removed in an owner's calendar.

It is free, without a reminder, without anybody invited, and on a day long past. Nothing is ever touched that
does not carry exactly the probe's marker.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from busytime.bookings import ItemName
from busytime.errors import FolderNotFoundError, PermissionMissingError, Reason, SkippableError
from busytime.ews.envelopes import instant
from busytime.ews.failures import make_error
from busytime.ews.finding import find_marked_as
from busytime.ews.marker import Entry
from busytime.ews.writing import Place

#: What an owner reads who opens the item in the second that it is there.
SUBJECT = "busytime permission check"

_DAY = datetime(2020, 1, 2, 12, tzinfo=UTC)


def probe_write(place: Place, marker_key: str) -> None:
    """Create, change and remove one item; what a killed probe left is removed first.

    Args:
        place: Where.
        marker_key: The probe's own marker, under which no booking is ever kept.

    Raises:
        PermissionMissingError: The server denied one of the three. What was created is removed if possible.
        AmbiguousWriteError: An answer was lost; the next probe removes what may be left.
    """
    left = find_marked_as(place.transport, place.request.what, place.owner, place.folder_id, marker_key)
    if left:
        place.remove([item.item_id for item in left])
    item = place.create(_entry(marker_key, hours=1))
    denied = _denied(partial(_change, place, item, marker_key))
    # Removed whatever became of the change; the change that was denied is the one to tell of.
    failure = _denied(partial(place.remove, [item.item_id]))
    if denied is not None or failure is not None:
        raise denied or failure  # type: ignore[misc]  # one of them is there


def _denied(step: Callable[[], None]) -> SkippableError | None:
    try:
        step()
    except SkippableError as error:
        return error
    return None


def _change(place: Place, item: ItemName, marker_key: str) -> None:
    try:
        place.change(item, _entry(marker_key, hours=2), ["end"])
    except FolderNotFoundError as error:
        # It was there a moment ago: the server hides what the connection may not touch.
        failure = make_error(PermissionMissingError, Reason.NO_ACCESS, place.request, detail=error.detail)
    else:
        return
    raise failure


def _entry(marker_key: str, *, hours: int) -> Any:
    return Entry(
        subject=SUBJECT,
        start=instant(_DAY),
        end=instant(_DAY + timedelta(hours=hours)),
        legacy_free_busy_status="Free",
        reminder_is_set=False,
        busytime_key=marker_key,
        busytime_revision="1",
    )
