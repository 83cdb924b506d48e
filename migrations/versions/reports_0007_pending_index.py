"""An index of the pending reports, for workers that claim them. It keeps away from finished ones.

Revision: reports_0007
Revises: reports_0006
"""

from alembic import op

revision = "reports_0007"
down_revision = "reports_0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index_concurrently(
        "pgreprise_report_outputs_pending",
        "on public.report_outputs (country_id, id) where status = 'pending'",
    )


def downgrade() -> None:
    op.drop_index_concurrently("pgreprise_report_outputs_pending")
