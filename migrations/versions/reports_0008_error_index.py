"""An index of the reports that failed, for lists of them.

Revision: reports_0008
Revises: reports_0007
"""

from alembic import op

revision = "reports_0008"
down_revision = "reports_0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # By id first, as lists are, whether they are of one country or of all.
    op.create_index_concurrently(
        "pgreprise_report_outputs_error",
        "on public.report_outputs (id, country_id) where status = 'error'",
    )


def downgrade() -> None:
    op.drop_index_concurrently("pgreprise_report_outputs_error")
