import { latencyOf } from "../../support/sketches.ts";
import assert from "node:assert/strict";
import {
  openPostgres,
  openSqlite,
} from "../../../plugins/history/connections.ts";
import type { Recorder } from "../../../plugins/history/recorder.ts";
import { SqlStore } from "../../../plugins/history/sql_store.ts";
import { type Run, TOTALS } from "../../../plugins/history/store.ts";
import { StatementStore, type TrafficHour } from "../../../src/stats/mod.ts";
import { startCluster } from "../../support/cluster.ts";
import {
  HOUR,
  Life,
  PAIR,
  sample,
  SILENCE,
  statement,
  totals,
} from "./life.ts";

/** The same story on either database. */
async function story(connect: () => SqlStore): Promise<void> {
  const first = new Life(connect(), 0);
  await first.recorder.start();
  await first.write(HOUR, 10);
  await first.write(2 * HOUR, 20);
  first.now = 3 * HOUR;
  await first.recorder.close(sample(3 * HOUR, 30));
  assert.equal(first.recorder.observedMs, 3 * HOUR);

  // A clean restart: the window goes on, the time between is not observed.
  const second = new Life(connect(), 5 * HOUR);
  await second.recorder.start();
  assert.equal(second.recorder.observedMs, 3 * HOUR);
  assert.deepEqual(second.recorder.earlierTotals(PAIR), totals(30));
  await second.write(6 * HOUR, 7);
  assert.equal(second.recorder.observedMs, 4 * HOUR);
  // … and it dies without a word.

  const third = new Life(connect(), 10 * HOUR);
  await third.recorder.start();
  assert.match(third.infos.join(), /has not said goodbye; waiting/);
  assert.equal(third.recorder.observedMs, 0, "it might still run");
  await third.write(10 * HOUR + SILENCE, 0);
  assert.equal(third.recorder.observedMs, 4 * HOUR + SILENCE);
  assert.equal(third.recorder.writeErrors, 0);
  assert.deepEqual(third.recorder.earlierTotals(PAIR), totals(37));
  // What was slower before the restarts is so still, and holds no values.
  const store = new StatementStore();
  store.restore(third.recorder.earlier.statements);
  store.update({
    database: "shop",
    mirror: "next",
    gone: [],
    summaries: [statement(5)],
  });
  const [known] = store.all();
  assert.equal(store.all().length, 1);
  assert.equal(known?.calls, 30 + 7 + 5);
  assert.deepEqual(known?.results, [42, 3]);
  assert.deepEqual(known?.sketch.ratios, latencyOf([42, 1, 3]).sketch.ratios);
  assert.equal(known?.sketch.hours[0]?.pairs, 42);
  assert.equal(known?.latency.pairs, 42);
  assert.deepEqual(known?.masked, { "id (sequence)": 3 });
  assert.deepEqual(known?.examples.map(({ at, values }) => [at, values]), [
    [5, "select 'a secret'"],
    [7, null],
    [30, null],
  ]);
  assert.equal(store.own()[0]?.calls, 5);
  assert.deepEqual(
    third.recorder.boundaries.map(({ kind, at }) => [kind, at / HOUR]),
    [["start", 10], ["crash", 6], ["start", 5], ["stop", 3], ["start", 0]],
  );
  assert.match(third.recorder.boundaries[1]?.note ?? "", /14400 s/);
  await third.recorder.close(sample(10 * HOUR, 0));

  // Another configuration begins a new window.
  const other = new Life(connect(), 12 * HOUR, "d");
  await other.recorder.start();
  assert.equal(other.recorder.observedMs, 0);
  assert.equal(other.recorder.earlierTotals(PAIR), undefined);
  assert.equal(other.recorder.boundaries.at(0)?.at, 12 * HOUR);
  assert.ok(other.recorder.boundaries.some(({ kind }) => kind === "config"));
  // The first one's comes back: its window goes on, with what is new in it.
  await other.write(13 * HOUR, 5);
  other.now = 14 * HOUR;
  other.recorder.change(
    {
      id: "back",
      proxy: "one",
      startedAt: 14 * HOUR,
      version: "v",
      config: "c",
      because: "config",
    },
    sample(14 * HOUR, 6),
  );
  await other.recorder.settled();
  assert.equal(other.recorder.observedMs, 4 * HOUR + SILENCE);
  assert.deepEqual(other.recorder.earlierTotals(PAIR), totals(37));
  await other.write(15 * HOUR, 2);
  assert.equal(other.recorder.observedMs, 5 * HOUR + SILENCE);
  other.recorder.mark("pause", PAIR);
  await other.recorder.settled();
  assert.deepEqual(
    other.recorder.boundaries.slice(0, 4).map(({ kind }) => kind).sort(),
    ["config", "pause", "start", "stop"],
  );
  other.now = 16 * HOUR;
  await other.recorder.close(sample(16 * HOUR, 3));
  const last = new Life(connect(), 18 * HOUR);
  await last.recorder.start();
  assert.deepEqual(last.recorder.earlierTotals(PAIR), totals(40));
  assert.equal(last.recorder.observedMs, 6 * HOUR + SILENCE);
  await last.recorder.close(sample(18 * HOUR, 0));
}

