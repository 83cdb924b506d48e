"""An index for the reuse key of reports, and of reports by their first simulation.

Revision: reports_0005
Revises: reports_0004
"""

from alembic import op

revision = "reports_0005"
down_revision = "reports_0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index_concurrently(
        "pgreprise_report_outputs_key",
        "on public.report_outputs (simulation_1_id, simulation_2_id, year, api_version, country_id, id)",
    )


def downgrade() -> None:
    op.drop_index_concurrently("pgreprise_report_outputs_key")
