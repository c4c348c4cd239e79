"""Who may read the views (PostgreSQL): they are made anew by each upgrade, and whoever could read one goes on doing so."""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Connection, text

_GRANTED = text(
    """
    SELECT c.relname, coalesce(quote_ident(r.rolname), 'PUBLIC') AS grantee, a.privilege_type, a.is_grantable
    FROM pg_class c CROSS JOIN LATERAL aclexplode(c.relacl) a LEFT JOIN pg_roles r ON r.oid = a.grantee
    WHERE c.relkind = 'v' AND c.relnamespace = current_schema()::regnamespace AND c.relname = ANY(:views)
        AND a.grantee <> c.relowner
    """
)


def granted_on(connection: Connection, views: Collection[str]) -> Sequence[Any]:
    """Return what others than their owner may do with views."""
    if connection.dialect.name != "postgresql":
        return []
    return connection.execute(_GRANTED, {"views": list(views)}).all()


def grant_again(connection: Connection, granted: Sequence[Any], views: Collection[str]) -> None:
    """Grant what was granted before, on the views that there still are."""
    for view, grantee, privilege, grantable in granted:
        if view in views:
            passing_on = " WITH GRANT OPTION" if grantable else ""
            connection.execute(text(f"GRANT {privilege} ON {view} TO {grantee}{passing_on}"))
