"""The kit: roles, schema pgreprise, the registry of routine versions, and what every domain calls.

Revision: core_0001
"""

from alembic import op

revision = "core_0001"
down_revision = None
branch_labels = ("core",)
depends_on = None

# after_routine comes first: it records the others.
KIT = ("after_routine", "dependent_routines", "before_routine", "remove_routine", "drop_invalid_index")
# A routine comes after those that it calls.
ROUTINES = (
    "status",
    "claims",
    "called_by",
    "wal_position",
    "actor",
    "request_id",
    "client_address",
    "checked_reason",
    "session_role",
    "role_setting",
    "is_operator",
    "has_scope",
    "require_scope",
    "caller_name",
    "caller_scopes",
    "enter",
    "settings",
    "set_setting",
    "check_chunk_size",
    "check_max_rows",
    "add_counts",
    "refuse_transaction_block",
    "table_lockers",
    "locked_rows",
    "raise_lock_wait",
    "lock_rows",
    "limit_lock_wait",
    "id_sequence",
    "sequences_behind",
    "raise_sequence_behind",
    "losing_keys",
    "lost_rows",
    "raise_lost_rows",
    "raise_kept_rows",
    "is_refusal_of_host",
    "host_message",
)


def upgrade() -> None:
    op.run_sql("core/roles")
    op.run_sql("core/schema_privileges")
    op.run_sql("core/routine_version")
    op.run_sql("core/created_object")
    op.run_sql("core/setting")
    for name in KIT:
        op.bootstrap_routine(f"core/{name}", version=1)
    for name in ROUTINES:
        op.create_routine(f"core/{name}", version=1)


def downgrade() -> None:
    for name in reversed(ROUTINES):
        op.drop_routine(f"core/{name}", version=1)
    for name in reversed(KIT):
        op.execute(f"drop function pgreprise.{name}")
    op.execute("drop table pgreprise.setting")
    op.execute("drop table pgreprise.created_object")
    op.execute("drop table pgreprise.routine_version")
    op.run_sql("core/schema_privileges_undo")
