"""Folder and item ids, and change keys, as opaque as Exchange's own.

An id carries its mailbox, so that whoever holds it can address the object without naming the
owner. It is stable for the life of the object and compares exactly, upper and lower case apart.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass

_FOLDER_MARK = b"\x00\x03."
_CHANGE_KEY_BYTES = 13
_ITEM_MARK = b"\x00\x03$"


@dataclass(frozen=True, slots=True)
class ItemKey:
    """Where an item is: mailbox, its number there, and the occurrence's start (UTC seconds)."""

    mailbox: str
    number: int
    occurrence: int | None = None


def _pack(mark: bytes, *parts: str) -> str:
    return base64.urlsafe_b64encode(mark + "\x1f".join(parts).encode()).decode()


def _unpack(mark: bytes, text: str, count: int) -> list[str] | None:
    try:
        raw = base64.b64decode(text.encode("ascii"), altchars=b"-_", validate=True)
        parts = raw.removeprefix(mark).decode().split("\x1f")
    except (UnicodeError, binascii.Error):
        return None
    return parts if raw.startswith(mark) and len(parts) == count else None


def folder_id(mailbox: str, number: int) -> str:
    """Return the id of a folder."""
    return _pack(_FOLDER_MARK, mailbox, str(number))


def read_folder_id(text: str) -> tuple[str, int] | None:
    """Return mailbox and number of a folder id, or None if it is none of ours."""
    parts = _unpack(_FOLDER_MARK, text, 2)
    if parts is None or not parts[1].isdecimal():
        return None
    return parts[0], int(parts[1])


def item_id(key: ItemKey) -> str:
    """Return the id of an item or of one occurrence."""
    occurrence = "" if key.occurrence is None else str(key.occurrence)
    return _pack(_ITEM_MARK, key.mailbox, str(key.number), occurrence)


def read_item_id(text: str) -> ItemKey | None:
    """Return what an item id names, or None if it is none of ours."""
    parts = _unpack(_ITEM_MARK, text, 3)
    if parts is None:
        return None
    try:
        return ItemKey(parts[0], int(parts[1]), int(parts[2]) if parts[2] else None)
    except ValueError:
        return None


def is_change_key(text: str) -> bool:
    """Tell whether a text has the form of a change key."""
    try:
        return len(base64.b64decode(text.encode("ascii"), validate=True)) == _CHANGE_KEY_BYTES
    except (UnicodeError, binascii.Error):
        return False


def change_key(number: int) -> str:
    """Return the change key of an object's n-th state."""
    return base64.b64encode(b"\x00" * 4 + b"\x16" + number.to_bytes(8, "big")).decode()
