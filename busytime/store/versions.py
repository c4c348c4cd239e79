"""Which busytime a database needs whose tables are newer than the code.

It asks the views, because their names and columns stay whatever later versions do to the tables.
"""

import json
import re
from contextlib import suppress

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from busytime import __version__

#: Tag of the event that says who brought the tables to which version, and by which busytime.
UPGRADED = "person:database:upgraded"
_LAST_UPGRADE = "SELECT details FROM audit_events WHERE tag = :value ORDER BY id DESC LIMIT 1"
_LAST_RUN = "SELECT code_version FROM audit_runs WHERE schema_version = :value ORDER BY id DESC LIMIT 1"
_PLAIN = re.compile(r"\d[\w.+-]{0,39}")


def fitting_version(connection: Connection, tables: str) -> str | None:
    """Return a version of busytime that knows these tables: the one that made them so, or else the last that worked with them.

    Args:
        connection: The database.
        tables: Version of its tables.
    """
    told = (_of_last_upgrade(connection, tables), _first(connection, _LAST_RUN, tables))
    return next((it for it in told if it != __version__ and isinstance(it, str) and _PLAIN.fullmatch(it)), None)


def _of_last_upgrade(connection: Connection, tables: str) -> object:
    with suppress(ValueError, TypeError, LookupError):
        details = json.loads(_first(connection, _LAST_UPGRADE, UPGRADED) or "null")
        return details["code_version"] if details["to"] == tables else None
    return None


def _first(connection: Connection, query: str, value: str) -> str | None:
    with suppress(DBAPIError), connection.begin_nested():
        found: str | None = connection.execute(text(query), {"value": value}).scalar()
        return found
    return None
