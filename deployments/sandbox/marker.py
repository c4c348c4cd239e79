"""The marker that makes an item the product's own, as this server repeats it.

The product writes it down in `docs/marker.md`. It is repeated here, not imported, so that an error
in one place cannot hide the same error in the other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from deployments.sandbox.model import Item

PROPERTY_SET = "b7f3a1c2-5d84-4e6b-9a0f-3c1de2975a48"
# As items keep extended properties: property set and name in lower case.
KEY = (PROPERTY_SET, "busytimekey")
REVISION = (PROPERTY_SET, "busytimerevision")


def booking_key(item: Item) -> str | None:
    """Return the part of an item's marker after the installation, None if it has none."""
    return item.extended.get(KEY, "").partition("/")[2] or None
