"""An index for the economy cache key.

Revision: reports_0003
Revises: reports_0002
"""

from alembic import op

revision = "reports_0003"
down_revision = "reports_0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index_concurrently(
        "pgreprise_reform_impact_key",
        "on public.reform_impact (country_id, baseline_policy_id, reform_policy_id, region, time_period, api_version)",
    )


def downgrade() -> None:
    op.drop_index_concurrently("pgreprise_reform_impact_key")
