"""An index for the entries of a module.

Revision: carbon_0003
Revises: carbon_0002
"""

from alembic import op

revision = "carbon_0003"
down_revision = "carbon_0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index_concurrently(
        "pgreprise_data_entries_module", "on public.data_entries (carbon_report_module_id, data_entry_type_id, id)"
    )


def downgrade() -> None:
    op.drop_index_concurrently("pgreprise_data_entries_module")
