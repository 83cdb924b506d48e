"""The kit: roles, schema pgreprise, the registry of routine versions, and what every domain calls.

Revision: core_0001
"""

from alembic import op

revision = "core_0001"
down_revision = None
branch_labels = ("core",)
depends_on = None

# after_routine stands first: it records the others.
KIT = ("after_routine", "before_routine", "remove_routine", "drop_invalid_index")


def upgrade() -> None:
    op.run_sql("core/steps/roles")
    op.run_sql("core/steps/schema_privileges")
    op.run_sql("core/tables/routine_version")
    for name in KIT:
        op.bootstrap_routine(f"core/{name}", version=1)
    op.create_routine("core/bound_lock_wait", version=1)
    op.create_routine("core/status", version=1)


def downgrade() -> None:
    op.drop_routine("core/status", version=1)
    op.drop_routine("core/bound_lock_wait", version=1)
    for name in reversed(KIT):
        op.execute(f"drop function pgreprise.{name}")
    op.execute("drop table pgreprise.routine_version")
    op.run_sql("core/steps/schema_privileges_undo")
