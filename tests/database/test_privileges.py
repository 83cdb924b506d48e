"""Who may do what: callers hold EXECUTE and nothing else, and nothing that they plant runs with the owner's rights."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import URL

from tests.support import carbon
from tests.support.databases import Connect, Connection
from tests.support.databases import connect as connect_to
from tests.support.factories import add_economy_report, add_reform_impact, add_report, add_simulation, set_versions
from tests.support.snapshots import everything, snapshot
from tests.support.statements import newest_act, one

ROLES = ("pgreprise_reader", "pgreprise_api", "pgreprise_dba", "pgreprise_monitor", "pgreprise_worker")
ALL = frozenset(ROLES)
READERS = ALL - {"pgreprise_monitor", "pgreprise_worker"}
READERS_AND_WORKER = READERS | {"pgreprise_worker"}
WORKER = frozenset({"pgreprise_worker", "pgreprise_api", "pgreprise_dba"})
API = frozenset({"pgreprise_api", "pgreprise_dba"})
DBA = frozenset({"pgreprise_dba"})
INTERNAL: frozenset[str] = frozenset()

# The application's writes run these, and its role may not look into our tables.
TRIGGERS = {
    "pgreprise.refuse_moved_row",
    "pgreprise.number_simulation",
    "pgreprise.number_report",
    "pgreprise.number_reform_impact",
}
# Every routine, and who may call it.
EXPECTED = {
    "public.cache_versions": READERS,
    "public.recent_cache_rows": READERS,
    "public.get_report": READERS_AND_WORKER,
    "public.get_simulation": READERS_AND_WORKER,
    "public.report_defects": READERS,
    "public.defect_counts": READERS,
    "public.report_counts": READERS,
    "public.act_counts": READERS,
    "public.caller_scopes": ALL,
    "public.record_refusal": API,
    "pgreprise.count_refusals": INTERNAL,
    "pgreprise.count_batch_refusals": INTERNAL,
    "pgreprise.caller_name": INTERNAL,
    "pgreprise.session_role": INTERNAL,
    "pgreprise.role_setting": INTERNAL,
    "pgreprise.has_scope": INTERNAL,
    "public.failed_cache_rows": READERS,
    "public.lost_runs": READERS,
    "public.example_reports": READERS,
    "public.report_history": READERS,
    "public.rerun_history": READERS,
    "public.report_run_output": READERS,
    "public.compare_runs": READERS,
    "public.last_good_report": READERS,
    "public.find_reports": READERS,
    "public.rerun_preview": READERS,
    "public.undo_preview": READERS,
    "public.rerun_batch_obstacles": READERS,
    "public.feed_position": READERS,
    "public.mismatched_cache_versions": READERS,
    "public.run_table_differences": READERS,
    "public.archive_size": READERS,
    "public.archive_retention": READERS,
    "public.settings": READERS_AND_WORKER,
    "public.rerun_batches": READERS,
    "public.rerun_batch_refusals": READERS,
    "public.rerun_batch_preview": READERS,
    "public.rerun_batch_effects": READERS,
    "public.rerun_batch_sharing": READERS,
    "public.update_report": API,
    "public.update_simulation": API,
    "public.get_or_create_report": API,
    "public.get_or_create_simulation": API,
    "public.claim_report": WORKER,
    "public.heartbeat_claim": WORKER,
    "public.finish_simulation": WORKER,
    "public.fail_simulation": WORKER,
    "public.finish_report": WORKER,
    "public.fail_report": WORKER,
    "public.release_claim": WORKER,
    "public.report_attempts": READERS_AND_WORKER,
    "public.open_claims": READERS_AND_WORKER,
    "public.cancel_run": API,
    "public.release_stuck_run": API,
    "public.release_stuck_runs": API,
    "public.rerun_report": API,
    "public.undo_rerun": API,
    "public.rerun_feed": API,
    "public.keep_feed_position": API,
    "public.reset_report": DBA,
    "public.reset_simulation": DBA,
    "public.delete_reform_impacts": DBA,
    "public.set_cache_versions": DBA,
    "public.set_setting": DBA,
    "public.rerun_reports": DBA,
    "public.create_rerun_batch": API,
    "public.cancel_rerun_batch": API,
    "public.rerun_batch_chunk": API,
    "public.run_rerun_batch": DBA,
    "public.undo_batch_chunk": API,
    "public.undo_rerun_batch": DBA,
    "public.purge_chunk": DBA,
    "public.purge_runs": DBA,
    "public.purge_by_retention": DBA,
    "public.rerun_metrics": READERS | {"pgreprise_monitor"},
    "pgreprise.status": ALL,
    "pgreprise.called_by": READERS,
    "pgreprise.feeds": READERS,
    "pgreprise.wal_position": READERS,
    "pgreprise.check_max_rows": INTERNAL,
    "pgreprise.require_one_feed": INTERNAL,
    "pgreprise.raise_shard_elsewhere": INTERNAL,
    "pgreprise.act_for": INTERNAL,
    "pgreprise.shard_refusal": INTERNAL,
    "pgreprise.answered_routines": INTERNAL,
    "pgreprise.population_region": INTERNAL,
    "pgreprise.population_shard": INTERNAL,
    "pgreprise.id_shard": INTERNAL,
    "pgreprise.claim_shard": INTERNAL,
    "pgreprise.add_batches": INTERNAL,
    "pgreprise.begin_arriving": INTERNAL,
    "pgreprise.begin_leaving": INTERNAL,
    "pgreprise.end_leaving": INTERNAL,
    "pgreprise.forget_shard": INTERNAL,
    "pgreprise.guard_table": INTERNAL,
    "pgreprise.leave_shard": INTERNAL,
    "pgreprise.number_leaving_acts": INTERNAL,
    "pgreprise.refuse_moved_row": INTERNAL,
    "pgreprise.shard_batches": INTERNAL,
    "pgreprise.shard_fingerprint": INTERNAL,
    "pgreprise.shard_places": INTERNAL,
    "pgreprise.shard_sizes": INTERNAL,
    "pgreprise.take_back_shard": INTERNAL,
    "pgreprise.redirect_shard": INTERNAL,
    "pgreprise.is_shard": INTERNAL,
    "pgreprise.next_shard_id": INTERNAL,
    "pgreprise.new_act_id": INTERNAL,
    "pgreprise.new_batch_id": INTERNAL,
    "pgreprise.marked_uuid": INTERNAL,
    "pgreprise.new_claim_id": INTERNAL,
    "pgreprise.lie_apart": INTERNAL,
    "pgreprise.number_simulation": INTERNAL,
    "pgreprise.number_report": INTERNAL,
    "pgreprise.number_reform_impact": INTERNAL,
    "pgreprise.used_ids": INTERNAL,
    "pgreprise.shard_problems": INTERNAL,
    "pgreprise.shard_sequences_behind": INTERNAL,
    "pgreprise.check_moved_keys": INTERNAL,
    "pgreprise.check_shard": INTERNAL,
    "pgreprise.list_id_ranges": INTERNAL,
    "pgreprise.prepare_shard": INTERNAL,
    "pgreprise.shard_tables": INTERNAL,
    "pgreprise.shard_facts": INTERNAL,
    "pgreprise.shard_condition": INTERNAL,
    "pgreprise.kept_table": INTERNAL,
    "pgreprise.shard_copies": INTERNAL,
    "pgreprise.status_since": INTERNAL,
    "pgreprise.pointer_order": INTERNAL,
    "pgreprise.json_container": INTERNAL,
    "pgreprise.json_differences": INTERNAL,
    "pgreprise.comparable_output": INTERNAL,
    "pgreprise.add_counts": DBA,
    "pgreprise.skip_used_run_numbers": INTERNAL,
    "pgreprise.refuse_transaction_block": DBA,
    "pgreprise.purge_in_chunks": DBA,
    "pgreprise.actor": INTERNAL,
    "pgreprise.checked_reason": INTERNAL,
    "pgreprise.archive_bytes": INTERNAL,
    "pgreprise.batch_state": INTERNAL,
    "pgreprise.cache_key_reports": INTERNAL,
    "pgreprise.raise_batch_ended": INTERNAL,
    "pgreprise.sharing_reports": INTERNAL,
    "pgreprise.client_address": INTERNAL,
    "pgreprise.request_id": INTERNAL,
    "pgreprise.add_host_runs": INTERNAL,
    "pgreprise.answers_request": INTERNAL,
    "pgreprise.cache_scope": INTERNAL,
    "pgreprise.host_run_obstacle": INTERNAL,
    "pgreprise.is_to_be_written": INTERNAL,
    "pgreprise.recorded_runs": INTERNAL,
    "pgreprise.remove_host_run": INTERNAL,
    "pgreprise.same_key_reports": INTERNAL,
    "pgreprise.scope_cache_rows": INTERNAL,
    "pgreprise.shown_run": INTERNAL,
    "pgreprise.write_report_host_run": INTERNAL,
    "pgreprise.write_simulation_host_run": INTERNAL,
    "pgreprise.after_routine": INTERNAL,
    "pgreprise.archive_host_columns": INTERNAL,
    "pgreprise.archived_outputs": INTERNAL,
    "pgreprise.batch_filter": INTERNAL,
    "pgreprise.batch_reports": INTERNAL,
    "pgreprise.is_large_batch": INTERNAL,
    "pgreprise.before_routine": INTERNAL,
    "pgreprise.dependent_routines": INTERNAL,
    "pgreprise.enter": INTERNAL,
    "pgreprise.check_chunk_size": INTERNAL,
    "pgreprise.check_purge": INTERNAL,
    "pgreprise.check_update": INTERNAL,
    "pgreprise.new_cache_keys": INTERNAL,
    "pgreprise.use_idempotency_key": INTERNAL,
    "pgreprise.key_use": INTERNAL,
    "pgreprise.run_act_result": INTERNAL,
    "pgreprise.raise_run_over": INTERNAL,
    "pgreprise.undo_defect": INTERNAL,
    "pgreprise.newer_rows_obstacle": INTERNAL,
    "pgreprise.undo_obstacles": INTERNAL,
    "pgreprise.undo_seen": INTERNAL,
    "pgreprise.undo_result": INTERNAL,
    "pgreprise.lock_host_runs_of_act": INTERNAL,
    "pgreprise.utc_text": INTERNAL,
    "pgreprise.claims": INTERNAL,
    "pgreprise.check_lease": INTERNAL,
    "pgreprise.claim_pending_report": INTERNAL,
    "pgreprise.claim_reports": INTERNAL,
    "pgreprise.end_claim": INTERNAL,
    "pgreprise.end_claims": INTERNAL,
    "pgreprise.end_lost_claim": INTERNAL,
    "pgreprise.forget_retry": INTERNAL,
    "pgreprise.give_back_claim": INTERNAL,
    "pgreprise.held_claim": INTERNAL,
    "pgreprise.host_run_times": INTERNAL,
    "pgreprise.keep_claim_position": INTERNAL,
    "pgreprise.keep_creation": INTERNAL,
    "pgreprise.keep_run_time": INTERNAL,
    "pgreprise.claims_on": INTERNAL,
    "pgreprise.lock_claims": INTERNAL,
    "pgreprise.looks_free": INTERNAL,
    "pgreprise.try_claim": INTERNAL,
    "pgreprise.is_without_result": INTERNAL,
    "pgreprise.host_runs_are_free": INTERNAL,
    "pgreprise.make_claimable": INTERNAL,
    "pgreprise.notify_workers": INTERNAL,
    "pgreprise.pending_reports": INTERNAL,
    "pgreprise.raise_claim_over": INTERNAL,
    "pgreprise.raise_no_claim": INTERNAL,
    "pgreprise.release_run": INTERNAL,
    "pgreprise.release_stuck": INTERNAL,
    "pgreprise.require_claim": INTERNAL,
    "pgreprise.require_finished_simulations": INTERNAL,
    "pgreprise.run_times": INTERNAL,
    "pgreprise.shown_attempt": INTERNAL,
    "pgreprise.stuck_runs": INTERNAL,
    "pgreprise.sweep_claim": INTERNAL,
    "pgreprise.sweep_claims": INTERNAL,
    "pgreprise.write_cancellation": INTERNAL,
    "pgreprise.write_report": INTERNAL,
    "pgreprise.write_report_state": INTERNAL,
    "pgreprise.write_simulation": INTERNAL,
    "pgreprise.write_simulation_state": INTERNAL,
    "pgreprise.drop_invalid_index": INTERNAL,
    "pgreprise.economy_cache_key": INTERNAL,
    "pgreprise.host_columns": INTERNAL,
    "pgreprise.is_operator": INTERNAL,
    "pgreprise.is_rollup": INTERNAL,
    "pgreprise.linked_reports": INTERNAL,
    "pgreprise.linked_simulations": INTERNAL,
    "pgreprise.lock_linked_simulations": INTERNAL,
    "pgreprise.undo_obstacle": INTERNAL,
    "pgreprise.newest_report": INTERNAL,
    "pgreprise.newest_simulation": INTERNAL,
    "pgreprise.original_run": INTERNAL,
    "pgreprise.purgeable_reruns": INTERNAL,
    "pgreprise.raise_not_found": INTERNAL,
    "pgreprise.raise_run_not_current": INTERNAL,
    "pgreprise.raise_version_unknown": INTERNAL,
    "pgreprise.remove_reform_impacts": INTERNAL,
    "pgreprise.remove_routine": INTERNAL,
    "pgreprise.report_cache_rows": INTERNAL,
    "pgreprise.report_defect": INTERNAL,
    "pgreprise.report_defect_code": INTERNAL,
    "pgreprise.report_seen": INTERNAL,
    "pgreprise.batch_seen": INTERNAL,
    "pgreprise.batch_mark": INTERNAL,
    "pgreprise.seen_parts": INTERNAL,
    "pgreprise.seen_token": INTERNAL,
    "pgreprise.read_seen": INTERNAL,
    "pgreprise.short_digest": INTERNAL,
    "pgreprise.moved_things": INTERNAL,
    "pgreprise.require_seen": INTERNAL,
    "pgreprise.require_batch_seen": INTERNAL,
    "pgreprise.require_batch": INTERNAL,
    "pgreprise.require_country": INTERNAL,
    "pgreprise.require_scope": INTERNAL,
    "pgreprise.rerun_result": INTERNAL,
    "pgreprise.rerun_many": INTERNAL,
    "pgreprise.start_report_runs": INTERNAL,
    "pgreprise.start_simulation_runs": INTERNAL,
    "pgreprise.restore_reform_impacts": INTERNAL,
    "pgreprise.is_known_tag": INTERNAL,
    "pgreprise.is_output": INTERNAL,
    "pgreprise.stored_report": INTERNAL,
    "pgreprise.stored_simulation": INTERNAL,
    "pgreprise.undo_act": INTERNAL,
    # The carbon domain.
    "public.bulk_upsert_carbon_reports": API,
    "public.carbon_duplicates": API,
    "public.carbon_permissions": API,
    "public.carbon_rights": DBA,
    "public.carbon_stats_differences": API,
    "public.find_carbon_units": API,
    "public.find_carbon_projects": API,
    "public.find_carbon_reports": API,
    "public.find_explore_reports": API,
    "public.create_carbon_project": API,
    "public.convert_explore_report": API,
    "public.get_or_create_explore_report": API,
    "public.record_failed_refresh": API,
    "public.create_carbon_report": API,
    "public.create_data_entry": API,
    "public.create_explore_report": API,
    "public.delete_data_entry": API,
    "public.example_units": DBA,
    "public.get_carbon_module": API,
    "public.get_carbon_project": API,
    "public.get_carbon_report": API,
    "public.get_carbon_report_modules": API,
    "public.get_carbon_report_of_year": API,
    "public.get_carbon_reports": API,
    "public.get_data_entry": API,
    "public.get_data_entries": API,
    "public.get_module_view": API,
    "public.get_headcount_members": API,
    "public.is_unique_in_module": API,
    "public.get_module_classes": API,
    "public.get_trips": API,
    "public.get_explore_report": API,
    "public.get_emission_breakdown": API,
    "public.get_it_breakdown": API,
    "public.get_results_summary": API,
    "public.get_validated_totals": API,
    "public.pick_role_for_institutional_id": API,
    "public.refresh_explore_report": API,
    "public.require_unit_access": API,
    "public.set_carbon_module_status": API,
    "public.update_data_entry": API,
    "pgreprise.carbon_access": INTERNAL,
    "pgreprise.carbon_caller_rights": INTERNAL,
    "pgreprise.carbon_emission_sums": INTERNAL,
    "pgreprise.carbon_module_stats": INTERNAL,
    "pgreprise.carbon_chart_sums": INTERNAL,
    "pgreprise.carbon_entry_sums": INTERNAL,
    "pgreprise.carbon_module_sums": INTERNAL,
    "pgreprise.carbon_top_classes": INTERNAL,
    "pgreprise.carbon_validated_fte": INTERNAL,
    "pgreprise.carbon_validated_modules": INTERNAL,
    "pgreprise.counts_validated_only": INTERNAL,
    "pgreprise.embodied_energy_by_building": INTERNAL,
    "pgreprise.carbon_module_type_id": INTERNAL,
    "pgreprise.carbon_report_id": INTERNAL,
    "pgreprise.carbon_report_stats": INTERNAL,
    "pgreprise.carbon_project_type_number": INTERNAL,
    "pgreprise.carbon_report_type": INTERNAL,
    "pgreprise.epoch_time": INTERNAL,
    "pgreprise.viewable_unit_ids": INTERNAL,
    "pgreprise.carbon_role_rights": INTERNAL,
    "pgreprise.carbon_totals": INTERNAL,
    "pgreprise.is_own_entry": INTERNAL,
    "pgreprise.carbon_entry_type_id": INTERNAL,
    "pgreprise.checked_entry_fields": INTERNAL,
    "pgreprise.check_emissions": INTERNAL,
    "pgreprise.raise_invalid_entry": INTERNAL,
    "pgreprise.require_entry_field": INTERNAL,
    "pgreprise.require_fitting_entry": INTERNAL,
    "pgreprise.delete_data_entries": INTERNAL,
    "pgreprise.ensure_carbon_projects": INTERNAL,
    "pgreprise.different_figures": INTERNAL,
    "pgreprise.epoch_seconds": INTERNAL,
    "pgreprise.explore_report_is_stale": INTERNAL,
    "pgreprise.find_carbon_module": INTERNAL,
    "pgreprise.insert_carbon_reports": INTERNAL,
    "pgreprise.lock_carbon_module": INTERNAL,
    "pgreprise.raise_carbon_not_found": INTERNAL,
    "pgreprise.raise_permission_denied": INTERNAL,
    "pgreprise.require_module_access": INTERNAL,
    "pgreprise.require_own_entry": INTERNAL,
    "pgreprise.require_status_access": INTERNAL,
    "pgreprise.raise_invalid_carbon_value": INTERNAL,
    "pgreprise.replace_emissions": INTERNAL,
    "pgreprise.lock_rows": INTERNAL,
    "pgreprise.limit_lock_wait": INTERNAL,
    "pgreprise.lock_data_entries": INTERNAL,
    "pgreprise.raise_lock_wait": INTERNAL,
    "pgreprise.host_message": INTERNAL,
    "pgreprise.is_refusal_of_host": INTERNAL,
    "pgreprise.losing_keys": INTERNAL,
    "pgreprise.lost_rows": INTERNAL,
    "pgreprise.raise_kept_rows": INTERNAL,
    "pgreprise.raise_lost_rows": INTERNAL,
    "pgreprise.rerun_each": INTERNAL,
    "pgreprise.locked_rows": INTERNAL,
    "pgreprise.table_lockers": INTERNAL,
    "pgreprise.sequences_behind": INTERNAL,
    "pgreprise.id_sequence": INTERNAL,
    "pgreprise.raise_sequence_behind": INTERNAL,
    "pgreprise.needed_rows": INTERNAL,
    "pgreprise.raise_report_wait": INTERNAL,
    "pgreprise.lock_reports": INTERNAL,
    "pgreprise.locked_reports": INTERNAL,
    "pgreprise.rerun_unlocked": INTERNAL,
    "pgreprise.lock_module_of_report": INTERNAL,
    "pgreprise.refuse_lost_rows": INTERNAL,
    "pgreprise.refuse_taken_id": INTERNAL,
    "pgreprise.as_jsonb": INTERNAL,
    "pgreprise.carbon_shown_classes": INTERNAL,
    "pgreprise.entry_fte": INTERNAL,
    "pgreprise.raise_carbon_exists": INTERNAL,
    "pgreprise.json_number": INTERNAL,
    "pgreprise.repaired_json": INTERNAL,
    "pgreprise.require_all_written": INTERNAL,
    "pgreprise.trimmed": INTERNAL,
    "pgreprise.stored_explore_report": INTERNAL,
    "pgreprise.require_carbon_report": INTERNAL,
    "pgreprise.require_carbon_year": INTERNAL,
    "pgreprise.require_data_entry": INTERNAL,
    "pgreprise.stored_carbon_modules": INTERNAL,
    "pgreprise.stored_carbon_project": INTERNAL,
    "pgreprise.stored_carbon_reports": INTERNAL,
    "pgreprise.stored_data_entries": INTERNAL,
    "pgreprise.record_module_change": INTERNAL,
}

# Procedures that commit: PostgreSQL lets them neither run as their owner nor have settings.
COMMITTING = {
    "public.run_rerun_batch",
    "public.undo_rerun_batch",
    "public.purge_runs",
    "public.purge_by_retention",
    "pgreprise.purge_in_chunks",
    "pgreprise.refuse_transaction_block",
}
# Adds numbers up for them, and touches no table.
AS_THE_CALLER = COMMITTING | {
    "pgreprise.add_counts",
    "pgreprise.called_by",
    "pgreprise.feeds",
    "pgreprise.wal_position",
}

SAFE_PATH = "search_path=pg_catalog, pg_temp"
TEXT_THERE_AND_BACK = ["DateStyle=ISO, YMD", "IntervalStyle=postgres", "extra_float_digits=1"]
FURTHER_SETTINGS = {
    "pgreprise.shard_fingerprint": [
        "DateStyle=ISO, YMD",
        "IntervalStyle=iso_8601",
        "TimeZone=UTC",
        "extra_float_digits=1",
        "bytea_output=hex",
    ],
    "public.claim_report": ["enable_seqscan=off", "jit=off"],
    "public.fail_report": ["enable_seqscan=off", "jit=off"],
    "public.fail_simulation": ["enable_seqscan=off", "jit=off"],
    "public.finish_report": ["enable_seqscan=off", "jit=off"],
    "public.finish_simulation": ["enable_seqscan=off", "jit=off"],
    "public.heartbeat_claim": ["enable_seqscan=off", "jit=off"],
    "public.release_claim": ["enable_seqscan=off", "jit=off"],
    "public.update_report": ["enable_seqscan=off", "jit=off"],
    "public.update_simulation": ["enable_seqscan=off", "jit=off"],
    "public.release_stuck_run": ["TimeZone=UTC", "enable_seqscan=off", "jit=off"],
    "pgreprise.run_act_result": ["TimeZone=UTC", "enable_seqscan=off", "jit=off"],
    "public.settings": ["IntervalStyle=postgres"],
    "pgreprise.claim_pending_report": ["plan_cache_mode=force_generic_plan", "enable_seqscan=off", "jit=off"],
    "pgreprise.end_claim": ["enable_seqscan=off", "jit=off"],
    "pgreprise.end_claims": ["enable_seqscan=off", "jit=off"],
    "pgreprise.end_lost_claim": ["enable_seqscan=off", "jit=off"],
    "pgreprise.held_claim": ["enable_seqscan=off", "jit=off"],
    "pgreprise.host_run_times": ["TimeZone=UTC"],
    "pgreprise.lock_claims": ["enable_seqscan=off", "jit=off"],
    "pgreprise.pending_reports": [
        "enable_seqscan=off",
        "enable_bitmapscan=off",
        "enable_sort=off",
        "jit=off",
        "plan_cache_mode=force_generic_plan",
    ],
    "pgreprise.release_run": ["enable_seqscan=off", "jit=off"],
    "pgreprise.release_stuck": ["enable_seqscan=off", "jit=off"],
    "pgreprise.require_claim": ["enable_seqscan=off", "jit=off"],
    "pgreprise.require_finished_simulations": ["enable_seqscan=off", "jit=off"],
    "pgreprise.stored_report": ["enable_seqscan=off", "jit=off"],
    "pgreprise.stored_simulation": ["enable_seqscan=off", "jit=off"],
    "pgreprise.sweep_claim": ["enable_seqscan=off", "jit=off"],
    "pgreprise.sweep_claims": ["enable_seqscan=off", "jit=off"],
    "pgreprise.write_simulation": ["enable_seqscan=off", "jit=off"],
    "pgreprise.add_host_runs": ["TimeZone=UTC"],
    "pgreprise.shown_run": ["TimeZone=UTC"],
    "pgreprise.write_report_host_run": ["TimeZone=UTC"],
    "pgreprise.write_simulation_host_run": ["TimeZone=UTC"],
    "public.lost_runs": ["TimeZone=UTC"],
    "pgreprise.purgeable_reruns": ["TimeZone=UTC"],
    "public.report_history": ["TimeZone=UTC"],
    "pgreprise.archived_outputs": ["plan_cache_mode=force_custom_plan"],
    "pgreprise.batch_reports": ["plan_cache_mode=force_custom_plan"],
    "pgreprise.archive_host_columns": TEXT_THERE_AND_BACK,
    "pgreprise.restore_reform_impacts": TEXT_THERE_AND_BACK,
    "pgreprise.skip_used_run_numbers": ["enable_seqscan=off"],
    "pgreprise.original_run": ["enable_seqscan=off"],
    "pgreprise.linked_reports": ["plan_cache_mode=force_custom_plan"],
    "pgreprise.needed_rows": ["plan_cache_mode=force_custom_plan"],
    "pgreprise.same_key_reports": ["plan_cache_mode=force_generic_plan"],
    "pgreprise.scope_cache_rows": ["plan_cache_mode=force_generic_plan"],
    "pgreprise.lock_reports": ["plan_cache_mode=force_generic_plan"],
    "pgreprise.rerun_many": ["plan_cache_mode=force_custom_plan"],
    "public.rerun_report": ["plan_cache_mode=force_generic_plan"],
    "public.find_reports": ["plan_cache_mode=force_custom_plan"],
    "public.report_defects": ["plan_cache_mode=force_custom_plan"],
    "public.act_counts": ["plan_cache_mode=force_custom_plan"],
    "public.find_carbon_units": ["plan_cache_mode=force_custom_plan"],
    "public.find_carbon_reports": ["plan_cache_mode=force_custom_plan"],
    "public.find_explore_reports": ["plan_cache_mode=force_custom_plan"],
    "public.carbon_stats_differences": ["plan_cache_mode=force_custom_plan"],
    "public.rerun_history": ["plan_cache_mode=force_custom_plan"],
    "pgreprise.cache_key_reports": ["plan_cache_mode=force_custom_plan"],
    "pgreprise.batch_seen": ["plan_cache_mode=force_custom_plan"],
    "pgreprise.require_batch_seen": ["plan_cache_mode=force_custom_plan"],
    "pgreprise.sharing_reports": ["plan_cache_mode=force_custom_plan"],
}


def routines(connection: Connection) -> list[dict[str, Any]]:
    """Every routine of schemas public and pgreprise that no extension brought."""
    return connection.execute(
        """
        select format('%s.%s', namespace.nspname, procedure.proname) as name,
               procedure.oid::regprocedure::text as signature,
               procedure.prokind as kind,
               procedure.prosecdef as is_definer,
               procedure.proconfig as settings,
               procedure.prosqlbody is not null as is_parsed_early,
               procedure.provolatile as volatility,
               pg_get_userbyid(procedure.proowner) as owner,
               coalesce(obj_description(procedure.oid, 'pg_proc'), '') as comment,
               (select count(*)
                  from aclexplode(coalesce(procedure.proacl, acldefault('f', procedure.proowner))) as privilege
                 where privilege.grantee = 0) as granted_to_public,
               array(select format('null::%s', format_type(argument.type, null))
                       from unnest(procedure.proargtypes) with ordinality as argument(type, position)
                      order by argument.position) as arguments
          from pg_proc as procedure
          join pg_namespace as namespace on namespace.oid = procedure.pronamespace
         where namespace.nspname in ('public', 'pgreprise')
           and not exists (select from pg_depend where objid = procedure.oid and deptype = 'e')
         order by 1
        """
    ).fetchall()


def tables(connection: Connection) -> list[str]:
    found = connection.execute(
        """
        select format('%I.%I', namespace.nspname, relation.relname) as name
          from pg_class as relation
          join pg_namespace as namespace on namespace.oid = relation.relnamespace
         where namespace.nspname in ('public', 'pgreprise') and relation.relkind in ('r', 'p', 'v', 'm', 'f')
         order by 1
        """
    ).fetchall()
    return [row["name"] for row in found]


@pytest.fixture
def nobody(dba: Connection) -> str:
    """A role that was given nothing. It lives in the transaction that this opens, and goes with it."""
    name = f"pgreprise_test_nobody_{os.getpid()}"
    dba.execute("begin")
    dba.execute(f"create role {name}")
    return name


def may(connection: Connection, role: str, statement: str) -> bool:
    """Whether PostgreSQL lets a role run a statement, whatever else becomes of it."""
    try:
        with connection.transaction(force_rollback=True):
            connection.execute(sql.SQL("set local role {}").format(sql.Identifier(role)))
            connection.execute(statement)
    except psycopg.errors.InsufficientPrivilege:
        return False
    except psycopg.Error as error:
        # Called with nulls, a routine refuses in its own words, which means that it was called.
        return error.sqlstate is not None
    return True


def test_each_role_may_call_what_the_table_says_and_nothing_else(dba: Connection, nobody: str) -> None:
    actual = {}
    for routine in routines(dba):
        verb = "call" if routine["kind"] == "p" else "select"
        call = f"{verb} {routine['name']}({', '.join(routine['arguments'])})"
        actual[routine["name"]] = frozenset(role for role in (*ROLES, nobody) if may(dba, role, call))
    assert actual == EXPECTED


def test_no_role_holds_execute_on_what_it_cannot_reach(dba: Connection, nobody: str) -> None:
    # The schema's USAGE must not be all that stands between a role and an internal.
    for routine in routines(dba):
        holders = {
            role
            for role in (*ROLES, nobody)
            if one(dba, "select has_function_privilege(%s, %s, 'execute') as held", role, routine["signature"])["held"]
        }
        assert holders == EXPECTED[routine["name"]], routine["name"]


def test_public_may_execute_none_of_ours(dba: Connection) -> None:
    assert [routine["name"] for routine in routines(dba) if routine["granted_to_public"]] == []


def test_no_caller_has_any_right_on_any_table(dba: Connection, nobody: str) -> None:
    found = tables(dba)
    assert {"public.report_outputs", "pgreprise.country", "pgreprise.routine_version"} <= set(found)
    for table in found:
        for role in (*ROLES, nobody):
            for right in ("select", "insert", "update", "delete", "truncate", "references", "trigger"):
                held = one(dba, "select has_table_privilege(%s, %s, %s) as held", role, table, right)["held"]
                assert not held, (role, table, right)
            assert not may(dba, role, f"table {table}")
            assert not may(dba, role, f"truncate {table}")


def test_no_caller_may_create_in_our_schemas(dba: Connection, nobody: str) -> None:
    for schema in ("public", "pgreprise"):
        for role in (*ROLES, nobody):
            held = one(dba, "select has_schema_privilege(%s, %s, 'create') as held", role, schema)["held"]
            assert not held, (role, schema)
    assert not one(dba, "select has_schema_privilege(%s, 'pgreprise', 'usage') as held", nobody)["held"]


def test_the_owner_of_the_routines_cannot_log_in_and_is_no_superuser(dba: Connection) -> None:
    owner = one(
        dba,
        "select rolcanlogin, rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls "
        "from pg_roles where rolname = 'pgreprise_owner'",
    )
    assert not any(owner.values())
    assert {routine["owner"] for routine in routines(dba)} == {"pgreprise_owner"}


def test_callers_are_not_members_of_the_owner(dba: Connection) -> None:
    for role in ROLES:
        assert not one(dba, "select pg_has_role(%s, 'pgreprise_owner', 'member') as is_member", role)["is_member"]


def test_the_owner_holds_no_more_on_the_hosts_tables_than_its_routines_need(dba: Connection) -> None:
    held = dba.execute(
        """
        select relation.relname as name, string_agg(lower(privilege.privilege_type), ' '
                 order by privilege.privilege_type) as rights
          from pg_class as relation
         cross join lateral aclexplode(relation.relacl) as privilege
         where relation.relnamespace = 'public'::regnamespace and relation.relkind = 'r'
           and privilege.grantee = 'pgreprise_owner'::regrole
         group by relation.relname
        """
    ).fetchall()
    assert {row["name"]: row["rights"] for row in held} == {
        "report_outputs": "insert select update",
        "simulations": "insert select update",
        # Insert, because an undo puts deleted rows back.
        "reform_impact": "delete insert select update",
        "units": "select",
        "carbon_projects": "insert select",
        "carbon_reports": "delete insert select update",
        "carbon_report_modules": "delete insert select update",
        "data_entries": "delete insert select update",
        # Update, because only so rows can be locked.
        "data_entry_emissions": "delete insert select update",
    }


def test_entry_points_run_as_their_owner_with_a_safe_search_path(dba: Connection) -> None:
    for routine in routines(dba):
        is_entry_point = bool(EXPECTED[routine["name"]])
        is_definer = (is_entry_point and routine["name"] not in AS_THE_CALLER) or routine["name"] in TRIGGERS
        assert routine["is_definer"] == is_definer, routine["name"]
        if routine["name"] in COMMITTING:
            assert routine["settings"] is None, routine["name"]
        # What was parsed when it was created has no names left to resolve.
        elif not routine["is_parsed_early"]:
            expected = [SAFE_PATH, *FURTHER_SETTINGS.get(routine["name"], [])]
            assert routine["settings"] == expected, routine["name"]


def test_what_only_looks_is_stable(dba: Connection) -> None:
    looking = {
        "public.cache_versions",
        "public.get_report",
        "public.get_simulation",
        "public.recent_cache_rows",
        "public.report_defects",
        "public.defect_counts",
        "public.report_counts",
        "public.act_counts",
        "public.caller_scopes",
        "public.failed_cache_rows",
        "public.lost_runs",
        "public.run_table_differences",
        "public.example_reports",
        "public.mismatched_cache_versions",
        "public.report_history",
        "public.rerun_history",
        "public.report_run_output",
        "public.compare_runs",
        "public.last_good_report",
        "public.find_reports",
        "public.rerun_preview",
        "public.undo_preview",
        "public.rerun_batch_obstacles",
        "public.feed_position",
        "public.report_attempts",
        "public.open_claims",
        "public.archive_size",
        "public.archive_retention",
        "public.rerun_metrics",
        "public.settings",
        "public.rerun_batches",
        "public.rerun_batch_refusals",
        "public.rerun_batch_effects",
        "public.rerun_batch_sharing",
        "public.rerun_batch_preview",
        "pgreprise.status",
        "public.carbon_duplicates",
        "public.carbon_permissions",
        "public.carbon_rights",
        "public.carbon_stats_differences",
        "public.example_units",
        "public.find_carbon_units",
        "public.find_carbon_projects",
        "public.find_carbon_reports",
        "public.find_explore_reports",
        "public.get_carbon_module",
        "public.get_carbon_project",
        "public.get_carbon_report",
        "public.get_carbon_report_modules",
        "public.get_carbon_report_of_year",
        "public.get_carbon_reports",
        "public.get_data_entry",
        "public.get_data_entries",
        "public.get_module_view",
        "public.get_headcount_members",
        "public.is_unique_in_module",
        "public.get_module_classes",
        "public.get_trips",
        "public.get_explore_report",
        "public.get_emission_breakdown",
        "public.get_it_breakdown",
        "public.get_results_summary",
        "public.get_validated_totals",
        "public.pick_role_for_institutional_id",
        "public.require_unit_access",
    }
    stable = {routine["name"] for routine in routines(dba) if routine["volatility"] == "s" and routine["is_definer"]}
    assert stable == looking


def test_every_routine_carries_a_comment(dba: Connection) -> None:
    assert [routine["name"] for routine in routines(dba) if not routine["comment"]] == []


# --- who logs in -----------------------------------------------------------------------------

Login = Callable[[str], Connection]


@pytest.fixture
def login(dba: Connection, database: URL) -> Iterator[Login]:
    """Logs somebody in who is in one group and nothing else: ``login("pgreprise_api")``."""
    made: list[tuple[str, Connection]] = []

    def log_in(group: str) -> Connection:
        name = f"{group}_login_{os.getpid()}"
        dba.execute(f"create role {name} login password 'secret' in role {group}")
        connection = connect_to(database.set(username=name, password="secret"))
        made.append((name, connection))
        return connection

    yield log_in
    for name, connection in made:
        connection.close()
        dba.execute(f"drop role {name}")


def forbidden(connection: Connection, statement: str) -> bool:
    """Whether PostgreSQL refuses a statement for want of a right; another error does not count."""
    try:
        connection.execute(statement.encode())
    except psycopg.errors.InsufficientPrivilege:
        return True
    except psycopg.Error:
        return False
    return False


@pytest.fixture
def rows(dba: Connection) -> Connection:
    """Report 1, which was rerun and then computed again, so that its undo needs force; a batch; a cache row."""
    set_versions(dba)
    add_economy_report(dba)
    dba.execute("call rerun_report(1)")
    dba.execute("select update_report(1, status => 'complete', output => '{}')")
    dba.execute("select create_rerun_batch('{\"ids\": 1}')")
    add_reform_impact(dba)
    return dba


@pytest.mark.parametrize("group", ROLES)
def test_who_logs_in_reaches_no_table_and_no_sequence(rows: Connection, login: Login, group: str) -> None:
    before = everything(rows)
    caller = login(group)
    for table in tables(rows):
        for statement in (
            f"select from {table}",
            f"select from {table} for update",
            f"insert into {table} default values",
            f"delete from {table}",  # noqa: S608
            f"truncate {table}",
            f"do $$begin lock table {table} in access share mode; end$$",
            f"copy {table} to stdout",
            f"create trigger trojan before insert on {table} execute function suppress_redundant_updates_trigger()",
            f"alter table {table} add column trojan text",
            f"drop table {table}",
            f"comment on table {table} is 'mine'",
        ):
            assert forbidden(caller, statement), statement
    for column in rows.execute(
        "select format('update %s set %I = null', attrelid::regclass, attname) as statement from pg_attribute "
        "join pg_class on pg_class.oid = attrelid and relkind = 'r' "
        "where relnamespace in ('public'::regnamespace, 'pgreprise'::regnamespace) and attnum > 0 "
        "and attgenerated = ''"
    ).fetchall():
        assert forbidden(caller, column["statement"]), column["statement"]
    sequences = rows.execute(
        "select oid::regclass::text as name from pg_class where relkind = 'S' "
        "and relnamespace in ('public'::regnamespace, 'pgreprise'::regnamespace)"
    ).fetchall()
    assert len(sequences) >= 4
    for sequence in sequences:
        for call in ("nextval('{}')", "setval('{}', 1)", "last_value from {}"):
            assert forbidden(caller, "select " + call.format(sequence["name"])), (call, sequence)
    assert everything(rows) == before


@pytest.mark.parametrize("group", ROLES)
def test_who_logs_in_calls_what_the_group_may_call_and_nothing_else(rows: Connection, login: Login, group: str) -> None:
    before = everything(rows)
    caller = login(group)
    for routine in routines(rows):
        if group not in EXPECTED[routine["name"]]:
            verb = "call" if routine["kind"] == "p" else "select"
            statement = f"{verb} {routine['name']}({', '.join(routine['arguments'])})"
            assert forbidden(caller, statement), statement
    assert everything(rows) == before


@pytest.mark.parametrize("group", ROLES)
def test_who_logs_in_cannot_become_the_owner_or_change_what_is_his(rows: Connection, login: Login, group: str) -> None:
    before = everything(rows)
    routines_before = routines(rows)
    caller = login(group)
    others = {"pgreprise_owner", *ROLES} - {group}
    for statement in (
        *(f"set role {other}" for other in others),
        *(f"grant {other} to {group}" for other in others),
        *(f"set session authorization {other}" for other in others),
        f"alter role {group} superuser",
        f"alter role {group} login",
        "create function public.trojan() returns integer language sql as 'select 1'",
        "create function pgreprise.trojan() returns integer language sql as 'select 1'",
        "create table pgreprise.trojan ()",
        "create table public.trojan ()",
        "create schema trojan",
        "drop procedure public.rerun_report",
        "drop schema pgreprise cascade",
        "alter procedure public.rerun_report security invoker",
        "alter procedure public.rerun_report set search_path = public",
        f"alter procedure public.rerun_report owner to {group}",
        "alter type pgreprise.report_row add attribute trojan text",
        "alter default privileges for role pgreprise_owner grant all on tables to public",
        "grant select on public.report_outputs to public",
    ):
        assert forbidden(caller, statement), statement
    # PostgreSQL only warns about a grant by someone who holds the right and may not pass it on.
    for routine in routines_before:
        if group in EXPECTED[routine["name"]]:
            caller.execute(f"grant execute on routine {routine['signature']} to public".encode())
    assert routines(rows) == routines_before
    assert everything(rows) == before


def test_who_logs_in_does_through_routines_what_the_group_is_for(rows: Connection, login: Login) -> None:
    reader, api, dba_login = (login(group) for group in ROLES[:3])
    assert [row["run_sequence"] for row in reader.execute("select run_sequence from report_history(1)")] == [2, 1]
    assert one(api, "call rerun_report(1, 'us')")["result"]["run_sequence"] == 3
    assert one(api, "call undo_rerun(%s)", newest_act(rows)["rerun_id"])["result"]["run_sequence"] == 4
    before = everything(rows)
    # With a rerun that has moved on only a DBA may go on.
    with pytest.raises(psycopg.Error) as caught:
        api.execute("call undo_rerun(1, force => true)")
    assert caught.value.sqlstate == "RR017"
    assert caught.value.diag.message_primary == (
        f"Role {api.info.user} may not do this. Only members of pgreprise_dba may."
    )
    assert everything(rows) == before
    assert one(dba_login, "call undo_rerun(1, force => true)")["result"]["run_sequence"] == 5
    assert (newest_act(rows)["session_role"], newest_act(rows)["role_setting"]) == (dba_login.info.user, None)
    assert one(dba_login, "call run_rerun_batch(1)")["result"]["rerun"] == 1
    assert one(dba_login, "call undo_rerun_batch(1)")["result"]["undone"] == 1
    assert one(dba_login, "call purge_runs(interval '0', 0)")["result"]["reruns"] > 0


# Asked inside other entry points, whatever the scope; and by anybody about himself.
WITHOUT_SCOPE = {"public.caller_scopes", "public.require_unit_access", "public.pick_role_for_institutional_id"}


def test_a_token_without_a_scope_may_call_nothing(dba: Connection) -> None:
    dba.execute("""set request.jwt.claims = '{"sub": "alice", "scope": ""}'""")
    before = everything(dba)
    for routine in routines(dba):
        name = routine["name"]
        if not name.startswith("public.") or name in WITHOUT_SCOPE | COMMITTING:
            continue
        verb = "call" if routine["kind"] == "p" else "select"
        with pytest.raises(psycopg.Error) as caught:
            dba.execute(f"{verb} {name}({', '.join(routine['arguments'])})".encode())
        assert caught.value.sqlstate == "RR017", name
    assert everything(dba) == before


# --- an attacker -----------------------------------------------------------------------------

CALLS = [
    "call public.rerun_report({report}, 'us')",
    "select * from public.claim_report('worker', interval '1 minute', 'us', 'geography', max_reports => 2)",
    "select * from public.heartbeat_claim('{claim}', interval '1 minute', 0.5::real, 'half')",
    "select * from public.finish_simulation('{computing}', {computed}, '{{}}')",
    "select * from public.fail_simulation('{computing}', {computed}, 'why')",
    "select * from public.finish_report('{claim}', '{{}}')",
    "select * from public.fail_report('{computing}', 'why', interval '1 minute')",
    "select public.release_claim('{computing}')",
    "select * from public.report_attempts({report}, 'us')",
    "select * from public.open_claims('us', 0, 10)",
    "select public.cancel_run({report}, 'why', 'us')",
    "select public.release_stuck_run(5, 'us', 1, 'why', 'key')",
    "select * from public.release_stuck_runs(interval '0', 10, 'us')",
    "select * from public.get_report({report}, 'us')",
    "select * from public.recent_cache_rows(5, 'us')",
    "select * from public.get_simulation({simulation}, 'us')",
    "select * from public.update_report({report}, 'us', status => 'complete', output => '{{}}')",
    "select * from public.update_simulation({simulation}, 'us', status => 'complete', output => '{{}}')",
    "select * from public.get_or_create_simulation('us', 'state/tx', 'geography', 77)",
    "select * from public.get_or_create_report('us', {simulation}, year => '2035')",
    "select public.reset_report({report})",
    "select public.reset_simulation({simulation})",
    "select public.delete_reform_impacts('us', 2, 3, 'state/ny', 'default', '2025', 'x', array['ok'])",
    "select public.set_cache_versions('us', package => '9.9.9')",
    "select * from public.cache_versions()",
    "select * from public.report_defects(0, 5, 'us', 'RR002')",
    "select * from public.defect_counts()",
    "select * from public.report_counts('us')",
    "select * from public.act_counts('2025-01-01', '2025-01-02', interval '1 hour')",
    "select * from public.caller_scopes()",
    "select public.record_refusal('rerun', 'RR002')",
    "select * from public.failed_cache_rows()",
    "select * from public.lost_runs()",
    "select * from public.run_table_differences()",
    "select * from public.example_reports()",
    "select * from public.mismatched_cache_versions()",
    "select pgreprise.status()",
    "call public.undo_rerun(1, force => true)",
    "select * from public.undo_preview(1, {report}, 'us')",
    "select * from public.report_history({report}, 'us')",
    "select * from public.report_run_output({report}, 1, 'us')",
    "select * from public.compare_runs({report}, 1, 1, 'us', '/a', 5)",
    "select * from public.last_good_report({report}, 'us')",
    "select * from public.find_reports('us', 'error', '0', 'geography', 'x', '2025', 0, 5, 'infinity', {report})",
    "select * from public.rerun_history(now() - interval '1 day', now(), 'x', 'rerun', 'us', {report}, 1, 9, 5, 1)",
    "select * from public.rerun_preview({report}, 'us')",
    "select * from public.rerun_feed(0)",
    "select public.keep_feed_position('someone', 0)",
    "select * from public.feed_position('someone')",
    "call public.rerun_reports(array[{report}, 2, 99])",
    """select public.create_rerun_batch('{{"country": "us", "status": ["complete"], "year": "2025", "ids": [1]}}')""",
    "select public.rerun_batch_chunk(2, 10)",
    "select public.undo_batch_chunk(1)",
    "select * from public.rerun_batch_obstacles(1)",
    "select * from public.rerun_batches()",
    "select * from public.rerun_batch_refusals(1)",
    """select * from public.rerun_batch_effects('{{"country": "us", "ids": [1, 99]}}')""",
    """select * from public.rerun_batch_sharing('{{"country": "us", "ids": [1, 99]}}')""",
    "select public.cancel_rerun_batch(2, 'why')",
    """select * from public.rerun_batch_preview('{{"country": "us", "status": ["complete"], "ids": [1, 99]}}')""",
    "select public.purge_chunk(interval '0', 0)",
    "select * from public.archive_size(interval '0', 0)",
    "select * from public.archive_retention()",
    "select * from public.rerun_metrics()",
    "select * from public.settings()",
    "select public.set_setting('archive_outputs', 'off')",
    "select * from public.get_carbon_project({unit})",
    "select * from public.create_carbon_project({unit}, 2)",
    "select * from public.get_explore_report({unit}, 2025)",
    "select * from public.create_explore_report({unit}, 2030)",
    "select * from public.refresh_explore_report({unit}, {explore}, 2025)",
    "select public.record_failed_refresh({unit}, {explore}, 2025, 'why')",
    "select * from public.get_or_create_explore_report({unit}, 2030)",
    "select * from public.convert_explore_report({explore})",
    "select * from public.create_carbon_report({unit}, 2030)",
    'select * from public.bulk_upsert_carbon_reports(\'[{{"unit_id": {unit}, "year": 2031}}]\')',
    "select * from public.get_carbon_reports({unit})",
    "select * from public.get_carbon_report_of_year({unit}, 2025)",
    "select * from public.get_carbon_report({carbon})",
    "select * from public.get_carbon_report_modules({carbon})",
    "select * from public.set_carbon_module_status({carbon}, 1, 2)",
    "select * from public.get_carbon_module({unit}, 2025, 'headcount')",
    "select * from public.get_data_entry({unit}, 2025, 'headcount', 'member', {entry})",
    "select public.get_data_entries({unit}, 2025, 'headcount', 'member', sort_by => 'fte', filter => 'x')",
    "select public.get_module_view({unit}, 2025, 'headcount')",
    "select * from public.get_headcount_members({unit}, 2025)",
    "select public.is_unique_in_module({unit}, 2025, 'headcount', 'member', 'name', 'x')",
    "select public.get_module_classes({unit}, 2025, 'equipment', true)",
    "select public.get_trips({unit}, 2025)",
    "select * from public.create_data_entry({unit}, 2025, 'headcount', 'student', '{{\"fte\": 1}}')",
    "select * from public.update_data_entry({unit}, 2025, 'headcount', 'member', {entry}, '{{\"fte\": 1}}')",
    "select public.delete_data_entry({unit}, 2025, 'headcount', 'member', {entry})",
    "select public.get_validated_totals({carbon})",
    "select public.get_results_summary({carbon})",
    "select public.get_emission_breakdown({carbon})",
    "select public.get_it_breakdown({carbon})",
    "select * from public.example_units()",
    "select * from public.carbon_stats_differences()",
    "select * from public.carbon_duplicates(5)",
    "select * from public.find_carbon_units('lab', 0, 5)",
    "select * from public.find_carbon_projects({unit})",
    "select * from public.find_carbon_reports({unit}, 0, 2025, 0, 5)",
    "select * from public.find_explore_reports(0, 5, 'infinity')",
    "select public.require_unit_access({unit})",
    "select public.pick_role_for_institutional_id('[]', 'x')",
    "select public.carbon_permissions()",
    "select * from public.carbon_rights()",
]
# As the caller, outside a transaction block.
CALLS_AS_THE_CALLER = [
    "call public.run_rerun_batch(2, 1)",
    "call public.undo_rerun_batch(1)",
    "call public.purge_runs(interval '0', 0)",
    "call public.purge_by_retention()",
    "call pgreprise.purge_in_chunks(interval '0', 0, 100)",
    "call pgreprise.refuse_transaction_block()",
    "select pgreprise.called_by(null, 1)",
    "select pgreprise.wal_position()",
    "select * from pgreprise.feeds()",
    """select pgreprise.add_counts('{{"reports": 1}}', '{{"reports": 2, "more": 1}}')""",
]


MIMICKED_TABLES = (
    "report_outputs",
    "simulations",
    "reform_impact",
    "country",
    "report_key",
    "routine_version",
    "rerun",
    *carbon.TABLES,
)

# What a careless routine would resolve by its search_path: name, operator, operands, value.
OPERATORS = {
    "trap_equal_1": ("=", "varchar", "text", "true"),
    "trap_equal_2": ("=", "varchar", "varchar", "true"),
    "trap_equal_3": ("=", "integer", "bigint", "true"),
    "trap_equal_4": ("=", "bigint", "bigint", "true"),
    "trap_unequal": ("<>", "varchar", "varchar", "true"),
    "trap_equal_5": ("=", "text", "text", "true"),
    "trap_append": ("||", "text", "varchar", "'x'::text"),
    "trap_append_2": ("||", "jsonb", "jsonb", "'{}'::jsonb"),
    "trap_arrow": ("->", "jsonb", "text", "'{}'::jsonb"),
    "trap_arrow_2": ("->>", "jsonb", "text", "'0'::text"),
    "trap_less": ("<", "integer", "integer", "true"),
    "trap_less_2": ("<", "bigint", "integer", "true"),
}
FUNCTIONS = {
    "format(text, varchar)": "'x'::text",
    "format(text, bigint)": "'x'::text",
    "to_jsonb(bigint[])": "null::jsonb",
    "now()": "null::timestamptz",
    "length(varchar)": "1",
    "cardinality(bigint[])": "1",
    "current_setting(text)": "'x'::text",
    "json_typeof(json)": "'null'::text",
    "btrim(varchar)": "'x'::text",
    "replace(text, text, text)": "'headcount'::text",
    "jsonb_typeof(jsonb)": "'array'::text",
    "floor(numeric)": "1",
    "reset_report(bigint, text)": "1",
    "reset_simulation(bigint, text)": "1",
    "enter(text)": "1",
    "require_country(text)": "1",
    "start_report_runs(bigint[], boolean)": "1",
    "raise_not_found(text, bigint)": "1",
    "add_counts(jsonb, jsonb)": "'{}'::jsonb",
    "rerun_batch_chunk(bigint, integer, bigint)": "'{}'::jsonb",
    "set_config(text, text, boolean)": "'x'::text",
    "jsonb_array_length(jsonb)": "1",
    "jsonb_build_object(text, bigint, text, integer)": "'{}'::jsonb",
    "jsonb_build_object(text, integer, text, integer)": "'{}'::jsonb",
    "octet_length(text)": "1",
}


def plant(connection: Connection, schema: str, signature: str, value: str) -> None:
    """Create a function that writes down as whom it ran; in schema public beside the one it mimics."""
    kind = {"true": "bool", "1": "integer"}.get(value) or value.split("::")[1]
    body = f"begin perform planted.write_down(current_user); return {value}; end"
    if schema != "public" or not signature.startswith(("reset_", "rerun_batch_chunk")):
        connection.execute(f"create function {schema}.{signature} returns {kind} language plpgsql as $${body}$$")


CLAIM, COMPUTING = (f"00000000-0000-4000-8000-00000000000{number}" for number in (1, 2))
COMPUTED = 6


def become_attacker(connection: Connection, name: str) -> None:
    """Go on as a role that may call everything, create in schemas, and put them first in its search_path.

    It plants look-alikes of the operators, functions and tables that the routines use. Each planted function writes
    down as whom it ran.
    """
    set_versions(connection)
    # Columns of the host's own are copied by statements that are made when they run.
    connection.execute("alter table public.reform_impact add host_note text default 'kept'")
    for policy in (3, 4):
        add_report(connection, add_simulation(connection, policy_id=2), add_simulation(connection, policy_id=policy))
        add_reform_impact(connection, reform_policy_id=policy)
    # Report 1 can be undone, report 2 was rerun by batch 1, and batch 2 is to be run.
    connection.execute("call rerun_report(1)")
    for batch in (1, 2):
        connection.execute("select set_setting('archive_keep', '1 year')")
        connection.execute("select create_rerun_batch('{\"ids\": [2, 99]}')")
        if batch == 1:
            connection.execute("select rerun_batch_chunk(1)")
    add_reform_impact(connection)
    # One claim that only has to finish its report, and one that has a simulation to compute.
    for claim_id, status in ((CLAIM, "complete"), (COMPUTING, "pending")):
        simulation = add_simulation(connection, status=status)
        add_report(connection, simulation, status="pending", output=None, year=f"claimed {status}")
        connection.execute("select * from claim_report('worker', report_id => (select max(id) from report_outputs))")
        for table in ("claim", "claim_simulation"):
            connection.execute(
                f"update pgreprise.{table} set claim_id = %s where claim_id not in (%s, %s)",  # noqa: S608
                (claim_id, CLAIM, COMPUTING),
            )
    # Report 5 is stuck.
    add_report(connection, add_simulation(connection), status="running", output=None, year="stuck")
    calculator = carbon.add_report(connection, carbon.add_unit(connection))
    carbon.add_report(connection, 1, report_type="Simulator_Explore", last_updated=None)
    carbon.add_entry(connection, calculator, 1, 5, fte=1)
    connection.execute(f"create role {name} in role pgreprise_reader, pgreprise_api, pgreprise_dba")
    connection.execute(f"create schema planted authorization {name}")
    # As on a host that came from PostgreSQL 14 or older, where everyone may create in public.
    connection.execute("grant create on schema public to public")
    connection.execute(f"set role {name}")
    connection.execute("create table planted.caught (ran_as name)")
    connection.execute("grant usage on schema planted to public")
    connection.execute("grant insert, select on planted.caught to public")
    connection.execute(
        "create function planted.write_down(name) returns void language plpgsql as "
        "$$begin insert into planted.caught values ($1); end$$"
    )
    for schema in ("planted", "public", "pg_temp"):
        for trap, (operator, left, right, value) in OPERATORS.items():
            plant(connection, schema, f"{trap}({left}, {right})", value)
            operands = f"leftarg = {left}, rightarg = {right}"
            connection.execute(f"create operator {schema}.{operator} ({operands}, function = {schema}.{trap})")
        for signature, value in FUNCTIONS.items():
            plant(connection, schema, signature, value)
    for schema in ("planted", "pg_temp"):
        for table in MIMICKED_TABLES:
            connection.execute(
                f"create table {schema}.{table} (id bigint, country_id varchar, report_id bigint, status text)"
            )
    connection.execute("set search_path = planted, pg_temp, public, pg_catalog")


@contextmanager
def attacking(database: URL, name: str) -> Iterator[Connection]:
    with connect_to(database) as connection:
        become_attacker(connection, name)
        yield connection
        connection.execute("reset role")
        connection.execute(f"drop owned by {name} cascade")
        connection.execute(f"drop role {name}")


@pytest.fixture(scope="module")
def attack(shared_database: URL) -> Iterator[Connection]:
    with attacking(shared_database, f"pgreprise_test_attacker_{os.getpid()}") as connection:
        yield connection


@pytest.fixture
def committing_attacker(database: URL) -> Iterator[Connection]:
    """A session of an attacker, in a database of the test; every statement commits by itself."""
    with attacking(database, f"pgreprise_test_committing_attacker_{os.getpid()}") as connection:
        yield connection


@pytest.fixture
def attacker(attack: Connection) -> Iterator[Connection]:
    """The session of the attacker, in a transaction that ends with the test."""
    with attack.transaction(force_rollback=True):
        yield attack


def test_the_attack_is_tried_on_every_entry_point() -> None:
    entry_points = {name for name, callers in EXPECTED.items() if callers}
    tried = {call.split("(")[0].split(" ")[-1]: call for call in (*CALLS, *CALLS_AS_THE_CALLER)}
    assert tried.keys() == entry_points
    assert {name for name, call in tried.items() if call in CALLS_AS_THE_CALLER} == AS_THE_CALLER


def caught(connection: Connection) -> set[str]:
    return {row["ran_as"] for row in connection.execute("select distinct ran_as::text from planted.caught").fetchall()}


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.split("(")[0].split(".")[-1])
def test_nothing_planted_runs_with_the_owners_rights(attacker: Connection, call: str) -> None:
    attacker.execute("delete from planted.caught")
    named = {"claim": CLAIM, "computing": COMPUTING, "computed": COMPUTED}
    attacker.execute(call.format(report=1, simulation=1, unit=1, carbon=1, explore=2, entry=1, **named).encode())
    assert "pgreprise_owner" not in caught(attacker)


@pytest.mark.parametrize("call", CALLS_AS_THE_CALLER, ids=lambda call: call.split("(")[0].split(".")[-1])
def test_nothing_planted_runs_in_what_runs_as_its_caller(committing_attacker: Connection, call: str) -> None:
    # The caller may be a DBA, and the one who planted somebody else.
    committing_attacker.execute("delete from planted.caught")
    committing_attacker.execute(call.format().encode())
    assert caught(committing_attacker) == set()


def test_the_calls_of_an_attacker_do_what_they_do_for_anyone(attacker: Connection) -> None:
    result = one(attacker, "call public.rerun_report(1, 'us')")["result"]
    assert result["economy_cache_rows_deleted"] == 1
    attacker.execute("reset role; set local search_path = pg_catalog")
    after = snapshot(attacker)
    rows = [row for row in (*after["report_outputs"], *after["simulations"]) if row["id"] <= 2]
    assert {row["status"] for row in rows} == {"pending"}
    assert after["reform_impact"] == []


def test_the_trap_catches_a_routine_without_a_safe_search_path(attacker: Connection) -> None:
    # The same attack on a careless routine succeeds; otherwise the tests above would prove nothing.
    attacker.execute("reset role")
    attacker.execute(
        """
        create function public.careless(country varchar) returns bigint language plpgsql security definer
        as 'begin return (select count(*) from public.report_outputs as r where r.country_id = careless.country); end'
        """
    )
    attacker.execute("alter function public.careless owner to pgreprise_owner")
    attacker.execute("select public.careless('us')")
    assert caught(attacker) == {"pgreprise_owner"}


def test_text_that_looks_like_sql_is_only_text(dba: Connection, connect: Connect) -> None:
    set_versions(dba)
    simulation = add_simulation(dba, population_type="household")
    add_report(dba, simulation, status="running")
    api = connect(role="pgreprise_api")
    hostile = "x'); delete from public.simulations; --%s %I {} :name $1"
    row = one(api, "select error_message from update_report(1, 'us', error_message => %s)", hostile)
    assert row["error_message"] == hostile
    found = one(
        api,
        "select (found.stored).population_id from get_or_create_simulation('us', %s, 'household', 1) as found",
        hostile,
    )
    assert found["population_id"] == hostile
    assert len(snapshot(dba)["simulations"]) == 2
