"""${message}

`pre_` revisions are safe while the old version still runs; `post_` ones only after it has stopped.
"""

from alembic import op

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = None
depends_on = None


def upgrade() -> None:
    ${upgrades if upgrades else "pass"}
