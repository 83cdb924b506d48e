-- wanted_run_tables: the application's own tables of runs, for the files of core/adoption. No database has to have
-- them: where they exist, reruns add their runs there (attach_run_tables).
select pg_catalog.set_config('pgreprise.wanted_tables', $json$
{
  "domain": "reports",
  "tables": [
    {
      "name": "report_output_runs", "key": "id", "privileges": "select, insert, update, delete",
      "columns": [
        {"name": "id", "type": "uuid", "required": true, "given": true},
        {"name": "report_output_id", "type": "id", "required": true},
        {"name": "run_sequence", "type": "integer", "required": true},
        {"name": "status", "type": "text", "length": 32, "required": true},
        {"name": "output", "type": "json", "nulled": true},
        {"name": "error_message", "type": "text", "nulled": true},
        {"name": "trigger_type", "type": "text", "length": 7, "required": true},
        {"name": "requested_at", "type": "timestamp"},
        {"name": "started_at", "type": "timestamp", "nulled": true},
        {"name": "finished_at", "type": "timestamp", "nulled": true},
        {"name": "source_run_id", "type": "uuid", "nulled": true},
        {"name": "report_spec_snapshot_json", "type": "json", "nulled": true},
        {"name": "country_package_version", "type": "text", "length": 10},
        {"name": "report_cache_version", "type": "text", "length": 10},
        {"name": "resolved_dataset", "type": "text", "nulled": true}
      ],
      "uniques": [["id"], ["report_output_id", "run_sequence"]]
    },
    {
      "name": "simulation_runs", "key": "id", "privileges": "select, insert, update, delete",
      "columns": [
        {"name": "id", "type": "uuid", "required": true, "given": true},
        {"name": "simulation_id", "type": "id", "required": true},
        {"name": "report_output_run_id", "type": "uuid", "nulled": true},
        {"name": "input_position", "type": "integer", "nulled": true},
        {"name": "run_sequence", "type": "integer", "required": true},
        {"name": "status", "type": "text", "length": 32, "required": true},
        {"name": "output", "type": "json", "nulled": true},
        {"name": "error_message", "type": "text", "nulled": true},
        {"name": "trigger_type", "type": "text", "length": 7, "required": true},
        {"name": "requested_at", "type": "timestamp"},
        {"name": "started_at", "type": "timestamp", "nulled": true},
        {"name": "finished_at", "type": "timestamp", "nulled": true},
        {"name": "source_run_id", "type": "uuid", "nulled": true},
        {"name": "simulation_spec_snapshot_json", "type": "json", "nulled": true},
        {"name": "country_package_version", "type": "text", "length": 10}
      ],
      "uniques": [["id"], ["simulation_id", "run_sequence"]]
    }
  ]
}
$json$, false);
