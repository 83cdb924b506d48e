"""Number the runs of reports and simulations. Both columns are added at once, whatever the size of the tables.

Revision: reports_0002
Revises: reports_0001
"""

from alembic import op

revision = "reports_0002"
down_revision = "reports_0001"
branch_labels = None
depends_on = None
# A downgrade that would be refused is refused before it changes anything.
check_first_downgrade = "reports/keep_history"

TABLES = ("report_outputs", "simulations")


def upgrade() -> None:
    for table in TABLES:
        op.execute(f"alter table public.{table} add column run_sequence integer not null default 1")


def downgrade() -> None:
    op.run_sql("reports/keep_history")
    for table in reversed(TABLES):
        op.execute(f"alter table public.{table} drop column run_sequence")
