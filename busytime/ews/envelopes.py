"""What is sent: the envelopes of every request, built by exchangelib's service classes.

Each asks for one thing and no more fields than needed: a request for more fails for lack of rights. Folders
are addressed explicitly, with the owner's mailbox. Nothing here sends.
"""

import re
from collections.abc import Sequence
from copy import deepcopy
from datetime import datetime, time, timedelta
from functools import lru_cache
from types import SimpleNamespace
from typing import Any

from exchangelib import ewsdatetime as _ewsdatetime
from exchangelib import extended_properties as _extended_properties
from exchangelib import fields as _fields
from exchangelib import folders as _folders
from exchangelib import items as _items
from exchangelib import properties as _properties
from exchangelib import services as _services
from exchangelib import util as _util
from exchangelib import version as _version
from lxml import etree

from busytime.errors import ConfigurationError
from busytime.ews.soap import NAMESPACES, TYPES
from busytime.model import Window

# exchangelib is untyped: these names stand for all that mypy cannot follow.
services: Any = _services
prop: Any = _properties
fields: Any = _fields
folders: Any = _folders
items: Any = _items
ewsdatetime: Any = _ewsdatetime
ewsextended: Any = _extended_properties
util: Any = _util

_versions: Any = _version
#: The version named in each request. Older ones do not know the status "working elsewhere"; newer ones are
#: not in the schema, and servers that only speak this one exist.
VERSION: Any = _versions.Version(build=_versions.EXCHANGE_2013_SP1)
_API_VERSION = VERSION.api_version

#: Blanks that attributes do not keep, and halves of characters.
_UNKEPT = re.compile("[\t\n\r\ud800-\udfff]")

#: The finest interval of merged busy time that the operation allows, in minutes (FreeBusyViewOptions).
MERGED_MINUTES = 5
#: What Windows calls it.
UTC_ZONE = "UTC"
#: How many folders come back at once.
FOLDER_PAGE = 500


def library_protocol() -> Any:
    """Return what exchangelib's services need of a protocol to build a request."""
    return SimpleNamespace(version=VERSION, credentials=None)


def library_account() -> Any:
    """Return what exchangelib's services need of an account to build a request."""
    # Without a time zone no TimeZoneContext goes out, and items come back in UTC.
    return SimpleNamespace(
        version=VERSION,
        protocol=library_protocol(),
        default_timezone=None,
        access_type=None,
        identity=None,
        primary_smtp_address=None,
    )


def wrap(service: Any, payload: Any) -> bytes:
    """Put a payload into the envelope that is sent."""
    envelope: bytes = service.wrap(payload, api_version=_API_VERSION)
    return envelope


def impersonating(envelope: bytes, address: str) -> bytes:
    """Add to an envelope as which mailbox an application acts (``ExchangeImpersonation``).

    Args:
        envelope: As ``wrap`` returns it.
        address: The mailbox's primary address.
    """
    root: Any = etree.fromstring(envelope)
    header = root.find("s:Header", namespaces=NAMESPACES)
    acting = etree.SubElement(header, f"{{{TYPES}}}ExchangeImpersonation")
    identity = etree.SubElement(acting, f"{{{TYPES}}}ConnectingSID")
    etree.SubElement(identity, f"{{{TYPES}}}PrimarySmtpAddress").text = carried(address)
    changed: bytes = etree.tostring(root, encoding="utf-8", xml_declaration=True)
    return changed


def instant(value: datetime) -> Any:
    """Return an instant as exchangelib writes it, in whole seconds."""
    return ewsdatetime.EWSDateTime(
        value.year, value.month, value.day, value.hour, value.minute, value.second, tzinfo=ewsdatetime.UTC
    )


def _end_of(window: Window) -> Any:
    # Rounded up, so that nothing of the window is left out.
    return instant(window.end + timedelta(microseconds=999_999))


def _utc_zone() -> Any:
    """UTC as the schema wants a zone: both changes stated (``SerializableTimeZone``), neither changing anything."""
    change = {"bias": 0, "time": time(2), "occurrence": 5, "weekday": 7}  # the last Sunday
    return prop.TimeZone(
        bias=0, standard_time=prop.StandardTime(iso_month=10, **change), daylight_time=prop.DaylightTime(iso_month=3, **change)
    )


