"""
Loads rows by COPY with psycopg 3: text, CSV and binary, by rows and by blocks; or
("fail") in ways of which the primary keeps nothing: in a transaction that is rolled
back, with a row that it refuses, with CopyFail.
"""

import sys
from concurrent.futures import ThreadPoolExecutor

import psycopg

URL, WAY, STEPS, CLIENTS = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])


def load(who: int) -> None:
    with psycopg.connect(URL, autocommit=True) as db:
        for step in range(STEPS):
            # By equal rows nobody could tell which transaction of the log is whose.
            first = who * 10000 + step * 100
            marks = [first + i for i in range(5)]
            with db.cursor() as cursor:
                with cursor.copy("COPY orders (name, who) FROM STDIN") as copy:
                    for mark in marks:
                        copy.write_row((f"tab\t line\n back\\ é {mark}", mark))
                with cursor.copy(
                    "COPY orders (name, who) FROM STDIN (FORMAT BINARY)"
                ) as copy:
                    copy.set_types(["text", "int4"])
                    for mark in (mark + 10 for mark in marks):
                        copy.write_row((None if mark % 2 else f"b {mark}", mark))
                rows = "".join(f'"a\n""{mark}""",{mark}\r\n' for mark in (mark + 20 for mark in marks))
                data = ("name,who\r\n" + rows).encode()
                with cursor.copy(
                    "COPY orders (name, who) FROM STDIN (FORMAT csv, HEADER)"
                ) as copy:
                    for at in range(0, len(data), 7):
                        copy.write(data[at : at + 7])
            with db.transaction(), db.cursor() as cursor:
                with cursor.copy("COPY items (name, who) FROM STDIN") as copy:
                    for mark in marks:
                        copy.write_row((f"i {mark}", mark))
                found = cursor.execute(
                    "SELECT id, code FROM items WHERE who = %s", (marks[2],)
                ).fetchall()
                cursor.execute(
                    "UPDATE items SET name = 'seen' WHERE id = %s", (found[0][0],)
                )


def fail(who: int) -> None:
    with psycopg.connect(URL, autocommit=True) as db:
        for _ in range(STEPS):
            with db.transaction(force_rollback=True), db.cursor() as cursor:
                with cursor.copy("COPY items (who) FROM STDIN") as copy:
                    copy.write(f"{who}\n{who}\n")
            try:
                with db.cursor().copy("COPY items (who) FROM STDIN") as copy:
                    copy.write(f"{who}\n{who}\n1000000\n")
            except psycopg.errors.CheckViolation:
                pass
            try:
                with db.cursor().copy("COPY items (who) FROM STDIN") as copy:
                    copy.write(f"{who}\n")
                    raise KeyError("no more")
            except psycopg.errors.QueryCanceled:
                pass
            db.execute("INSERT INTO items (who) VALUES (%s) RETURNING id", (who,))


with ThreadPoolExecutor(CLIENTS) as pool:
    list(pool.map(load if WAY == "load" else fail, range(1, CLIENTS + 1)))
