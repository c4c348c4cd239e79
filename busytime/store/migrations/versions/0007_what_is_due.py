"""What a push has looked at, so that what is new can be told by one query."""

import sqlalchemy as sa
from alembic import op

from busytime.store.types import Key, UtcTime


revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the change."""
    op.create_table(
        "looks",
        sa.Column("name", sa.Text(), nullable=False, comment="Who looks: push."),
        sa.Column(
            "looked_at",
            UtcTime(),
            nullable=False,
            comment="Instant (UTC) of the last look; what changed since then is new.",
        ),
        sa.Column("booking_id", Key, nullable=False, comment="Newest row of bookings that it saw."),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_looks")),
        comment="What was seen by the last look for work; a look that finds nothing leaves no other trace.",
    )


def downgrade() -> None:
    """Take the change back."""
    op.drop_table("looks")
