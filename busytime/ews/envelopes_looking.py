"""What is sent to learn rights and to find items: the envelopes of requests that change nothing.

Each asks for ids, rights and the marker alone. No subject, place or body is ever asked for.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from busytime.errors import ConfigurationError
from busytime.ews.envelopes import (
    calendar_folder,
    carried,
    folder_fields,
    is_kept,
    item_fields,
    library_account,
    prop,
    services,
    util,
    wrap,
)
from busytime.ews.marker import key_field

#: Items in one request: Exchange takes more, and answers slowly.
MOST_ITEMS = 100


@dataclass(frozen=True, slots=True)
class Restriction:
    """A search expression, in the form that exchangelib's services take.

    The library's own way to build one needs properties that are registered for every item of the process.
    """

    expression: Any

    def to_xml(self, version: Any) -> Any:  # noqa: ARG002 -- the library's signature
        """Return the element that the request carries."""
        restriction = util.create_element("m:Restriction")
        restriction.append(self.expression)
        return restriction


def _expression(name: str, *parts: Any, **attributes: str) -> Any:
    element = util.create_element(f"t:{name}", attrs=attributes)
    element.extend(parts)
    return element


def _constant(value: str) -> Any:
    if not is_kept(value):
        raise ConfigurationError("A marker holds a control character, so nothing can be searched by it.")
    return _expression("Constant", Value=value)


def unmarked() -> Restriction:
    """Find items without a marker of any installation."""
    return Restriction(_expression("Not", _expression("Exists", key_field().to_xml())))


def marked() -> Restriction:
    """Find items with a marker of any installation."""
    return Restriction(_expression("Exists", key_field().to_xml()))


def marked_by(installation_id: str) -> Restriction:
    """Find items whose marker starts with an installation's id."""
    prefix = _constant(f"{installation_id}/")
    modes = {"ContainmentMode": "Prefixed", "ContainmentComparison": "Exact"}
    return Restriction(_expression("Contains", key_field().to_xml(), prefix, **modes))


def marked_as(marker_key: str) -> Restriction:
    """Find items with this marker; the server may ignore case."""
    value = _expression("FieldURIOrConstant", _constant(marker_key))
    return Restriction(_expression("IsEqualTo", key_field().to_xml(), value))


def of_class(prefix: str) -> Restriction:
    """Find items of a class or one below it."""
    modes = {"ContainmentMode": "Prefixed", "ContainmentComparison": "IgnoreCase"}
    (path,) = item_fields("item_class")
    return Restriction(_expression("Contains", path.to_xml(), _constant(prefix), **modes))


def get_rights(owner: str, folder_id: str | None) -> bytes:
    """Ask for the connection's effective rights in a folder, and nothing else (``GetFolder``)."""
    return _get_folder(owner, folder_id, "effective_rights")


def get_permission_list(owner: str, folder_id: str | None) -> bytes:
    """Ask for a folder's permission list, and nothing else: it may fail the whole request (``GetFolder``)."""
    return _get_folder(owner, folder_id, "permission_set")


def _get_folder(owner: str, folder_id: str | None, name: str) -> bytes:
    service = services.GetFolder(account=library_account())
    return wrap(service, service.get_payload([calendar_folder(owner, folder_id)], folder_fields(name), "IdOnly"))


def find_items(folder: Any, restriction: Restriction | None, limit: int, wanted: Sequence[Any] = (), *, offset: int = 0) -> bytes:
    """Ask for the ids of some items (``FindItem``, by page).

    Args:
        folder: As ``calendar_folder`` returns it.
        restriction: Which items; ``None`` for all.
        limit: At most so many.
        wanted: Properties that are asked for too.
        offset: Where the page starts.
    """
    service = services.FindItem(account=library_account())
    payload = service.get_payload(
        folders=[folder],
        additional_fields=wanted or None,
        restriction=restriction,
        order_fields=None,
        query_string=None,
        shape="IdOnly",
        depth="Shallow",
        calendar_view=None,
        page_size=limit,
        offset=offset,
    )
    return wrap(service, payload)


def get_item_rights(item_ids: Sequence[str]) -> bytes:
    """Ask for effective rights and marker of items, and nothing else (``GetItem``)."""
    return get_items(item_ids, [*item_fields("effective_rights"), key_field()])


def get_items(item_ids: Sequence[str], wanted: Sequence[Any]) -> bytes:
    """Ask for some properties of items (``GetItem``)."""
    service = services.GetItem(account=library_account())
    ids = [prop.ItemId(id=carried(item_id)) for item_id in item_ids]
    return wrap(service, service.get_payload(ids, wanted, "IdOnly"))
