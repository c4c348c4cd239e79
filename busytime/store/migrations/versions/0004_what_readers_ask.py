"""Indexes for what readers ask of the audit, and the view of requests, which the upgrade makes with the others."""

from alembic import op
import sqlalchemy as sa


revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_CLOSED = sa.text("closed_run_id IS NOT NULL")
_INDEXES = (
    ("busy_intervals", ("calendar_id", "ends_at"), None),
    ("busy_intervals", ("valid_to",), None),
    ("busy_intervals", ("opened_run_id",), None),
    ("busy_intervals", ("closed_run_id",), _CLOSED),
    ("coverage", ("calendar_id", "valid_from"), None),
    ("coverage", ("valid_to",), None),
    ("coverage", ("opened_run_id",), None),
    ("coverage", ("closed_run_id",), _CLOSED),
    ("steps", ("finished_at",), None),
    ("events", ("at",), None),
    ("changes", ("finished_at",), None),
    ("changes", ("booking_key",), None),
)


def _name(table: str, columns: tuple[str, ...]) -> str:
    return f"ix_{table}_{'_'.join(columns)}"


def upgrade() -> None:
    """Apply the change."""
    for table, columns, rows in _INDEXES:
        op.create_index(_name(table, columns), table, list(columns), sqlite_where=rows, postgresql_where=rows)


def downgrade() -> None:
    """Take the change back."""
    for table, columns, _ in reversed(_INDEXES):
        op.drop_index(_name(table, columns), table_name=table)
