"""When a booking's texts were taken out, and indexes by which what is old is found."""

from alembic import op
import sqlalchemy as sa

from busytime.store.types import UtcTime


revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_WRITTEN = sa.text("blanked_at IS NULL")
_TARGET = "What it worked on: a batch''s number or a connection''s id, never an address."
_LONGER_TARGET = "What it worked on: a batch''s number, a connection''s id or a table''s name, never an address."


def _describe_target(comment: str) -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute(f"COMMENT ON COLUMN steps.target IS '{comment}'")


def upgrade() -> None:
    """Apply the change."""
    op.add_column(
        "bookings",
        sa.Column(
            "blanked_at",
            UtcTime(),
            nullable=True,
            comment="When (UTC) title, place, text and guests were taken out; NULL = they were not.",
        ),
    )
    op.create_index("ix_bookings_written", "bookings", ["ends_at"], sqlite_where=_WRITTEN, postgresql_where=_WRITTEN)
    op.create_index("ix_permissions_valid_to", "permissions", ["valid_to"])
    _describe_target(_LONGER_TARGET)


def downgrade() -> None:
    """Take the change back; what was taken out of bookings does not come back."""
    _describe_target(_TARGET)
    op.drop_index("ix_permissions_valid_to", table_name="permissions")
    op.drop_index("ix_bookings_written", table_name="bookings", sqlite_where=_WRITTEN, postgresql_where=_WRITTEN)
    op.drop_column("bookings", "blanked_at")
