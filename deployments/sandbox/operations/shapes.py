"""Response shapes: which properties a request asked for, and only those are answered."""

from __future__ import annotations

import re
from dataclasses import dataclass

from deployments.sandbox.rights import EffectiveRights
from deployments.sandbox.soap import Element, M, T, attribute, child_text, schema_fault, text

ExtendedKey = tuple[str, str]
_GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
# Well-known property sets can be named in two ways.
_SETS = {
    "Appointment": "00062002-0000-0000-c000-000000000046",
    "Common": "00062008-0000-0000-c000-000000000046",
    "InternetHeaders": "00020386-0000-0000-c000-000000000046",
    "Meeting": "6ed8da90-450b-101b-98da-00aa003f1305",
    "PublicStrings": "00020329-0000-0000-c000-000000000046",
    "Sharing": "00062040-0000-0000-c000-000000000046",
}


@dataclass(frozen=True, slots=True)
class ExtendedField:
    """An extended property that was asked for: its key, and its path as it was written."""

    key: ExtendedKey
    attributes: tuple[tuple[str, str], ...]

    def xml(self, value: str) -> str:
        """Return the property with its value."""
        path = " ".join(f"{name}={attribute(value)}" for name, value in self.attributes)
        return f"<t:ExtendedProperty><t:ExtendedFieldURI {path}/><t:Value>{text(value)}</t:Value></t:ExtendedProperty>"


@dataclass(frozen=True, slots=True)
class Shape:
    """The base shape and what was asked for beside it."""

    base: str
    fields: frozenset[str]
    extended: tuple[ExtendedField, ...]

    def wants(self, field: str, default: frozenset[str], *, costly: bool = False) -> bool:
        """Tell whether a property belongs into the answer.

        Args:
            field: The property's name, like `calendar:Start`.
            default: What the shape `Default` holds.
            costly: Whether even `AllProperties` leaves it out.
        """
        if field in self.fields:
            return True
        if self.base == "AllProperties":
            return not costly
        return self.base == "Default" and field in default

    def extended_xml(self, stored: dict[ExtendedKey, str]) -> list[str]:
        """Render the extended properties that were asked for and are there."""
        return [one.xml(stored[one.key]) for one in self.extended if one.key in stored]


def read_shape(element: Element, name: str) -> Shape:
    """Read an ItemShape or FolderShape.

    Raises:
        SoapFault: It is missing or its base shape is unknown.
    """
    shape = element.find(f"{M}{name}")
    base = None if shape is None else child_text(shape, f"{T}BaseShape")
    if shape is None or base not in {"IdOnly", "Default", "AllProperties"}:
        raise schema_fault(f"{name} is missing or its BaseShape is unknown.")
    fields = set()
    extended = []
    for path in shape.findall(f"{T}AdditionalProperties/*"):
        if path.tag == f"{T}FieldURI":
            fields.add(path.get("FieldURI") or "")
        elif path.tag == f"{T}ExtendedFieldURI":
            extended.append(read_extended(path))
    return Shape(base, frozenset(fields), tuple(extended))


def read_extended(path: Element) -> ExtendedField:
    """Read an ExtendedFieldURI.

    Raises:
        SoapFault: It has no type, or a property set that is none.
    """
    given = {str(name): str(value) for name, value in path.attrib.items()}
    if "PropertyType" not in given:
        raise schema_fault("ExtendedFieldURI needs a PropertyType.")
    if not _GUID.fullmatch(given.get("PropertySetId", _SETS["Sharing"])):
        raise schema_fault("PropertySetId is not a GUID.")
    return ExtendedField(extended_key(given), tuple(given.items()))


def extended_key(path: dict[str, str]) -> ExtendedKey:
    """Return under which key an item keeps an extended property."""
    if "PropertyTag" in path:
        return "tag", path["PropertyTag"].lower()
    known = path.get("DistinguishedPropertySetId", "")
    owner = path.get("PropertySetId") or _SETS.get(known, known)
    return owner.lower(), (path.get("PropertyName") or path.get("PropertyId") or "").lower()


def rights_xml(rights: EffectiveRights) -> str:
    """Render EffectiveRights."""
    parts = [f"<t:{name}>{str(value).lower()}</t:{name}>" for name, value in rights.items()]
    return f"<t:EffectiveRights>{''.join(parts)}</t:EffectiveRights>"
