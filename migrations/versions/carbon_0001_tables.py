"""Tables of the carbon domain: adopt those that exist, create those that do not.

Revision: carbon_0001
"""

from alembic import op

revision = "carbon_0001"
down_revision = None
branch_labels = ("carbon",)
depends_on = ("core_0001",)
# Runs before everything that the migration changes, schema pgreprise included.
check_first = ("carbon/wanted_tables", "core/check_table_rights", "core/check_tables")

ENUMS = ("carbon_report_type_enum", "dataentrystatusenum")
# A table comes after those that it refers to.
TABLES = (
    "units",
    "carbon_projects",
    "carbon_reports",
    "carbon_report_modules",
    "data_entries",
    "data_entry_emissions",
)
# Tables of pgreprise, in the order in which they refer to each other. The first hold what the calculator has in its
# code.
OWN_TABLES = (
    "carbon_module_type",
    "carbon_emission_category",
    "carbon_emission_type",
    "carbon_entry_type",
    "carbon_entry_field",
    "carbon_role_right",
    "failed_refresh",
)


def upgrade() -> None:
    op.run_sql("carbon/wanted_tables")
    op.run_sql("core/record_created")
    for enum in ENUMS:
        op.run_sql(f"carbon/{enum}")
    for table in TABLES:
        op.run_sql(f"carbon/{table}")
    op.run_sql("core/grant_tables")
    for table in OWN_TABLES:
        op.run_sql(f"carbon/{table}")


def downgrade() -> None:
    for table in reversed(OWN_TABLES):
        op.execute(f"drop table pgreprise.{table}")
    op.run_sql("carbon/wanted_tables")
    op.run_sql("core/drop_created")
