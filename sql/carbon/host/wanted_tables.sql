-- wanted_tables: the tables of the carbon domain, for the files of core/adoption that check, record, grant and drop
-- tables (check_tables, record_created, grant_tables, drop_created). A table is listed after those that it refers to.
-- A column is "required" when it must be not null, and "given" when pgreprise writes it in each new row,
-- and "nulled" when it may write null there. Constraints may exist already. The calculator keeps times without a time
-- zone in UTC; only that type can be written so.
select pg_catalog.set_config('pgreprise.wanted_tables', $json$
{
  "domain": "carbon",
  "enums": {
    "carbon_report_type_enum": ["Calculator", "Simulator_Explore", "Simulator_Plan"],
    "dataentrystatusenum": ["PENDING"]
  },
  "tables": [
    {
      "name": "units", "key": "id", "privileges": "select", "inserted": false,
      "columns": [
        {"name": "id", "type": "id", "required": true},
        {"name": "institutional_id", "type": "text"},
        {"name": "name", "type": "text"}
      ],
      "uniques": [["id"]]
    },
    {
      "name": "carbon_projects", "key": "id", "privileges": "select, insert",
      "columns": [
        {"name": "id", "type": "id", "required": true},
        {"name": "unit_id", "type": "id", "required": true},
        {"name": "carbon_report_type", "type": "public.carbon_report_type_enum", "required": true},
        {"name": "start_year", "type": "integer"},
        {"name": "end_year", "type": "integer"},
        {"name": "name", "type": "text"},
        {"name": "is_viewable_by_unit_members", "type": "boolean", "required": true}
      ],
      "uniques": [["id"]],
      "constraints": {"uq_carbon_projects_unit_type": ["unit_id", "carbon_report_type"]}
    },
    {
      "name": "carbon_reports", "key": "id", "privileges": "select, insert, update, delete",
      "columns": [
        {"name": "id", "type": "id", "required": true},
        {"name": "year", "type": "integer", "required": true},
        {"name": "reference_year", "type": "integer"},
        {"name": "unit_id", "type": "id", "required": true},
        {"name": "carbon_project_id", "type": "id", "given": true},
        {"name": "last_updated", "type": "id", "given": true},
        {"name": "completion_progress", "type": "text", "length": 3, "given": true},
        {"name": "overall_status", "type": "integer", "given": true},
        {"name": "stats", "type": "json", "given": true}
      ],
      "uniques": [["id"]],
      "constraints": {"uq_carbon_reports_project_year": ["carbon_project_id", "year"]}
    },
    {
      "name": "carbon_report_modules", "key": "id", "privileges": "select, insert, update, delete",
      "columns": [
        {"name": "id", "type": "id", "required": true},
        {"name": "carbon_report_id", "type": "id", "required": true},
        {"name": "module_type_id", "type": "integer", "required": true},
        {"name": "status", "type": "integer", "required": true},
        {"name": "last_updated", "type": "id"},
        {"name": "stats", "type": "json", "given": true}
      ],
      "uniques": [["id"], ["carbon_report_id", "module_type_id"]]
    },
    {
      "name": "data_entries", "key": "id", "privileges": "select, insert, update, delete",
      "columns": [
        {"name": "id", "type": "id", "required": true},
        {"name": "carbon_report_module_id", "type": "id", "required": true},
        {"name": "data_entry_type_id", "type": "integer", "required": true},
        {"name": "data", "type": "json", "given": true},
        {"name": "status", "type": "public.dataentrystatusenum", "given": true},
        {"name": "created_at", "type": "timestamp without time zone", "given": true},
        {"name": "updated_at", "type": "timestamp without time zone", "given": true}
      ],
      "uniques": [["id"]]
    },
    {
      "name": "data_entry_emissions", "key": "id", "privileges": "select, insert, update, delete",
      "columns": [
        {"name": "id", "type": "id", "required": true},
        {"name": "data_entry_id", "type": "id", "required": true},
        {"name": "emission_type_id", "type": "integer", "required": true},
        {"name": "primary_factor_id", "type": "id", "given": true, "nulled": true},
        {"name": "kg_co2eq", "type": "double precision", "given": true},
        {"name": "additional_value", "type": "double precision", "given": true, "nulled": true},
        {"name": "scope", "type": "integer", "given": true, "nulled": true},
        {"name": "meta", "type": "json", "given": true},
        {"name": "computed_at", "type": "timestamp with time zone", "given": true}
      ],
      "uniques": [["id"]]
    }
  ]
}
$json$, false);
