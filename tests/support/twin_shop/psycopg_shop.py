"""The shop by psycopg 3: prepared from the sixth call on, blocks of pipeline.

Arguments: URL, way, clients, seed; of each client: steps, the seconds for them,
and the pause between two in seconds. Prints steps and unexpected errors as JSON.
"""
import json
import random
import sys
import threading
import time
import uuid
from datetime import datetime, timedelta, timezone

import psycopg

URL, WAY = sys.argv[1:3]
CLIENTS, SEED = map(int, sys.argv[3:5])
STEPS, SECONDS, THINK = map(float, sys.argv[5:])
END = time.monotonic() + SECONDS
START = datetime(2030, 1, 1, tzinfo=timezone.utc)
NEVER = datetime(2099, 1, 1, tzinfo=timezone.utc)

steps = {}
unexpected = []
# Orders of all clients. A list's append is atomic.
placed = []


class Client:
    def __init__(self, index):
        self.index = index
        self.random = random.Random(SEED * 1_000_003 + index)
        self.ticks = 0
        self.conn = psycopg.connect(URL, autocommit=True)
        self.customers = self.ids("customers", "email")
        self.products = self.ids("products", "sku")
        self.order = None

    def ids(self, table, name):
        rows = self.conn.execute(f"select id from {table} order by {name} limit 40")
        return [id for (id,) in rows]

    def uuid(self):
        return uuid.UUID(int=self.random.getrandbits(128), version=4)

    def time(self):
        self.ticks += 1
        return START + timedelta(milliseconds=100 * self.ticks + self.index)

    def insert(self, table, returning, row, times=(), tokens=()):
        """Gives the cursor; `returning` only what the server makes."""
        if WAY == "client":
            row = {"id": self.uuid(), **row}
        if WAY != "server":
            row |= {name: self.time() for name in times}
            row |= {name: self.uuid() for name in tokens}
        made = [name for name in returning if name not in row]
        names = list(row)
        text = f"insert into {table} ({', '.join(names)}) values ("
        text += ", ".join(f"%({name})s" for name in names) + ")"
        if made:
            text += f" returning {', '.join(made)}"
        return self.conn.execute(text, row), row

    def log_in(self):
        self.insert(
            "sessions",
            ["id", "token"],
            {"customer_id": self.random.choice(self.customers), "expires_at": NEVER},
            times=["created_at"],
            tokens=["token"],
        )

    def place(self):
        products = sorted(self.random.sample(self.products, 2))
        with self.conn.transaction():
            cursor, row = self.insert(
                "orders",
                ["id", "created_at"],
                {
                    "customer_id": self.random.choice(self.customers),
                    "status": "new",
                    "total": self.random.randrange(100, 999),
                },
                times=["created_at", "updated_at"],
                tokens=["token"],
            )
            id = row["id"] if WAY == "client" else cursor.fetchone()[0]
            with self.conn.pipeline():
                for product in products:
                    self.insert(
                        "order_items",
                        ["id"],
                        {"order_id": id, "product_id": product, "quantity": 1},
                    )
                self.insert("jobs", [], {"order_id": id}, times=["created_at"])
                for product in products:
                    self.conn.execute(
                        "update products set stock = stock - 1 where id = %s",
                        [product],
                    )
        self.order = id
        placed.append(id)

    def read_back(self):
        if self.order is None:
            return
        for text in [
            "select id, token, total, created_at from orders where id = %s",
            "select product_id, quantity from order_items where order_id = %s order by id",
        ]:
            self.conn.execute(text, [self.order]).fetchall()

    def pay(self):
        if not placed:
            return
        id = self.random.choice(placed)
        with self.conn.transaction():
            status, total = self.conn.execute(
                "select status, total from orders where id = %s for update", [id]
            ).fetchone()
            if status != "new":
                return
            now, values = ("now()", []) if WAY == "server" else ("%s", [self.time()])
            self.conn.execute(
                f"update orders set status = 'paid', updated_at = {now} where id = %s",
                [*values, id],
            )
            self.insert(
                "payments", ["id"], {"order_id": id, "amount": total}, times=["paid_at"]
            )

    def job(self):
        with self.conn.transaction():
            job = self.conn.execute(
                "select id from jobs where status = 'ready' order by id limit 1"
                " for update skip locked"
            ).fetchone()
            if job is not None:
                self.conn.execute("update jobs set status = 'done' where id = %s", job)

    def run(self):
        choices = [self.log_in, self.place, self.place, self.read_back, self.pay, self.job]
        taken = 0
        while taken < STEPS and time.monotonic() < END:
            taken += 1
            step = self.random.choice(choices)
            name = step.__name__.replace("_", " ")
            steps[name] = steps.get(name, 0) + 1
            try:
                step()
            except Exception as error:
                unexpected.append(f"{name}: {error}")
            time.sleep(THINK * (0.5 + self.random.random()))
        self.conn.close()


def work(index):
    try:
        Client(index).run()
    except Exception as error:
        unexpected.append(f"client {index}: {error}")


threads = [threading.Thread(target=work, args=[index]) for index in range(CLIENTS)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(json.dumps({"steps": steps, "unexpected": unexpected}))
