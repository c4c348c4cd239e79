"""What is sent: the envelopes of every request, built by exchangelib's service classes.

Each asks for one thing and no more fields than needed: a request for more fails for lack of rights. Folders
are addressed explicitly, with the owner's mailbox. Nothing here sends.
"""

from collections.abc import Sequence
from copy import deepcopy
from datetime import datetime, time, timedelta
from functools import lru_cache
from types import SimpleNamespace
from typing import Any

from exchangelib import ewsdatetime as _ewsdatetime
from exchangelib import fields as _fields
from exchangelib import folders as _folders
from exchangelib import items as _items
from exchangelib import properties as _properties
from exchangelib import services as _services
from lxml import etree

from busytime.errors import ConfigurationError
from busytime.ews.session import VERSION
from busytime.ews.soap import NAMESPACES
from busytime.model import Window

# exchangelib is untyped: these names stand for all that mypy cannot follow.
services: Any = _services
prop: Any = _properties
fields: Any = _fields
folders: Any = _folders
items: Any = _items
ewsdatetime: Any = _ewsdatetime

_API_VERSION = VERSION.api_version

#: The finest interval of merged busy time that the operation allows, in minutes (FreeBusyViewOptions).
MERGED_MINUTES = 5
#: How many folders come back at once.
FOLDER_PAGE = 500


def _protocol() -> Any:
    return SimpleNamespace(version=VERSION, credentials=None)


def _account() -> Any:
    # Without a time zone no TimeZoneContext goes out, and items come back in UTC.
    return SimpleNamespace(
        version=VERSION, protocol=_protocol(), default_timezone=None, access_type=None, identity=None, primary_smtp_address=None
    )


def _wrap(service: Any, payload: Any) -> bytes:
    envelope: bytes = service.wrap(payload, api_version=_API_VERSION)
    return envelope


def _instant(value: datetime) -> Any:
    # In whole seconds.
    return ewsdatetime.EWSDateTime(
        value.year, value.month, value.day, value.hour, value.minute, value.second, tzinfo=ewsdatetime.UTC
    )


def _end_of(window: Window) -> Any:
    # Rounded up, so that nothing of the window is left out.
    return _instant(window.end + timedelta(microseconds=999_999))


def _utc_zone() -> Any:
    """UTC as the schema wants a zone: both changes stated (``SerializableTimeZone``), neither changing anything."""
    change = {"bias": 0, "time": time(2), "occurrence": 5, "weekday": 7}  # the last Sunday
    return prop.TimeZone(
        bias=0, standard_time=prop.StandardTime(iso_month=10, **change), daylight_time=prop.DaylightTime(iso_month=3, **change)
    )


@lru_cache(maxsize=16)
def _availability_template(window: Window, *, merged: bool) -> bytes:
    """Build a request for one mailbox, as text: threads may not share a tree."""
    service = services.GetUserAvailability(protocol=_protocol())
    payload = service.get_payload(
        mailbox_data=[prop.MailboxData(email="owner@owner.invalid", attendee_type="Required", exclude_conflicts=False)],
        timezone=_utc_zone(),
        free_busy_view_options=prop.FreeBusyViewOptions(
            time_window=prop.TimeWindow(start=_instant(window.start), end=_end_of(window)),
            merged_free_busy_interval=MERGED_MINUTES if merged else 30,
            requested_view="FreeBusyMerged" if merged else "FreeBusy",
        ),
    )
    template: bytes = etree.tostring(payload)
    return template


def availability(owners: Sequence[str], window: Window, *, merged: bool = False) -> bytes:
    """Ask for busy time without details (``GetUserAvailability``), in UTC.

    The library builds one mailbox's request, once for a window; its element is copied for each owner. Letting
    it build all of them takes as long as reading the whole answer.

    Args:
        owners: At least one address.
        window: What to read.
        merged: Ask for ``FreeBusyMerged`` instead of ``FreeBusy``.

    Raises:
        ConfigurationError: An address holds a character that no request can carry.
    """
    payload: Any = etree.fromstring(_availability_template(window, merged=merged))
    array = payload.find("m:MailboxDataArray", namespaces=NAMESPACES)
    template = array[0]
    array.remove(template)
    for owner in owners:
        mailbox = deepcopy(template)
        mailbox[0][0].text = _carried(owner)  # Email/Address, the first of the first
        array.append(mailbox)
    return _wrap(services.GetUserAvailability(protocol=_protocol()), payload)


def _carried(name: str) -> str:
    # XML has no way to write a control character: lxml fails on one, and exchangelib sends another in its stead.
    if name.isprintable():
        return name
    raise ConfigurationError("An address or folder id holds a control character; correct the roster.")


def _folder(distinguished: str, owner: str) -> Any:
    return prop.DistinguishedFolderId(id=distinguished, mailbox=prop.Mailbox(email_address=_carried(owner)))


def _folder_fields(*names: str) -> list[Any]:
    return [fields.FieldPath(field=folders.Calendar.get_field_by_fieldname(name)) for name in names]


def get_own_calendar(account: str) -> bytes:
    """Ask for the id of the connection's own calendar, and nothing else (``GetFolder``)."""
    service = services.GetFolder(account=_account())
    return _wrap(service, service.get_payload([_folder("calendar", account)], None, "IdOnly"))


def get_calendar(owner: str) -> bytes:
    """Ask for the id, name and parent of an owner's default calendar (``GetFolder``)."""
    service = services.GetFolder(account=_account())
    return _wrap(service, service.get_payload([_folder("calendar", owner)], _folder_fields("name", "parent_folder_id"), "IdOnly"))


def find_folders(distinguished: str, owner: str, offset: int) -> bytes:
    """Ask for one page of all folders below one (``FindFolder``, deep).

    Args:
        distinguished: ``calendar`` or ``msgfolderroot``.
        owner: Whose.
        offset: Where the page starts.
    """
    service = services.FindFolder(account=_account())
    wanted = _folder_fields("name", "parent_folder_id", "folder_class")
    parent = [_folder(distinguished, owner)]
    return _wrap(service, service.get_payload(parent, wanted, None, "IdOnly", "Deep", FOLDER_PAGE, offset))


def calendar_view(folder_id: str, window: Window) -> bytes:
    """Ask for the busy time of one folder, recurrences expanded (``FindItem`` with ``CalendarView``)."""
    service = services.FindItem(account=_account())
    names = ("start", "end", "legacy_free_busy_status", "is_cancelled")
    wanted = [fields.FieldPath(field=items.CalendarItem.get_field_by_fieldname(name)) for name in names]
    view = prop.CalendarView(start=_instant(window.start), end=_end_of(window))
    payload = service.get_payload(
        folders=[prop.FolderId(id=_carried(folder_id))],
        additional_fields=wanted,
        restriction=None,
        order_fields=None,
        query_string=None,
        shape="IdOnly",
        depth="Shallow",
        calendar_view=view,
        page_size=None,
    )
    return _wrap(service, payload)
