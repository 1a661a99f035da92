"""psycopg 3 with types of the database's own, its parameters in text and in binary."""
import enum
import sys

import psycopg
from psycopg.types import TypeInfo
from psycopg.types.composite import CompositeInfo, register_composite
from psycopg.types.enum import EnumInfo, register_enum
from psycopg.types.hstore import register_hstore


class Mood(enum.Enum):
    sad = "sad"
    happy = "happy"


def write(conn, prepare, first):
    """Two rows by parameters of all own types, and one by COPY in binary."""
    for binary in [False, True]:
        n = first + binary
        form = "b" if binary else "t"
        conn.execute(
            f"insert into person values (%{form}, %{form}, %{form}, %t::pair,"
            f" %t::pair[], %t, %{form}, %{form}::text::cube)",
            (
                n,
                Mood.happy,
                [Mood.sad, Mood.happy, None],
                (n, Mood.sad),
                [(n, Mood.happy), (n + 1, Mood.sad)],
                {"n": str(n), "none": None},
                f"Person{n}@Example",
                "(1,2,3)",
            ),
            prepare=prepare,
        )
        conn.execute(
            f"update person set moods = %{form} || moods where mood = %{form}"
            f" and moods @> %{form} and id = %{form}",
            ([Mood.sad], Mood.happy, [Mood.happy], n),
            prepare=prepare,
        )
    with conn.cursor() as cur:
        with cur.copy("copy person (id, mood, moods) from stdin (format binary)") as copy:
            copy.set_types(["int4", "mood", "mood[]"])
            for n in range(first + 2, first + 5):
                copy.write_row((n, Mood.sad, [Mood.sad] * n))


def read(conn):
    """All rows, in text and in binary, and by parameters."""
    for binary in [False, True]:
        cur = conn.cursor(binary=binary)
        cur.execute("select * from person order by id")
        for row in cur:
            if row[3] is not None:
                assert row[3].b is Mood.sad, row
        cur.execute(
            "select id from person where mood = any(%s) order by id",
            ([Mood.happy, Mood.sad],),
        )
        assert cur.fetchall()
        cur.execute("select id from person where mood > %s order by id", (Mood.sad,))
        assert cur.fetchall()


with psycopg.connect("", autocommit=True) as conn:
    register_enum(EnumInfo.fetch(conn, "mood"), conn, Mood)
    register_composite(CompositeInfo.fetch(conn, "pair"), conn)
    register_hstore(TypeInfo.fetch(conn, "hstore"), conn)
    TypeInfo.fetch(conn, "citext").register(conn)
    write(conn, False, 10)
    write(conn, True, 20)
    read(conn)
    print("first", flush=True)
    sys.stdin.readline()
    # Prepared before.
    write(conn, True, 30)
    read(conn)
