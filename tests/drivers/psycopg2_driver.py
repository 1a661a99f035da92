"""psycopg2, on libpq. It has no pipeline, and prepares by SQL only."""
import io
import json
import threading

import psycopg2

conn = psycopg2.connect("")
cur = conn.cursor()
seen = {}


def one(sql, values=()):
    cur.execute(sql, values)
    return cur.fetchone()


seen["user"] = one("select current_user")[0]
cur.execute("prepare p (int, text) as select $1 + 1, $2")
seen["prepared"] = [
    list(one("execute p (%s, %s)", values))
    for values in [(41, "first ☕"), (42, None)]
]
big, *rest, raw, nothing, text = one(
    "select %s::bigint, %s::float8, %s::boolean, %s::bytea, %s::text, %s::text",
    (9007199254740993, 0.5, True, b"\x00\xffA", None, "naïve 😀"),
)
seen["values"] = [str(big), *rest, bytes(raw).hex(), nothing, text]
conn.commit()

cur.copy_expert("copy item from stdin", io.StringIO("1\tone\n2\t\\N\n3\tzwölf 😀\n"))
out = io.StringIO()
cur.copy_expert("copy (select n, t from item order by n) to stdout", out)
seen["copy"] = out.getvalue().splitlines()
conn.rollback()
seen["rolledBack"] = one("select count(*) from item")[0]
conn.commit()


def sqlstate(sql):
    try:
        one(sql)
    except psycopg2.Error as error:
        conn.rollback()
        return error.pgcode


seen["failed"] = sqlstate("select 1 / 0")
ended = threading.Event()


def cancel():
    while not ended.wait(0.2):
        conn.cancel()


canceller = threading.Thread(target=cancel)
canceller.start()
seen["cancel"] = sqlstate("select pg_sleep(60)")
ended.set()
canceller.join()
conn.close()
print(json.dumps(seen))
