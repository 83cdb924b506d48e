"""The routines of the carbon domain.

Revision: carbon_0005
Revises: carbon_0004
"""

from alembic import op

revision = "carbon_0005"
down_revision = "carbon_0004"
branch_labels = None
depends_on = None

TYPES = ("carbon_project_row", "carbon_report_row", "carbon_module_row", "data_entry_row", "listed_carbon_report_row")
# A routine comes after those that it calls.
ROUTINES = (
    "repaired_json",
    "as_jsonb",
    "json_number",
    "entry_fte",
    "trimmed",
    "carbon_report_type",
    "carbon_module_type_id",
    "carbon_project_type_number",
    "epoch_seconds",
    "epoch_time",
    "explore_report_is_stale",
    "carbon_role_rights",
    "carbon_caller_rights",
    "carbon_access",
    "pick_role_for_institutional_id",
    "require_unit_access",
    "viewable_unit_ids",
    "raise_permission_denied",
    "require_module_access",
    "require_status_access",
    "require_own_entry",
    "carbon_permissions",
    "carbon_rights",
    "raise_carbon_not_found",
    "raise_carbon_exists",
    "raise_invalid_carbon_value",
    "require_carbon_report",
    "require_carbon_year",
    "require_data_entry",
    "stored_carbon_project",
    "stored_carbon_reports",
    "stored_carbon_modules",
    "is_rollup",
    "is_own_entry",
    "stored_data_entries",
    "carbon_report_id",
    "stored_explore_report",
    "require_all_written",
    "refuse_lost_rows",
    "refuse_taken_id",
    "lock_data_entries",
    "lock_module_of_report",
    "ensure_carbon_projects",
    "insert_carbon_reports",
    "utc_text",
    "carbon_shown_classes",
    "carbon_emission_sums",
    "carbon_entry_sums",
    "carbon_module_sums",
    "counts_validated_only",
    "carbon_totals",
    "carbon_module_stats",
    "carbon_report_stats",
    "record_module_change",
    "find_carbon_module",
    "lock_carbon_module",
    "carbon_entry_type_id",
    "raise_invalid_entry",
    "checked_entry_fields",
    "check_emissions",
    "require_fitting_entry",
    "replace_emissions",
    "delete_data_entries",
    "get_carbon_project",
    "create_carbon_project",
    "create_carbon_report",
    "get_explore_report",
    "create_explore_report",
    "refresh_explore_report",
    "record_failed_refresh",
    "get_or_create_explore_report",
    "convert_explore_report",
    "bulk_upsert_carbon_reports",
    "get_carbon_reports",
    "get_carbon_report_of_year",
    "get_carbon_report",
    "get_carbon_report_modules",
    "set_carbon_module_status",
    "get_carbon_module",
    "require_entry_field",
    "get_module_view",
    "get_data_entries",
    "get_headcount_members",
    "is_unique_in_module",
    "get_module_classes",
    "get_trips",
    "get_data_entry",
    "create_data_entry",
    "update_data_entry",
    "delete_data_entry",
    "get_validated_totals",
    "get_results_summary",
    "carbon_validated_modules",
    "carbon_validated_fte",
    "carbon_chart_sums",
    "embodied_energy_by_building",
    "get_emission_breakdown",
    "carbon_top_classes",
    "get_it_breakdown",
    "different_figures",
    "carbon_stats_differences",
    "carbon_duplicates",
    "find_carbon_units",
    "find_carbon_projects",
    "find_carbon_reports",
    "find_explore_reports",
    "example_units",
)


def upgrade() -> None:
    for name in TYPES:
        op.run_sql(f"carbon/{name}")
    for name in ROUTINES:
        op.create_routine(f"carbon/{name}", version=1)


def downgrade() -> None:
    for name in reversed(ROUTINES):
        op.drop_routine(f"carbon/{name}", version=1)
    for name in reversed(TYPES):
        op.execute(f"drop type pgreprise.{name}")
