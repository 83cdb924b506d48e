"""The routines of the reports domain.

Revision: reports_0007
Revises: reports_0006
"""

from alembic import op

revision = "reports_0007"
down_revision = "reports_0006"
branch_labels = None
depends_on = None

TYPES = ("report_row", "simulation_row", "report_run_row", "history_row", "cache_key", "linked_report")
# A routine comes after those that it calls.
ROUTINES = (
    "require_country",
    "raise_not_found",
    "raise_version_unknown",
    "report_defect",
    "economy_cache_key",
    "requested_dataset",
    "linked_simulations",
    "linked_reports",
    "needed_rows",
    "raise_report_wait",
    "same_key_reports",
    "check_update",
    "newest_simulation",
    "newest_report",
    "raise_run_not_current",
    "is_to_be_written",
    "shown_run",
    "stored_report",
    "stored_simulation",
    "skip_used_run_numbers",
    "start_report_runs",
    "start_simulation_runs",
    "add_host_runs",
    "write_report_host_run",
    "write_simulation_host_run",
    "host_run_obstacle",
    "remove_host_run",
    "host_columns",
    "archive_host_columns",
    "answers_request",
    "scope_cache_rows",
    "report_cache_rows",
    "cache_scope",
    "recent_cache_rows",
    "cache_key_reports",
    "remove_reform_impacts",
    "restore_reform_impacts",
    "rerun_result",
    "use_idempotency_key",
    "set_cache_versions",
    "cache_versions",
    "get_simulation",
    "get_report",
    "update_simulation",
    "update_report",
    "get_or_create_simulation",
    "get_or_create_report",
    "reset_simulation",
    "reset_report",
    "delete_reform_impacts",
    "rerun_report",
    "report_defects",
    "mismatched_cache_versions",
    "failed_cache_rows",
    "lost_runs",
    "run_table_differences",
    "example_reports",
    "original_run",
    "undo_obstacle",
    "undo_act",
    "undo_rerun",
    "recorded_runs",
    "report_history",
    "report_run_output",
    "check_max_rows",
    "pointer_order",
    "json_container",
    "json_differences",
    "comparable_output",
    "compare_runs",
    "rerun_history",
    "rerun_preview",
    "rerun_feed",
    "feed_position",
    "keep_feed_position",
    "new_cache_keys",
    "lock_reports",
    "rerun_many",
    "rerun_each",
    "rerun_reports",
    "require_batch",
    "batch_filter",
    "batch_reports",
    "rerun_batch_preview",
    "sharing_reports",
    "rerun_batch_effects",
    "rerun_batch_sharing",
    "batch_state",
    "raise_batch_ended",
    "create_rerun_batch",
    "cancel_rerun_batch",
    "rerun_batches",
    "rerun_batch_refusals",
    "locked_reports",
    "rerun_unlocked",
    "rerun_batch_chunk",
    "undo_batch_chunk",
    "run_rerun_batch",
    "undo_rerun_batch",
    "archive_bytes",
    "rerun_metrics",
    "check_purge",
    "purgeable_reruns",
    "archived_outputs",
    "purge_chunk",
    "purge_in_chunks",
    "purge_runs",
    "archive_size",
    "archive_retention",
    "purge_by_retention",
)


def upgrade() -> None:
    for name in TYPES:
        op.run_sql(f"reports/{name}")
    for name in ROUTINES:
        op.create_routine(f"reports/{name}", version=1)


def downgrade() -> None:
    for name in reversed(ROUTINES):
        op.drop_routine(f"reports/{name}", version=1)
    for name in reversed(TYPES):
        op.execute(f"drop type pgreprise.{name}")