Deno.test("history: SQLite: the window goes on over restarts, a crash is a gap", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await story(() => new SqlStore(() => openSqlite(`${folder}/h.sqlite`)));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test({
  name: "history: PostgreSQL: the same, and a server that is away is counted",
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    await using cluster = await startCluster({ version: "15" });
    await story(() => new SqlStore(() => openPostgres(cluster.url())));

    const life = new Life(
      new SqlStore(() => openPostgres(cluster.url())),
      20 * HOUR,
    );
    await life.recorder.start();
    await life.write(21 * HOUR, 1);
    await cluster.stop("immediate");
    for (let i = 1; i <= 5; i++) await life.write(21 * HOUR + i * 10_000, i);
    assert.equal(life.recorder.writeErrors, 5);
    assert.equal(life.warnings.length, 1, "one warning a minute");
    await life.write(21 * HOUR + 61_000 + 10_000, 6);
    assert.equal(life.warnings.length, 2);
    await cluster.start();
    await life.write(22 * HOUR, 9);
    assert.equal(life.recorder.lastWriteAt, 22 * HOUR);
    await life.recorder.close(sample(22 * HOUR, 9));
  },
});

Deno.test("history: statements of all windows of a configuration add up, also within one process", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const connect = () => new SqlStore(() => openSqlite(`${folder}/h.sqlite`));
    /** What is shown: a process's own counts, and what it was told of earlier ones. */
    const shown = ({ recorder: { earlier } }: Life, own: number) => {
      const store = new StatementStore();
      store.restore(earlier.statements);
      if (own > 0) {
        const summary = statement(own);
        const { database, mirror } = summary;
        store.update({ database, mirror, gone: [], summaries: [summary] });
      }
      return store.all().map(({ calls }) => calls);
    };
    const first = new Life(connect(), 0);
    const change = async (run: number, config: string, n: number) => {
      const startedAt = first.now = run * HOUR;
      const id = `one 0/${run}`;
      first.recorder.change(
        {
          id,
          proxy: "one",
          startedAt,
          version: "v",
          config,
          because: "config",
        },
        sample(startedAt, n),
      );
      await first.recorder.settled();
    };
    await first.recorder.start();
    await first.write(HOUR, 10);
    await change(2, "d", 10);
    assert.deepEqual(shown(first, 0), []);
    await first.write(3 * HOUR, 12);
    await change(4, "c", 12);
    assert.deepEqual(shown(first, 0), [10]);
    assert.deepEqual(first.recorder.earlierTotals(PAIR), totals(10));
    await first.write(4 * HOUR + 2_000, 3);
    // It is killed.
    const second = new Life(connect(), 5 * HOUR);
    await second.write(5 * HOUR, 0);
    await second.write(5 * HOUR + SILENCE, 0);
    assert.deepEqual(shown(second, 0), [13]);
    await second.write(6 * HOUR, 5);
    await second.recorder.close(sample(6 * HOUR, 5));
    // Another process adds up with both.
    const third = new Life(connect(), 7 * HOUR);
    await third.recorder.start();
    assert.deepEqual(shown(third, 3), [13 + 5 + 3]);
    await third.recorder.close(sample(7 * HOUR, 3));
    // The other configuration's window is there still.
    const fourth = new Life(connect(), 8 * HOUR, "d");
    await fourth.recorder.start();
    assert.deepEqual(shown(fourth, 0), [12]);
    await fourth.recorder.close(sample(8 * HOUR, 0));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("history: a disk that takes nothing is counted, and tried again", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const path = `${folder}/missing/h.sqlite`;
    const life = new Life(new SqlStore(() => openSqlite(path)), 0);
    await life.recorder.start();
    await life.write(2_000, 1);
    assert.equal(life.recorder.writeErrors, 2);
    assert.equal(life.warnings.length, 1);
    await Deno.mkdir(`${folder}/missing`);
    await life.write(4_000, 2);
    assert.equal(life.recorder.lastWriteAt, 4_000);
    await life.recorder.close(sample(5_000, 2));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("history: a verdict is recorded when it changes, once for each write at most", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const connect = () => new SqlStore(() => openSqlite(`${folder}/h.sqlite`));
    const life = new Life(connect(), 0);
    await life.recorder.start();
    const judged = async (at: number, verdict?: string) => {
      life.now = at;
      life.recorder.sample(() => ({
        ...sample(at, 1),
        ...(verdict === undefined ? {} : { verdict }),
      }));
      await life.recorder.settled();
    };
    await judged(HOUR);
    await judged(2 * HOUR, "INCONCLUSIVE");
    await judged(3 * HOUR, "INCONCLUSIVE");
    // Before the interval is over: nobody looks.
    await judged(3 * HOUR + 1, "NOT READY");
    await judged(4 * HOUR, "READY");
    const verdicts = [[4, "READY, before: INCONCLUSIVE"], [2, "INCONCLUSIVE"]];
    const of = (boundaries: Recorder["boundaries"]) =>
      boundaries.filter(({ kind }) => kind === "verdict")
        .map(({ at, note }) => [at / HOUR, note]);
    assert.deepEqual(of(life.recorder.boundaries), verdicts);
    await life.recorder.close(sample(5 * HOUR, 1));
    const next = new Life(connect(), 6 * HOUR);
    await next.recorder.start();
    assert.deepEqual(of(next.recorder.boundaries), verdicts);
    await next.recorder.close(sample(6 * HOUR, 0));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("history: nothing before RESET MIRROR WINDOW counts, not even after a restart", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const connect = () => new SqlStore(() => openSqlite(`${folder}/h.sqlite`));
    const first = new Life(connect(), 0);
    await first.write(HOUR, 10);
    await first.recorder.close(sample(HOUR, 10));
    const second = new Life(connect(), 2 * HOUR);
    await second.recorder.start();
    assert.deepEqual(second.recorder.earlierTotals(PAIR), totals(10));
    assert.deepEqual(second.recorder.earlier.began, {
      startedAt: 0,
      because: "start",
    });
    await second.write(3 * HOUR, 5);
    second.now = 4 * HOUR;
    const change = (run: number, config: string, because: Run["because"]) =>
      second.recorder.change(
        {
          id: `one ${2 * HOUR}/${run}`,
          proxy: "one",
          startedAt: second.now,
          version: "v",
          config,
          because,
        },
        sample(second.now, 6),
      );
    change(1, "c", "reset");
    // At once, whatever the store takes.
    assert.equal(second.recorder.earlierTotals(PAIR), undefined);
    assert.equal(second.recorder.observedMs, 0);
    await second.recorder.settled();
    assert.equal(second.recorder.earlierTotals(PAIR), undefined);
    assert.ok(
      second.recorder.boundaries.some(({ kind }) => kind === "window"),
    );
    await second.write(5 * HOUR, 2);
    // Another configuration comes and goes.
    second.now = 6 * HOUR;
    change(2, "d", "config");
    second.now = 7 * HOUR;
    change(3, "c", "config");
    await second.recorder.settled();
    assert.deepEqual(second.recorder.earlierTotals(PAIR), totals(6));
    await second.recorder.close(sample(7 * HOUR, 1));
    const third = new Life(connect(), 8 * HOUR);
    await third.recorder.start();
    assert.deepEqual(third.recorder.earlierTotals(PAIR), totals(6 + 1));
    assert.deepEqual(third.recorder.earlier.began, {
      startedAt: 4 * HOUR,
      because: "reset",
    });
    await third.recorder.close(sample(8 * HOUR, 0));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("history: hours with traffic add up over restarts, and what an old version observed counts once", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const path = `${folder}/h.sqlite`;
    const connect = () => new SqlStore(() => openSqlite(path));
    const hour = (replayed: number, minutes = 60) => ({
      elapsedMs: minutes * 60_000,
      replayed,
    });
    const first = new Life(connect(), 0);
    const write = async (life: Life, at: number, ...hours: TrafficHour[]) => {
      life.now = at;
      const hoursOf = new Map([[PAIR, hours]]);
      life.recorder.sample(() => ({ ...sample(at, 1), hours: hoursOf }));
      await life.recorder.settled();
    };
    await write(first, HOUR / 2, hour(5, 30));
    // The hour has ended, another one begun.
    await write(first, 1.5 * HOUR, hour(9), hour(0, 30));
    await first.recorder.close({
      ...sample(2 * HOUR, 1),
      hours: new Map([[PAIR, [hour(9), hour(2)]]]),
    });
    // A run of a version that knew no hours.
    const old = await openSqlite(path);
    await old.execute(
      `insert into mirror_runs (id, started_at, last_write_at, ended, version, config, proxy, number, observed_ms)
       values ('old', 1, 1, 1, 'v', 'c', 'one', 0, ${5 * HOUR})`,
    );
    await old.execute(
      `insert into mirror_ledgers select 'old', '${PAIR}', ${
        TOTALS.map(() => "1").join(", ")
      }`,
    );
    await old.close();
    const second = new Life(connect(), 3 * HOUR);
    await second.recorder.start();
    assert.deepEqual(second.recorder.earlier.hours.get(PAIR), [
      { elapsedMs: 5 * HOUR, replayed: null },
      hour(9),
      hour(2),
    ]);
    await write(second, 3.5 * HOUR, hour(4, 30));
    await second.recorder.close({
      ...sample(3.5 * HOUR, 1),
      hours: new Map([[PAIR, [hour(4, 30)]]]),
    });
    const third = new Life(connect(), 4 * HOUR);
    await third.recorder.start();
    assert.deepEqual(
      third.recorder.earlier.hours.get(PAIR)?.slice(1),
      [hour(9), hour(2), hour(4, 30)],
    );
    await third.recorder.close(sample(4 * HOUR, 0));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
