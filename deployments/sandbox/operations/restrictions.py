"""The `Restriction` of a FindItem: read once, then asked of every item."""

from __future__ import annotations

import operator
from collections.abc import Callable
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from deployments.sandbox.model import Item
from deployments.sandbox.operations.shapes import read_extended
from deployments.sandbox.soap import Element, M, OperationError, T, local_name, schema_fault
from deployments.sandbox.zones import aware, read_time

Test = Callable[[Item], bool]
Value = Callable[[Item], Any]

# What beside extended properties can be searched and sorted by.
FIELDS: dict[str, Value] = {
    "item:Subject": lambda item: item.subject,
    "item:ItemClass": lambda item: item.item_class,
    "item:DateTimeCreated": lambda item: item.created,
    "item:DateTimeReceived": lambda item: item.created,
    "calendar:Start": lambda item: item.start,
    "calendar:End": lambda item: item.end,
    "calendar:Location": lambda item: item.location,
    "calendar:LegacyFreeBusyStatus": lambda item: item.status,
}
_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "IsEqualTo": operator.eq,
    "IsNotEqualTo": operator.ne,
    "IsGreaterThan": operator.gt,
    "IsGreaterThanOrEqualTo": operator.ge,
    "IsLessThan": operator.lt,
    "IsLessThanOrEqualTo": operator.le,
}
_CONTAINMENTS: dict[str, Callable[[str, str], bool]] = {
    "FullString": operator.eq,
    "Prefixed": str.startswith,
    "Substring": operator.contains,
}


def read_restriction(element: Element, zone: ZoneInfo, *, ignore_case: bool) -> Test | None:
    """Read the restriction of a FindItem request; None if it has none.

    Args:
        element: The request.
        zone: What times without an offset mean.
        ignore_case: Whether this server compares texts without regard to case.

    Raises:
        OperationError: It uses something that this server cannot search by.
        SoapFault: It is no valid restriction.
    """
    restriction = element.find(f"{M}Restriction")
    if restriction is None:
        return None
    return _Reader(zone, ignore_case=ignore_case).only(restriction)


class _Reader:
    def __init__(self, zone: ZoneInfo, *, ignore_case: bool) -> None:
        self._zone = zone
        self._ignore_case = ignore_case

    def only(self, parent: Element) -> Test:
        if len(parent) != 1:
            raise schema_fault(f"{local_name(parent)} must hold one expression.")
        return self._read(parent[0])

    def _read(self, element: Element) -> Test:
        name = local_name(element)
        if name in {"And", "Or"}:
            parts = [self._read(one) for one in element]
            every = all if name == "And" else any
            return lambda item: every(one(item) for one in parts)
        if name == "Not":
            inner = self.only(element)
            return lambda item: not inner(item)
        if not len(element):
            raise schema_fault(f"{name} is empty or unknown.")
        if name == "Exists":
            value = field_value(element[0])
            return lambda item: value(item) is not None
        if name == "Contains":
            return self._contains(element)
        if name not in _COMPARISONS:
            raise OperationError("ErrorUnsupportedQueryFilter")
        return self._compares(element, _COMPARISONS[name])

    def _compares(self, element: Element, compare: Callable[[Any, Any], bool]) -> Test:
        value = field_value(element[0])
        constant = element.find(f"{T}FieldURIOrConstant/{T}Constant")
        if constant is None:
            raise OperationError("ErrorUnsupportedQueryFilter")
        given = constant.get("Value", "")

        def test(item: Item) -> bool:
            found = value(item)
            # What an item lacks is equal to nothing, and neither more nor less.
            if found is None:
                return compare is operator.ne
            if isinstance(found, datetime):
                return compare(found, self._moment(given))
            return compare(self._folded(found), self._folded(given))

        return test

    def _contains(self, element: Element) -> Test:
        value = field_value(element[0])
        constant = element.find(f"{T}Constant")
        contains = _CONTAINMENTS.get(element.get("ContainmentMode", "FullString"))
        if constant is None or contains is None:
            raise OperationError("ErrorUnsupportedQueryFilter")
        given = constant.get("Value", "")
        exactly = element.get("ContainmentComparison", "Exact") == "Exact" and not self._ignore_case

        def test(item: Item) -> bool:
            found = value(item)
            if not isinstance(found, str):
                return False
            return contains(found, given) if exactly else contains(found.casefold(), given.casefold())

        return test

    def _folded(self, text: str) -> str:
        return text.casefold() if self._ignore_case else text

    def _moment(self, text: str) -> datetime:
        return aware(read_time(text, what="Constant"), self._zone, what="Constant")


def field_value(path: Element) -> Value:
    """Return how to get the property of an item that a path names.

    Raises:
        OperationError: This server cannot search or sort by it.
    """
    if path.tag == f"{T}ExtendedFieldURI":
        key = read_extended(path).key
        return lambda item: item.extended.get(key)
    value = FIELDS.get(path.get("FieldURI") or "")
    if value is None:
        raise OperationError("ErrorUnsupportedPathForQuery")
    return value
