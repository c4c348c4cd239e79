"""Folder paths: `/` between names, `..` for the folder above, `?2` for the second of one name."""

from __future__ import annotations

import re

from deployments.sandbox.model import Folder, Mailbox


def split_path(path: str) -> list[str]:
    r"""Split a folder path at `/`, leaving `\/` alone."""
    parts = re.split(r"(?<!\\)/", path.strip()) if path.strip() else []
    return [part.replace("\\/", "/") for part in parts]


def join_path(names: list[str]) -> str:
    r"""Put a folder path together again."""
    return "/".join(name.replace("/", "\\/") for name in names)


def plain(name: str) -> str:
    """Drop the `?2` that tells calendars of one name apart."""
    return re.sub(r"\?\d+$", "", name)


def step(mailbox: Mailbox, folder: Folder, name: str) -> Folder | None:
    """Return the folder that one name of a path leads to."""
    if name == "..":
        return folder.parent
    match = re.search(r"\?(\d+)$", name)
    position = int(match[1]) if match else 1
    named = [one for one in mailbox.children(folder, deep=False) if one.name == plain(name)]
    return named[position - 1] if 1 <= position <= len(named) else None
