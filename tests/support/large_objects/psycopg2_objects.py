"""psycopg2 with large objects, which libpq asks for by FunctionCall."""
import sys

import psycopg2

conn = psycopg2.connect("")
cur = conn.cursor()
for number in range(3):
    made = conn.lobject(0, "wb")
    made.write(b"large " * (number + 1))
    cur.execute("insert into file values (%s, %s)", (number, made.oid))
    made.close()
    conn.commit()
print("made", flush=True)
sys.stdin.readline()
cur.execute("select id, object from file order by id")
for number, oid in cur.fetchall():
    kept = conn.lobject(oid, "rb")
    assert kept.read() == b"large " * (number + 1)
    kept.close()
    cur.execute("select lo_get(object) from file where id = %s", (number,))
    conn.commit()
conn.lobject(oid, "n").unlink()
conn.commit()
conn.close()
