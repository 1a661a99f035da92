"""asyncpg: it asks for the types that it does not know, and sends and reads all in binary."""
import asyncio

import asyncpg


async def main():
    conn = await asyncpg.connect()
    await conn.execute("set search_path to app, public")
    await conn.set_builtin_type_codec("hstore", schema="public", codec_name="pg_contrib.hstore")
    for text, *values in [
        ("select $1::status, $2::status[]", "new", ["paid", "sent"]),
        ("select $1::address, $2::address[]", ("s", "c", "1"), [("s", "c", None)]),
        ("select $1::email, $2::positive", "a@example.com", 3),
        ("select $1::hstore", {"k": "v"}),
        ("select $1::floats", asyncpg.Range(1.5, 2.5)),
        ("select * from customer where id < $1 order by id", 5),
        ("select * from orders where state = any($1) order by id limit 5", ["new", "sent"]),
        ("select array_agg(state order by id), array_agg(during order by id) from orders where id < $1", 5),
        ("select o from orders o where id = $1", 1),
        ("select row(state, id, array[state]) from orders where id = $1", 1),
        ("select json_agg(lives order by id) from customer where id < $1", 4),
    ]:
        assert await conn.fetch(text, *values), text
    await conn.close()


asyncio.run(main())
