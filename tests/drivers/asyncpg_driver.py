"""asyncpg, which speaks the protocol itself. Its executemany is a pipeline."""
import asyncio
import io
import json
import os
import ssl

import asyncpg


async def main():
    tls = False
    if os.environ["PGSSLMODE"] == "verify-full":
        tls = ssl.create_default_context(cafile=os.environ["PGSSLROOTCERT"])
    conn = await asyncpg.connect(ssl=tls)
    seen = {}
    seen["user"] = await conn.fetchval("select current_user::text")
    prepared = await conn.prepare("select $1::int + 1, $2::text")
    seen["prepared"] = [
        list(await prepared.fetchrow(*values))
        for values in [(41, "first ☕"), (42, None)]
    ]
    big, *rest, raw, nothing, text = await conn.fetchrow(
        "select $1::bigint, $2::float8, $3::boolean, $4::bytea, $5::text, $6::text",
        *(9007199254740993, 0.5, True, b"\x00\xffA", None, "naïve 😀"),
    )
    seen["values"] = [str(big), *rest, raw.hex(), nothing, text]

    batch = conn.transaction()
    await batch.start()
    await conn.executemany("insert into item values ($1)", [(1,), (2,), (3,)])
    rows = await conn.fetch("select n from item order by n")
    seen["pipeline"] = [row[0] for row in rows]
    await batch.rollback()

    copied = conn.transaction()
    await copied.start()
    source = io.BytesIO("1\tone\n2\t\\N\n3\tzwölf 😀\n".encode())
    await conn.copy_to_table("item", source=source)
    out = io.BytesIO()
    await conn.copy_from_query("select n, t from item order by n", output=out)
    seen["copy"] = out.getvalue().decode().splitlines()
    await copied.rollback()
    seen["rolledBack"] = await conn.fetchval("select count(*) from item")

    async def sqlstate(sql):
        try:
            await conn.execute(sql)
        except asyncpg.PostgresError as error:
            return error.sqlstate

    seen["failed"] = await sqlstate("select 1 / 0")

    # Cancelling the task cancels the statement; its SQLSTATE is kept from us.
    running = asyncio.Event()
    conn.add_log_listener(lambda *_: running.set())
    await conn.execute("begin")
    task = asyncio.ensure_future(conn.execute(
        "do $$ begin raise notice 'running'; perform pg_sleep(60); end $$"
    ))
    await running.wait()
    task.cancel()
    await asyncio.wait([task])
    seen["cancel"] = await sqlstate("select 1")
    await conn.execute("rollback")
    await conn.close()
    print(json.dumps(seen))


asyncio.run(main())
