"""Tables of the reports domain: adopt those that exist, create those that do not.

Revision: reports_0001
"""

from alembic import op

revision = "reports_0001"
down_revision = None
branch_labels = ("reports",)
depends_on = ("core_0001",)
# Stands before everything that the migration changes, schema pgreprise included.
check_first = "reports/steps/adopt_tables"


def upgrade() -> None:
    op.run_sql("reports/tables/created_table")
    for table in ("simulations", "report_outputs", "reform_impact"):
        op.run_sql(f"reports/tables/{table}")
    op.run_sql("reports/steps/table_privileges")
    for table in ("country", "simulation_key", "report_key"):
        op.run_sql(f"reports/tables/{table}")


def downgrade() -> None:
    for table in ("report_key", "simulation_key", "country"):
        op.execute(f"drop table pgreprise.{table}")
    op.run_sql("reports/steps/drop_created_tables")
    op.execute("drop table pgreprise.created_table")
