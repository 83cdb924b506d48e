-- wanted_tables: the host's tables of the reports domain, for the files of core/adoption that check, record, grant and
-- drop tables (check_tables, record_created, grant_tables, drop_created).
-- About a column: "required" means that it must not be null; "length" is the number of characters that a text column
-- must have room for.
-- An "optional" column may be missing, and a "nulled" one gets null from pgreprise.
-- A table that has a "reserved" column is refused: every rerun would change it, and a downgrade would drop it.
select pg_catalog.set_config('pgreprise.wanted_tables', $json$
{
  "domain": "reports",
  "tables": [
    {
      "name": "simulations", "key": "id", "privileges": "select, insert, update",
      "columns": [
        {"name": "id", "type": "id", "required": true},
        {"name": "country_id", "type": "text", "length": 3, "required": true},
        {"name": "api_version", "type": "text", "length": 10, "required": true},
        {"name": "population_id", "type": "text", "length": 255, "required": true},
        {"name": "population_type", "type": "text", "length": 50, "required": true},
        {"name": "policy_id", "type": "integer", "required": true},
        {"name": "status", "type": "text", "length": 32, "required": true},
        {"name": "output", "type": "json", "nulled": true},
        {"name": "error_message", "type": "text", "nulled": true},
        {"name": "simulation_spec_json", "type": "json", "optional": true},
        {"name": "simulation_spec_schema_version", "type": "integer", "optional": true},
        {"name": "active_run_id", "type": "uuid", "length": 36, "optional": true, "nulled": true},
        {"name": "latest_successful_run_id", "type": "uuid", "length": 36, "optional": true, "nulled": true}
      ],
      "reserved": ["run_sequence"],
      "uniques": [["id"]]
    },
    {
      "name": "report_outputs", "key": "id", "privileges": "select, insert, update",
      "columns": [
        {"name": "id", "type": "id", "required": true},
        {"name": "country_id", "type": "text", "length": 3, "required": true},
        {"name": "simulation_1_id", "type": "id", "required": true},
        {"name": "simulation_2_id", "type": "id", "nulled": true},
        {"name": "api_version", "type": "text", "length": 10, "required": true},
        {"name": "status", "type": "text", "length": 32, "required": true},
        {"name": "output", "type": "json", "nulled": true},
        {"name": "error_message", "type": "text", "nulled": true},
        {"name": "year", "type": "text", "length": 4, "given": true},
        {"name": "report_kind", "type": "text", "optional": true},
        {"name": "report_spec_json", "type": "json", "optional": true},
        {"name": "report_spec_schema_version", "type": "integer", "optional": true},
        {"name": "report_spec_status", "type": "text", "optional": true},
        {"name": "active_run_id", "type": "uuid", "length": 36, "optional": true, "nulled": true},
        {"name": "latest_successful_run_id", "type": "uuid", "length": 36, "optional": true, "nulled": true}
      ],
      "reserved": ["run_sequence"],
      "uniques": [["id"]]
    },
    {
      "name": "reform_impact", "key": "reform_impact_id", "privileges": "select, insert, update, delete",
      "inserted": false,
      "columns": [
        {"name": "reform_impact_id", "type": "id", "required": true},
        {"name": "baseline_policy_id", "type": "integer", "required": true},
        {"name": "reform_policy_id", "type": "integer", "required": true},
        {"name": "country_id", "type": "text", "length": 3, "required": true},
        {"name": "region", "type": "text", "required": true},
        {"name": "dataset", "type": "text", "required": true},
        {"name": "time_period", "type": "text", "required": true},
        {"name": "options_json", "type": "json"},
        {"name": "options_hash", "type": "text"},
        {"name": "api_version", "type": "text", "required": true},
        {"name": "reform_impact_json", "type": "json"},
        {"name": "status", "type": "text", "required": true},
        {"name": "message", "type": "text"},
        {"name": "start_time", "type": "timestamp"},
        {"name": "end_time", "type": "timestamp"},
        {"name": "execution_id", "type": "text"}
      ],
      "uniques": [["reform_impact_id"]]
    }
  ]
}
$json$, false);
