"""An index for the reuse key of simulations.

Revision: reports_0004
Revises: reports_0003
"""

from alembic import op

revision = "reports_0004"
down_revision = "reports_0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index_concurrently(
        "pgreprise_simulations_key",
        "on public.simulations (country_id, population_id, population_type, policy_id, id)",
    )


def downgrade() -> None:
    op.drop_index_concurrently("pgreprise_simulations_key")
