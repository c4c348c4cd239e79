"""Where the database lives, so that one that was restored from a backup is noticed at once."""

import sqlalchemy as sa
from alembic import op

from busytime.store.types import UtcTime


revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_WAS = "When (UTC) calendars were found to hold entries that these tables have forgotten."
_IS = "When (UTC) the database was found to be restored: calendars may hold more."


def upgrade() -> None:
    """Apply the change."""
    place = "Where the database lives; one that finds itself elsewhere was restored from a backup."
    op.add_column("installation", sa.Column("lives_at", sa.Text(), nullable=True, comment=place))
    _comment(_IS, _WAS)


def downgrade() -> None:
    """Take the change back."""
    op.drop_column("installation", "lives_at")
    _comment(_WAS, _IS)


def _comment(comment: str, before: str) -> None:
    if op.get_bind().dialect.name == "postgresql":  # SQLite keeps none
        op.alter_column("installation", "restored_at", existing_type=UtcTime(), comment=comment, existing_comment=before)
