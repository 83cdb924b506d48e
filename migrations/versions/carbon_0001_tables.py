"""Tables of the carbon domain: adopt those that exist, create those that do not.

Revision: carbon_0001
"""

from alembic import op

revision = "carbon_0001"
down_revision = None
branch_labels = ("carbon",)
depends_on = ("core_0001",)
# Runs before everything that the migration changes, schema pgreprise included.
check_first = ("carbon/wanted_tables", "core/check_tables")

# A table comes after those that it refers to.
TABLES = (
    "units",
    "carbon_projects",
    "carbon_reports",
    "carbon_report_modules",
    "data_entries",
    "data_entry_emissions",
)


def upgrade() -> None:
    op.run_sql("carbon/wanted_tables")
    op.run_sql("core/record_created")
    op.run_sql("carbon/carbon_report_type_enum")
    for table in TABLES:
        op.run_sql(f"carbon/{table}")
    op.run_sql("core/grant_tables")
    op.run_sql("carbon/add_columns")
    op.run_sql("carbon/carbon_module_type")


def downgrade() -> None:
    op.execute("drop table pgreprise.carbon_module_type")
    op.run_sql("carbon/wanted_tables")
    op.run_sql("core/drop_created")
