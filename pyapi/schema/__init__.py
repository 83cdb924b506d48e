"""The SQL files, and how a database gets them: Alembic operations, migrations, the legacy import."""
