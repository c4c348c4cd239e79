"""Runs migrations on the connection that the caller opened, inside its transaction.

The views show every table, so that with them all tables are known here. They are made anew each time, because a view keeps
its tables from changing; they are there whenever the tables are at the newest version. Who could read them still can.
"""

from alembic import context
from sqlalchemy import text

from busytime.store.columns import metadata
from busytime.store.migrations.view_grants import grant_again, granted_on
from busytime.store.view_texts import view_comments
from busytime.store.views import VIEWS

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=metadata,
    transaction_per_migration=False,
    compare_type=True,
)
granted = granted_on(connection, VIEWS)
for name in VIEWS:
    connection.execute(text(f"DROP VIEW IF EXISTS {name}"))
context.run_migrations()
if context.get_context().get_current_revision() == context.script.get_current_head():
    for name, query in VIEWS.items():
        select = query.compile(dialect=connection.dialect, compile_kwargs={"literal_binds": True})
        connection.execute(text(f"CREATE VIEW {name} AS {select}"))
        if connection.dialect.name == "postgresql":
            for statement in view_comments(name):
                connection.exec_driver_sql(statement)
    grant_again(connection, granted, VIEWS)
