"""The constraints uq_carbon_projects_unit_type and uq_carbon_reports_project_year.

Revision: carbon_0002
Revises: carbon_0001
"""

from alembic import op

revision = "carbon_0002"
down_revision = "carbon_0001"
branch_labels = None
depends_on = None
# A database that holds duplicates is refused and not changed (RC007).
check_rows = ("carbon/find_duplicates", "carbon/refuse_duplicates")


def upgrade() -> None:
    op.run_sql("carbon/add_unique_constraints")


def downgrade() -> None:
    op.run_sql("carbon/drop_unique_constraints")
