"""The tables of the history: who reran what, what was cleared, batches, settings.

Revision: reports_0008
Revises: reports_0007
"""

from alembic import op

revision = "reports_0008"
down_revision = "reports_0007"
branch_labels = None
depends_on = None

TABLES = (
    "configuration",
    "rerun",
    "rerun_key",
    "rerun_feed_counter",
    "report_run",
    "simulation_run",
    "reform_impact_archive",
    "restored_run",
    "rerun_batch",
    "rerun_batch_item",
    "rerun_batch_simulation",
    "rerun_batch_cache_key",
)


def upgrade() -> None:
    for table in TABLES:
        op.run_sql(f"reports/tables/{table}")
    op.run_sql("reports/steps/history_privileges")


def downgrade() -> None:
    op.run_sql("reports/steps/keep_history")
    op.run_sql("reports/steps/history_privileges_undo")
    for table in reversed(TABLES):
        op.execute(f"drop table pgreprise.{table}")
