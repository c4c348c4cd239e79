"""The marker that makes a calendar item ours (docs/marker.md): its two properties, and items that carry them.

The same building blocks serve every entry that is written, found again or looked at.
"""

from typing import Any

from busytime.ews.body import Element
from busytime.ews.envelopes import ewsextended, fields, items
from busytime.ews.soap import TYPES

#: Our own property set; written down in docs/marker.md.
PROPERTY_SET = "b7f3a1c2-5d84-4e6b-9a0f-3c1de2975a48"
KEY = "BusytimeKey"
REVISION = "BusytimeRevision"

_PROPERTY = f"{{{TYPES}}}ExtendedProperty"
_FIELD = f"{{{TYPES}}}ExtendedFieldURI"
_VALUE = f"{{{TYPES}}}Value"


class BusytimeKey(ewsextended.ExtendedProperty):  # type: ignore[misc]  # an untyped base
    """`INSTALLATION/BOOKING-KEY` of an entry."""

    property_set_id = PROPERTY_SET
    property_name = KEY
    property_type = "String"


class BusytimeRevision(ewsextended.ExtendedProperty):  # type: ignore[misc]  # an untyped base
    """The booking's revision that was written last, as decimal digits."""

    property_set_id = PROPERTY_SET
    property_name = REVISION
    property_type = "String"


class Entry(items.CalendarItem):  # type: ignore[misc]  # an untyped base
    """A calendar item with our marker.

    A class of its own: registering properties changes a class, and the library's own is everybody's.
    """

    ELEMENT_NAME = "CalendarItem"
    FIELDS = items.CalendarItem.FIELDS.copy()


# Put in by the library where the schema wants them; an order of its own fails at the server.
Entry.register("busytime_revision", BusytimeRevision)
Entry.register("busytime_key", BusytimeKey)


def key_field() -> Any:
    """Return the key as a property to ask for or to search by."""
    return as_field(BusytimeKey)


def key_of(item: Element) -> str | None:
    """Return the key that an item in an answer carries, exactly as it stands there."""
    return property_of(item, BusytimeKey)


def as_field(kind: Any) -> Any:
    """Return a property of a class of its own as one to ask for or to search by."""
    return fields.FieldPath(field=fields.ExtendedPropertyField(kind.__name__, value_cls=kind))


def property_of(thing: Element, kind: Any) -> str | None:
    """Return the text of a property that an item or folder in an answer carries; ``None`` where it has none.

    Servers may write names and sets in another case than they were given, and a well-known set by its id.
    """
    for carried in thing.iterfind(_PROPERTY):
        field = carried.find(_FIELD)
        if field is not None and _names(field) == _own_names(kind):
            return carried.findtext(_VALUE) or ""
    return None


def _names(field: Element) -> tuple[str, str]:
    owner = field.get("PropertySetId") or _set_id(field.get("DistinguishedPropertySetId", ""))
    return owner.lower(), (field.get("PropertyName") or field.get("PropertyId") or "").lower()


def _own_names(kind: Any) -> tuple[str, str]:
    owner = kind.property_set_id or _set_id(kind.distinguished_property_set_id)
    return owner.lower(), str(kind.property_name or kind.property_id).lower()


def _set_id(name: str) -> str:
    known: dict[str, str] = ewsextended.ExtendedProperty.DISTINGUISHED_SET_NAME_TO_ID_MAP
    return known.get(name, name)
