"""asyncpg with types of the database's own: it asks for them, and has no others than in binary."""
import asyncio
import sys

import asyncpg


async def write(conn, insert, first):
    """Rows by parameters of all own types, and some by COPY in binary."""
    for n in range(first, first + 3):
        await insert.fetch(
            n,
            "happy",
            ["sad", "happy", None],
            (n, "sad"),
            [(n, "happy"), (n + 1, "sad"), None],
            {"n": str(n), "none": None},
            f"Person{n}@Example",
            "(1,2,3)",
        )
        await conn.execute(
            "update person set moods = $1 || moods where mood = $2 and moods @> $3 and id = $4",
            *(["sad"], "happy", ["happy"], n),
        )
    await conn.copy_records_to_table(
        "person",
        columns=["id", "moods", "pair", "pairs"],
        records=[
            (n, ["sad"] * n, (n, "sad"), [(n, "happy")])
            for n in range(first + 3, first + 6)
        ],
    )


async def read(conn):
    rows = await conn.fetch(
        "select id, mood, moods, pair, pairs, attributes, mail from person order by id"
    )
    assert all(row["pair"] is None or row["pair"]["b"] == "sad" for row in rows)
    found = await conn.fetch(
        "select id from person where pair = any($1::pair[]) or mood = any($2) order by id",
        *([(10, "sad"), (11, "sad")], ["happy"]),
    )
    assert len(found) > 0
    after = await conn.fetch("select id from person where mood > $1 order by id", "sad")
    assert len(after) > 0


async def main():
    conn = await asyncpg.connect(ssl=False)
    await conn.set_builtin_type_codec(
        "hstore", schema="public", codec_name="pg_contrib.hstore"
    )
    insert = await conn.prepare(
        "insert into person values ($1, $2, $3, $4, $5, $6, $7, $8::text::cube) returning *"
    )
    await write(conn, insert, 10)
    await read(conn)
    print("first", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
    await write(conn, insert, 20)
    await read(conn)
    await conn.close()


asyncio.run(main())
