"""An index for the emissions of an entry.

Revision: carbon_0004
Revises: carbon_0003
"""

from alembic import op

revision = "carbon_0004"
down_revision = "carbon_0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index_concurrently(
        "pgreprise_data_entry_emissions_entry", "on public.data_entry_emissions (data_entry_id)"
    )


def downgrade() -> None:
    op.drop_index_concurrently("pgreprise_data_entry_emissions_entry")
