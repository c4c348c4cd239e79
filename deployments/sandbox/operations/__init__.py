"""The operations this server knows, by name. A new one is a function and a line here."""

from __future__ import annotations

from collections.abc import Callable

from ..soap import Element
from .availability import get_user_availability
from .context import Context
from .folders import find_folder, get_folder
from .items import find_item, get_item
from .names import convert_id, get_server_time_zones, resolve_names

Operation = Callable[[Context, Element], bytes]

OPERATIONS: dict[str, Operation] = {
    "GetUserAvailability": get_user_availability,
    "GetFolder": get_folder,
    "FindFolder": find_folder,
    "FindItem": find_item,
    "GetItem": get_item,
    "ResolveNames": resolve_names,
    "ConvertId": convert_id,
    "GetServerTimeZones": get_server_time_zones,
}
