"""The operations this server knows, by name. A new one is a function and a line here."""

from __future__ import annotations

from collections.abc import Callable

from deployments.sandbox.operations.availability import get_user_availability
from deployments.sandbox.operations.context import Context
from deployments.sandbox.operations.finding import find_item
from deployments.sandbox.operations.folders import find_folder, get_folder
from deployments.sandbox.operations.items import get_item
from deployments.sandbox.operations.names import convert_id, get_server_time_zones, resolve_names
from deployments.sandbox.operations.permissions import get_delegate
from deployments.sandbox.operations.updating import update_item
from deployments.sandbox.operations.writing import create_item, delete_item
from deployments.sandbox.soap import Element

Operation = Callable[[Context, Element], bytes]

OPERATIONS: dict[str, Operation] = {
    "GetUserAvailability": get_user_availability,
    "GetFolder": get_folder,
    "FindFolder": find_folder,
    "FindItem": find_item,
    "GetItem": get_item,
    "CreateItem": create_item,
    "UpdateItem": update_item,
    "DeleteItem": delete_item,
    "GetDelegate": get_delegate,
    "ResolveNames": resolve_names,
    "ConvertId": convert_id,
    "GetServerTimeZones": get_server_time_zones,
}
