"""Who the caller is and what they may do: the claims of a token, handed over as a setting.

Revision: core_0002
Revises: core_0001
"""

from alembic import op

revision = "core_0002"
down_revision = "core_0001"
branch_labels = None
depends_on = None

# A routine stands after those that it calls.
ROUTINES = ("claims", "actor", "is_operator", "require_scope")


def upgrade() -> None:
    for name in ROUTINES:
        op.create_routine(f"core/{name}", version=1)


def downgrade() -> None:
    for name in reversed(ROUTINES):
        op.drop_routine(f"core/{name}", version=1)
