"""Version 1 of the routines of the reports domain.

Revision: reports_0006
Revises: reports_0005
"""

from alembic import op

revision = "reports_0006"
down_revision = "reports_0005"
branch_labels = None
depends_on = None

TYPES = ("report_row", "simulation_row")
# A routine stands after those that it calls.
ROUTINES = (
    "require_country",
    "raise_report_not_found",
    "raise_simulation_not_found",
    "raise_version_unknown",
    "report_defect",
    "economy_cache_key",
    "check_update",
    "newest_simulation",
    "newest_report",
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
    "example_reports",
)


def upgrade() -> None:
    for name in TYPES:
        op.run_sql(f"reports/types/{name}")
    for name in ROUTINES:
        op.create_routine(f"reports/{name}", version=1)


def downgrade() -> None:
    for name in reversed(ROUTINES):
        op.drop_routine(f"reports/{name}", version=1)
    for name in reversed(TYPES):
        op.execute(f"drop type pgreprise.{name}")
