import assert from "node:assert/strict";
import {
  openPostgres,
  openSqlite,
} from "../../../plugins/history/connections.ts";
import type { SqlConnection } from "../../../plugins/history/store.ts";
import { SqlStore } from "../../../plugins/history/sql_store.ts";
import { startCluster } from "../../support/cluster.ts";
import { HOUR, Life, PAIR, sample, SILENCE, totals } from "./life.ts";

/** A test's body: makes stores on one database, and plain connections to it. */
type Body = (
  connect: () => SqlStore,
  open: () => Promise<SqlConnection>,
) => Promise<void>;

async function onSqlite(body: Body) {
  const folder = await Deno.makeTempDir();
  try {
    const open = () => openSqlite(`${folder}/h.sqlite`);
    await body(() => new SqlStore(open), open);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function onPostgres(body: Body) {
  await using cluster = await startCluster({ version: "15" });
  const open = () => openPostgres(cluster.url());
  await body(() => new SqlStore(open), open);
}

for (const [kind, on] of Object.entries({ onSqlite, onPostgres })) {
  const name = `history ${kind.replace("on", "on ")}`;
  const options = { sanitizeOps: false, sanitizeResources: false };

  Deno.test({
    name: `${name}: two proxies on one store have each their own evidence`,
    ...options,
    fn: () =>
      on(async (connect) => {
        const one = new Life(connect(), 0, "c", "one");
        const two = new Life(connect(), HOUR, "c", "two");
        await one.recorder.start();
        await one.write(HOUR, 110);
        await two.recorder.start();
        await two.write(2 * HOUR, 50);
        assert.equal(two.recorder.earlierTotals(PAIR), undefined);
        assert.deepEqual(
          two.recorder.boundaries.map(({ kind }) => kind),
          ["start"],
          "the other one lives, and has not crashed",
        );
        assert.match(two.infos.join(), /evidence of other proxies.*\["one"\]/);
        await one.write(3 * HOUR, 120);
        two.now = 3 * HOUR;
        await two.recorder.close(sample(two.now, 60));

        const again = new Life(connect(), 4 * HOUR, "c", "two");
        await again.recorder.start();
        assert.deepEqual(again.recorder.earlierTotals(PAIR), totals(60));
        assert.equal(again.recorder.observedMs, 2 * HOUR);
        assert.deepEqual(again.infos, []);
        await one.write(5 * HOUR, 130);
        assert.deepEqual([...one.warnings, ...again.warnings], []);
        for (const life of [one, again]) {
          await life.recorder.close(sample(life.now, 0));
        }
      }),
  });

  Deno.test({
    name:
      `${name}: a live proxy's name is refused to another in words, and given when it ends`,
    ...options,
    fn: () =>
      on(async (connect) => {
        const first = new Life(connect(), 0);
        await first.recorder.start();
        await first.write(1_000, 5);
        const second = new Life(connect(), 2_000);
        await second.recorder.start();
        for (let i = 1; i <= 20; i++) {
          await first.write(2_000 + i * 1_000, 5 + i);
          await second.write(2_000 + i * 1_000, 1);
        }
        assert.equal(second.recorder.observedMs, 0);
        assert.equal(second.recorder.earlierTotals(PAIR), undefined);
        assert.match(
          second.warnings.join(),
          /Another proxy that runs now writes history as .*one.*\[plugins\.history\] proxy/,
        );
        assert.deepEqual(first.warnings, []);
        await first.recorder.close(sample(22_500, 30));
        await second.write(24_000, 2);
        assert.deepEqual(second.recorder.earlierTotals(PAIR), totals(30));
        assert.deepEqual(
          second.recorder.boundaries.map(({ kind }) => kind).sort(),
          ["start", "start", "stop"],
          "no crash",
        );
        await second.recorder.close(sample(25_000, 2));
      }),
  });

  Deno.test({
    name:
      `${name}: a short run behind a crash leaves its evidence, one behind a live proxy takes nothing`,
    ...options,
    fn: () =>
      on(async (connect) => {
        const crashed = new Life(connect(), 0);
        await crashed.recorder.start();
        await crashed.write(1_000, 5);
        const short = new Life(connect(), 2_000);
        await short.recorder.start();
        await short.write(3_000, 3);
        short.now = 4_000;
        await short.recorder.close(sample(4_000, 4));
        const next = new Life(connect(), 5_000);
        await next.recorder.start();
        assert.deepEqual(next.recorder.earlierTotals(PAIR), totals(9));

        const double = new Life(connect(), 6_000);
        await double.recorder.start();
        await next.write(7_000, 1);
        await double.write(7_500, 1);
        double.now = 8_000;
        await double.recorder.close(sample(8_000, 1));
        await next.write(9_000, 2);
        assert.deepEqual(next.warnings, []);
        await next.recorder.close(sample(10_000, 2));
      }),
  });

  Deno.test({
    name:
      `${name}: a run that froze and was taken for dead writes no more into the other's place`,
    ...options,
    fn: () =>
      on(async (connect) => {
        const frozen = new Life(connect(), 0);
        await frozen.recorder.start();
        await frozen.write(1_000, 5);
        const next = new Life(connect(), 2_000);
        await next.recorder.start();
        await next.write(2_000 + SILENCE, 1);
        assert.deepEqual(next.recorder.earlierTotals(PAIR), totals(5));
        await frozen.write(10_000, 6);
        assert.match(frozen.warnings.join(), /Another proxy that runs now/);
        await next.write(11_000, 2);
        assert.deepEqual(next.warnings, []);
        await next.recorder.close(sample(12_000, 2));
        // Its place is free again: it goes on, behind the other's evidence.
        await frozen.write(13_000, 7);
        assert.deepEqual(frozen.recorder.earlierTotals(PAIR), totals(2));
        await frozen.recorder.close(sample(14_000, 7));
      }),
  });

  Deno.test({
    name: `${name}: a wall clock that steps changes no observed time`,
    ...options,
    fn: () =>
      on(async (connect) => {
        for (const [i, step] of [-400 * 24, 400 * 24].entries()) {
          const life = new Life(connect(), 1e12, "c", `stepped ${step}`);
          await life.recorder.start();
          await life.write(1e12 + HOUR, 1);
          life.offset = step * HOUR;
          await life.write(1e12 + 2 * HOUR, 2);
          assert.equal(life.recorder.observedMs, 2 * HOUR, `${i}`);
          assert.equal(life.recorder.lastWriteAt, 1e12 + (step + 2) * HOUR);
          life.now += HOUR;
          await life.recorder.close(sample(life.now, 3));
          const next = new Life(
            connect(),
            1e12 + 4 * HOUR,
            "c",
            `stepped ${step}`,
          );
          await next.recorder.start();
          assert.equal(next.recorder.observedMs, 3 * HOUR);
          assert.deepEqual(next.recorder.earlierTotals(PAIR), totals(3));
          // Comes by the same moment of the wall clock twice.
          await next.write(1e12 + 5 * HOUR, 1);
          next.offset = -HOUR;
          await next.write(1e12 + 6 * HOUR, 2);
          assert.equal(next.recorder.writeErrors, 0, next.warnings.join());
          assert.equal(next.recorder.observedMs, 5 * HOUR);
          await next.recorder.close(sample(next.now, 2));
        }
      }),
  });

  Deno.test({
    name:
      `${name}: a crash on a clock that is set back is not told in negative seconds`,
    ...options,
    fn: () =>
      on(async (connect) => {
        const first = new Life(connect(), 10 * HOUR);
        await first.recorder.start();
        await first.write(11 * HOUR, 1);
        const second = new Life(connect(), 9 * HOUR);
        await second.recorder.start();
        await second.write(9 * HOUR + SILENCE, 1);
        const crash = second.recorder.boundaries.find(({ kind }) =>
          kind === "crash"
        );
        assert.match(crash?.note ?? "", /the clock was set back/);
        assert.equal(second.recorder.observedMs, HOUR + SILENCE);
        await second.recorder.close(sample(10 * HOUR, 1));
      }),
  });

  Deno.test({
    name:
      `${name}: a store of version 1 goes on, one of a later version is refused in words`,
    ...options,
    fn: () =>
      on(async (connect, open) => {
        const old = await open();
        for (const sql of VERSION_1) await old.execute(sql);
        await old.close();
        const life = new Life(connect(), 20 * HOUR);
        await life.recorder.start();
        assert.equal(life.recorder.writeErrors, 0, life.warnings.join());
        assert.equal(life.recorder.earlierTotals(PAIR)?.seen, 40);
        assert.equal(life.recorder.observedMs, 2 * HOUR);
        await life.recorder.close(sample(21 * HOUR, 0));
        // Another proxy that comes later does not get it, too.
        const late = new Life(connect(), 22 * HOUR, "c", "two");
        await late.recorder.start();
        assert.equal(late.recorder.earlierTotals(PAIR), undefined);
        await late.recorder.close(sample(22 * HOUR, 0));

        const newer = await open();
        await newer.execute("update mirror_schema set version = 99");
        await newer.close();
        const refused = new Life(connect(), 23 * HOUR);
        await refused.recorder.start();
        assert.match(
          refused.warnings.join(),
          /History is of version 99, and this program knows 3; run the newer program/,
        );
        await refused.recorder.close(sample(23 * HOUR, 0));
      }),
  });
}

const COUNTS = [
  "seen",
  "excluded",
  "dropped",
  "replayed",
  "failed",
  "requests_with_errors",
  "compared",
  "mismatches",
  "ignored",
  "mirror_statements",
  "mirror_microseconds",
  "replayed_microseconds",
  "compared_microseconds",
];

/** What version 1 made, with one run that observed two hours. */
const VERSION_1 = [
  `create table mirror_runs (
    id text primary key, started_at bigint not null, last_write_at bigint not null,
    ended integer not null, version text not null, config text not null)`,
  `create table mirror_ledgers (run_id text not null, mirror text not null,
    ${COUNTS.map((name) => `${name} bigint not null`).join(", ")},
    primary key (run_id, mirror))`,
  `create table mirror_statements (
    run_id text not null, mirror text not null, fingerprint text not null,
    summary text not null, primary key (run_id, mirror, fingerprint))`,
  `create table mirror_points (
    run_id text not null, at bigint not null, seen bigint not null,
    replayed bigint not null, compared bigint not null, mismatches bigint not null,
    primary key (run_id, at))`,
  `create table mirror_boundaries (
    at bigint not null, kind text not null, note text not null)`,
  `insert into mirror_runs values ('old', ${HOUR}, ${3 * HOUR}, 1, 'v', 'c')`,
  `insert into mirror_ledgers values ('old', '${PAIR}', ${
    COUNTS.map(() => 40).join(", ")
  })`,
];

Deno.test("history: the SQLite file is for its owner only, one that was open to others too", async () => {
  const folder = await Deno.makeTempDir();
  const umask = Deno.umask(0);
  try {
    const modes = () =>
      [...Deno.readDirSync(folder)].map(({ name }) =>
        `${name} ${
          ((Deno.statSync(`${folder}/${name}`).mode ?? 0) & 0o777).toString(8)
        }`
      ).sort();
    const path = `${folder}/h.sqlite`;
    const expected = ["h.sqlite 600", "h.sqlite-shm 600", "h.sqlite-wal 600"];
    const first = new Life(new SqlStore(() => openSqlite(path)), 0);
    await first.recorder.start();
    await first.write(HOUR, 1);
    assert.deepEqual(modes(), expected);
    // As an older version left them behind in a crash.
    for (const suffix of ["", "-wal", "-shm"]) {
      Deno.chmodSync(path + suffix, 0o644);
    }
    const second = new Life(
      new SqlStore(() => openSqlite(path)),
      2 * HOUR,
      "c",
      "two",
    );
    await second.recorder.start();
    await second.write(3 * HOUR, 1);
    assert.deepEqual(modes(), expected);
    for (const { recorder } of [first, second]) {
      await recorder.close(sample(4 * HOUR, 1));
    }
  } finally {
    Deno.umask(umask);
    await Deno.remove(folder, { recursive: true });
  }
});
