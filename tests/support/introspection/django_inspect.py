"""Django: inspectdb with partitions and views, and what migrations ask."""
import io
import os

from django.conf import settings
from django.core.management import call_command
from django.db import connection

import django

settings.configure(
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "HOST": os.environ["PGHOST"],
            "PORT": os.environ["PGPORT"],
            "USER": os.environ["PGUSER"],
            "NAME": os.environ["PGDATABASE"],
            "OPTIONS": {"options": "-c search_path=app,public"},
        }
    },
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.postgres"],
    USE_TZ=True,
)
django.setup()
models = io.StringIO()
call_command(
    "inspectdb", include_partitions=True, include_views=True, stdout=models
)
assert "class Orders(models.Model)" in models.getvalue(), models.getvalue()
call_command("showmigrations", stdout=io.StringIO())
introspection = connection.introspection
with connection.cursor() as cursor:
    for table in introspection.get_table_list(cursor):
        introspection.get_table_description(cursor, table.name)
        introspection.get_sequences(cursor, table.name)
        introspection.get_relations(cursor, table.name)
        introspection.get_key_columns(cursor, table.name)
        introspection.get_constraints(cursor, table.name)
connection.close()
