"""SQLAlchemy: reflects a schema, and asks its inspector for all that it knows."""
from sqlalchemy import MetaData, create_engine, inspect

engine = create_engine("postgresql+psycopg2://")
metadata = MetaData()
metadata.reflect(engine, schema="app", views=True)
assert "app.orders" in metadata.tables, list(metadata.tables)
inspector = inspect(engine)
inspector.get_schema_names()
inspector.get_enums(schema="app")
inspector.get_foreign_table_names(schema="app")
inspector.get_sequence_names(schema="app")
inspector.get_view_names(schema="app")
for view in inspector.get_view_names(schema="app"):
    inspector.get_view_definition(view, schema="app")
for table in inspector.get_table_names(schema="app"):
    inspector.has_table(table, schema="app")
    inspector.get_table_oid(table, schema="app")
    inspector.get_columns(table, schema="app")
    inspector.get_pk_constraint(table, schema="app")
    inspector.get_unique_constraints(table, schema="app")
    inspector.get_check_constraints(table, schema="app")
    inspector.get_foreign_keys(table, schema="app")
    inspector.get_indexes(table, schema="app")
    inspector.get_table_comment(table, schema="app")
engine.dispose()
