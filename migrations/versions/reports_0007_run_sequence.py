"""Runs of reports and simulations are numbered. Both columns are added at once, whatever the tables' size.

Revision: reports_0007
Revises: reports_0006
"""

from alembic import op

revision = "reports_0007"
down_revision = "reports_0006"
branch_labels = None
# Rows of the history tell whose claims were given.
depends_on = ("core_0002",)
check_first = "reports/steps/adopt_run_sequence"

TABLES = ("report_outputs", "simulations")


def upgrade() -> None:
    for table in TABLES:
        op.execute(f"alter table public.{table} add column run_sequence integer not null default 1")


def downgrade() -> None:
    for table in reversed(TABLES):
        op.execute(f"alter table public.{table} drop column run_sequence")
