"""An index for reports by their second simulation.

Revision: reports_0006
Revises: reports_0005
"""

from alembic import op

revision = "reports_0006"
down_revision = "reports_0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index_concurrently(
        "pgreprise_report_outputs_simulation_2",
        "on public.report_outputs (simulation_2_id) where simulation_2_id is not null",
    )


def downgrade() -> None:
    op.drop_index_concurrently("pgreprise_report_outputs_simulation_2")
