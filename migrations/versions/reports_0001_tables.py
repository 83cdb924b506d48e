"""Tables of the reports domain: adopt those that exist, create those that do not, and keep a history beside them.

Revision: reports_0001
"""

from alembic import op

revision = "reports_0001"
down_revision = None
branch_labels = ("reports",)
depends_on = ("core_0001",)
# Runs before everything that the migration changes, schema pgreprise included.
check_first = (
    "reports/wanted_tables",
    "core/check_table_rights",
    "core/check_tables",
    "reports/wanted_run_tables",
    "core/check_table_rights",
    "core/check_tables",
)

HOST_TABLES = ("simulations", "report_outputs", "reform_impact")
TABLES = (
    "country",
    "simulation_key",
    "report_key",
    "rerun",
    "rerun_key",
    "rerun_feed_counter",
    "feed_reader",
    "report_run",
    "simulation_run",
    "reform_impact_archive",
    "restored_run",
    "host_run",
    "run_time",
    "claim",
    "claim_simulation",
    "retry",
    "claim_position",
    "rerun_batch",
    "rerun_batch_item",
    "rerun_batch_simulation",
    "rerun_batch_cache_key",
    "imported_row",
    "refusal",
    "shard_numbering",
    "logical_shard",
    "shard_id_range",
    "shard_default",
    "left_act",
)


def upgrade() -> None:
    op.run_sql("reports/wanted_tables")
    op.run_sql("core/record_created")
    for table in HOST_TABLES:
        op.run_sql(f"reports/{table}")
    op.run_sql("core/grant_tables")
    for table in TABLES:
        op.run_sql(f"reports/{table}")
    # Each later migration does this again, since the application may get these tables later.
    op.run_sql("reports/wanted_run_tables")
    op.run_sql("core/grant_tables")
    op.run_sql("reports/attach_run_tables")


def downgrade() -> None:
    op.run_sql("reports/keep_history")
    for table in reversed(TABLES):
        op.execute(f"drop table pgreprise.{table}")
    for wanted in ("wanted_run_tables", "wanted_tables"):
        op.run_sql(f"reports/{wanted}")
        op.run_sql("core/drop_created")