@lru_cache(maxsize=16)
def _availability_template(window: Window, *, merged: bool) -> bytes:
    """Build a request for one mailbox, as text: threads may not share a tree."""
    service = services.GetUserAvailability(protocol=library_protocol())
    payload = service.get_payload(
        mailbox_data=[prop.MailboxData(email="owner@owner.invalid", attendee_type="Required", exclude_conflicts=False)],
        timezone=_utc_zone(),
        free_busy_view_options=prop.FreeBusyViewOptions(
            time_window=prop.TimeWindow(start=instant(window.start), end=_end_of(window)),
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
        mailbox[0][0].text = carried(owner)  # Email/Address, the first of the first
        array.append(mailbox)
    return wrap(services.GetUserAvailability(protocol=library_protocol()), payload)


def carried(name: str) -> str:
    """Return a name that a request can carry.

    Raises:
        ConfigurationError: It holds a control character.
    """
    # XML has no way to write a control character: lxml fails on one, and exchangelib sends another in its stead.
    if name.isprintable():
        return name
    raise ConfigurationError("An address or folder id holds a control character; correct the roster.")


def is_kept(text: str) -> bool:
    """Tell whether a request carries a text exactly as it is, in elements and in attributes."""
    # exchangelib sends a question mark for what it takes for illegal; a parser makes blanks of tabs in an attribute.
    return str(util.safe_xml_value(text)) == text and not _UNKEPT.search(text)


def distinguished_folder(distinguished: str, owner: str) -> Any:
    """Address a well-known folder explicitly, with its owner's mailbox."""
    return prop.DistinguishedFolderId(id=distinguished, mailbox=prop.Mailbox(email_address=carried(owner)))


def calendar_folder(owner: str, folder_id: str | None) -> Any:
    """Address a folder by its id, or an owner's default calendar explicitly, with the owner's mailbox."""
    return distinguished_folder("calendar", owner) if folder_id is None else prop.FolderId(id=carried(folder_id))


def folder_fields(*names: str) -> list[Any]:
    """Return properties of a calendar folder that are asked for."""
    return [fields.FieldPath(field=folders.Calendar.get_field_by_fieldname(name)) for name in names]


def item_fields(*names: str) -> list[Any]:
    """Return properties of a calendar item that are asked for."""
    return [fields.FieldPath(field=items.CalendarItem.get_field_by_fieldname(name)) for name in names]


def windows_zone(name: str) -> Any:
    """Return a time zone as exchangelib writes it.

    Args:
        name: From the IANA database; UTC stands in for one that Windows has no name for.
    """
    windows_name, *_ = ewsdatetime.EWSTimeZone.IANA_TO_MS_MAP.get(name, (UTC_ZONE,))
    # By its Windows name, because the map knows some names that the database of this machine may lack.
    return ewsdatetime.EWSTimeZone.from_ms_id(windows_name)


def get_own_calendar(account: str) -> bytes:
    """Ask for the id of the connection's own calendar, and nothing else (``GetFolder``)."""
    service = services.GetFolder(account=library_account())
    return wrap(service, service.get_payload([distinguished_folder("calendar", account)], None, "IdOnly"))


def get_distinguished(distinguished: str, owner: str) -> bytes:
    """Ask for the id, name and parent of one of an owner's well-known folders (``GetFolder``).

    Args:
        distinguished: ``calendar`` or ``msgfolderroot``.
        owner: Whose.
    """
    service = services.GetFolder(account=library_account())
    folder = distinguished_folder(distinguished, owner)
    return wrap(service, service.get_payload([folder], folder_fields("name", "parent_folder_id"), "IdOnly"))


def find_folders(distinguished: str, owner: str, offset: int) -> bytes:
    """Ask for one page of all folders below one (``FindFolder``, deep).

    Args:
        distinguished: ``calendar`` or ``msgfolderroot``.
        owner: Whose.
        offset: Where the page starts.
    """
    service = services.FindFolder(account=library_account())
    wanted = folder_fields("name", "parent_folder_id", "folder_class")
    parent = [distinguished_folder(distinguished, owner)]
    return wrap(service, service.get_payload(parent, wanted, None, "IdOnly", "Deep", FOLDER_PAGE, offset))


def calendar_view(folder: Any, window: Window, more: Sequence[Any] = ()) -> bytes:
    """Ask for the busy time of one folder, recurrences expanded (``FindItem`` with ``CalendarView``).

    Args:
        folder: As ``calendar_folder`` returns it.
        window: What to read.
        more: Properties that are asked for beside times and status.
    """
    service = services.FindItem(account=library_account())
    wanted = [*item_fields("start", "end", "legacy_free_busy_status", "is_cancelled"), *more]
    view = prop.CalendarView(start=instant(window.start), end=_end_of(window))
    payload = service.get_payload(
        folders=[folder],
        additional_fields=wanted,
        restriction=None,
        order_fields=None,
        query_string=None,
        shape="IdOnly",
        depth="Shallow",
        calendar_view=view,
        page_size=None,
    )
    return wrap(service, payload)
