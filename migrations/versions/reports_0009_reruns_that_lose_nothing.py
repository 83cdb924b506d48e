"""Reruns that lose nothing: version 2 of the routines, and undo, history, preview, batches, purge, feed, settings.

Revision: reports_0009
Revises: reports_0008
"""

from alembic import op

revision = "reports_0009"
down_revision = "reports_0008"
branch_labels = None
depends_on = None

# A routine stands after those that it calls, except for the replaced ones, which stand already.
NEW_BEFORE = (
    "setting",
    "settings",
    "set_setting",
    "raise_run_not_current",
    "raise_rerun_not_found",
    "raise_batch_not_found",
    "stored_report",
    "stored_simulation",
    "continue_runs",
    "archive_reports",
    "archive_simulations",
    "reset_reports",
    "reset_simulations",
    "further_columns",
    "archive_further_columns",
    "lock_reform_impacts",
    "remove_reform_impacts",
    "restore_reform_impacts",
    "rerun_result",
    "claim_rerun_key",
)
REPLACED = (
    "get_report",
    "get_simulation",
    "update_report",
    "update_simulation",
    "get_or_create_report",
    "get_or_create_simulation",
    "reset_report",
    "reset_simulation",
    "delete_reform_impacts",
    "mismatched_cache_versions",
    "rerun_report",
)
NEW_AFTER = (
    "original_run",
    "moved_on",
    "take_back",
    "undo_rerun",
    "report_history",
    "report_run_output",
    "rerun_preview",
    "rerun_feed",
    "claim_cache_keys",
    "rerun_set",
    "rerun_reports",
    "check_chunk_size",
    "batch_filter",
    "batch_reports",
    "rerun_batch_preview",
    "create_rerun_batch",
    "rerun_batches",
    "rerun_batch_refusals",
    "rerun_batch_chunk",
    "undo_batch_chunk",
    "add_up",
    "refuse_transaction_block",
    "run_rerun_batch",
    "undo_rerun_batch",
    "check_purge",
    "purgeable",
    "purge_chunk",
    "purge_runs",
    "archive_size",
)
ROWS = ("report_row", "simulation_row")


def upgrade() -> None:
    for row in ROWS:
        op.execute(f"alter type pgreprise.{row} add attribute run_sequence integer")
    op.run_sql("reports/types/report_run_row")
    for name in NEW_BEFORE:
        op.create_routine(f"reports/{name}", version=1)
    for name in REPLACED:
        op.replace_routine(f"reports/{name}", version=2, replaces=1)
    for name in NEW_AFTER:
        op.create_routine(f"reports/{name}", version=1)


def downgrade() -> None:
    op.run_sql("reports/steps/keep_history")
    for name in reversed(NEW_AFTER):
        op.drop_routine(f"reports/{name}", version=1)
    for name in reversed(REPLACED):
        op.replace_routine(f"reports/{name}", version=1, replaces=2)
    for name in reversed(NEW_BEFORE):
        op.drop_routine(f"reports/{name}", version=1)
    op.execute("drop type pgreprise.report_run_row")
    for row in reversed(ROWS):
        op.execute(f"alter type pgreprise.{row} drop attribute run_sequence")
