import { HeldError } from "./held.ts";
import { column, prepareSchema } from "./schema.ts";
import { readStored, storedText } from "./stored_statement.ts";
import {
  type Boundary,
  type Earlier,
  type Execute,
  type HistoryStore,
  type Holder,
  type Hours,
  type LastRun,
  type LedgerTotals,
  type Point,
  processOf,
  type Row,
  type Run,
  type Sample,
  type Span,
  type SqlConnection,
  TOTALS,
  type Value,
} from "./store.ts";

/** History in SQL that SQLite and PostgreSQL both take. */
export class SqlStore implements HistoryStore {
  readonly #connect: () => Promise<SqlConnection>;
  #connection: SqlConnection | undefined;

  constructor(connect: () => Promise<SqlConnection>) {
    this.#connect = connect;
  }

  async open(proxy: string): Promise<void> {
    const connection = await this.#connect();
    try {
      await prepareSchema(connection, proxy);
    } catch (error) {
      await connection.close();
      throw error;
    }
    this.#connection = connection;
  }

  claim(run: Run, intervalMs: number): Promise<Holder | undefined> {
    return this.#transaction(async (execute) => {
      await execute(
        `insert into mirror_proxies values ($1, $2, 0, $3)
         on conflict (proxy) do nothing`,
        [run.proxy, run.id, intervalMs],
      );
      const [row] = await execute(
        `select p.run_id, p.beat, p.interval_ms, r.ended from mirror_proxies p
         left join mirror_runs r on r.id = p.run_id where p.proxy = $1`,
        [run.proxy],
      );
      if (row === undefined || row.run_id === run.id) return undefined;
      const holder: Holder = {
        runId: String(row.run_id),
        beat: Number(row.beat),
        intervalMs: Number(row.interval_ms),
      };
      if (Number(row.ended) !== 1) return holder;
      return await takeOver(execute, run, holder, intervalMs)
        ? undefined
        : holder;
    });
  }

  takeOver(run: Run, from: Holder, intervalMs: number): Promise<boolean> {
    return takeOver(this.#execute.bind(this), run, from, intervalMs);
  }

  async lastRun({ proxy, id }: Run): Promise<LastRun | undefined> {
    const [row] = await this.#execute(
      `select * from mirror_runs where proxy = $1 and id <> $2
       order by number desc, last_write_at desc limit 1`,
      [proxy, id],
    );
    return row === undefined ? undefined : {
      id: String(row.id),
      proxy: String(row.proxy),
      startedAt: Number(row.started_at),
      lastWriteAt: Number(row.last_write_at),
      ended: Number(row.ended) === 1,
      version: String(row.version),
      config: String(row.config),
      because: reasonOf(row.because),
    };
  }

  async otherProxies(proxy: string): Promise<string[]> {
    const rows = await this.#execute(
      "select distinct proxy from mirror_runs where proxy <> $1 order by proxy",
      [proxy],
    );
    return rows.map((row) => String(row.proxy));
  }

  async earlier(run: Run, since: number): Promise<Earlier> {
    const of = [run.config, since, run.proxy, run.id];
    const began = { startedAt: run.startedAt, because: run.because };
    if (run.because === "reset") {
      return {
        began,
        observedMs: 0,
        ledgers: new Map(),
        hours: new Map(),
        statements: [],
      };
    }
    const mine =
      `r.config = $1 and r.last_write_at >= $2 and r.proxy = $3 and r.id <> $4
       and r.number >= coalesce((select max(number) from mirror_runs
         where proxy = $3 and because = 'reset'), 0)`;
    const [first] = await this.#execute(
      `select r.started_at, r.because from mirror_runs r where ${mine}
       order by r.number, r.started_at limit 1`,
      of,
    );
    const [time] = await this.#execute(
      `select coalesce(sum(observed_ms), 0) as observed
       from mirror_runs r where ${mine}`,
      of,
    );
    const rows = await this.#execute(
      `select l.mirror, ${
        TOTALS.map((name) => `sum(${column(name)}) as ${column(name)}`).join(
          ", ",
        )
      } from mirror_ledgers l join mirror_runs r on r.id = l.run_id
       where ${mine} group by l.mirror`,
      of,
    );
    const ledgers = new Map(rows.map((row) => [
      String(row.mirror),
      Object.fromEntries(
        TOTALS.map((name) => [name, Number(row[column(name)])]),
      ) as unknown as LedgerTotals,
    ]));
    const statements = await this.#execute(
      `select s.run_id, s.mirror, s.fingerprint, s.summary, r.because
       from mirror_statements s join mirror_runs r on r.id = s.run_id
       where ${mine} order by r.number, r.started_at`,
      of,
    );
    // Those of old versions are counted from a process's start: its last run has all.
    const latest = new Map(
      statements.map(({ run_id, mirror, fingerprint, summary, because }) => {
        const id = String(run_id);
        const part = because === "" ? processOf(id) : id;
        return [JSON.stringify([part, mirror, fingerprint]), summary];
      }),
    );
    return {
      began: first === undefined ? began : {
        startedAt: Number(first.started_at),
        because: reasonOf(first.because),
      },
      observedMs: Number(time?.observed ?? 0),
      ledgers,
      hours: await this.#hours(mine, of),
      statements: [...latest.values()].map((summary) =>
        readStored(String(summary))
      ),
    };
  }

  /** Of old versions all that was observed is one hour, of unknown traffic. */
  async #hours(mine: string, of: readonly Value[]): Promise<Hours> {
    const rows = await this.#execute(
      `select r.number, h.mirror, h.hour, h.elapsed_ms, h.replayed
       from mirror_hours h join mirror_runs r on r.id = h.run_id where ${mine}
       union all
       select r.number, l.mirror, 0, r.observed_ms, null
       from mirror_ledgers l join mirror_runs r on r.id = l.run_id
       where r.because = '' and ${mine}
       order by 1, 3`,
      of,
    );
    const byMirror = Map.groupBy(rows, ({ mirror }) => String(mirror));
    return new Map(
      [...byMirror].map(([mirror, hours]) => [
        mirror,
        hours.map(({ elapsed_ms, replayed }) => ({
          elapsedMs: Number(elapsed_ms),
          replayed: replayed === null ? null : Number(replayed),
        })),
      ]),
    );
  }

  begin(run: Run, boundaries: readonly Boundary[]): Promise<void> {
    return this.#transaction(async (execute) => {
      await execute(
        `insert into mirror_runs (id, started_at, last_write_at, ended,
           version, config, proxy, because, number)
         values ($1, $2, $2, 0, $3, $4, $5, $6,
           (select coalesce(max(number), 0) + 1 from mirror_runs))
         on conflict (id) do nothing`,
        [
          run.id,
          run.startedAt,
          run.version,
          run.config,
          run.proxy,
          run.because,
        ],
      );
      for (const boundary of boundaries) await bound(execute, run, boundary);
    });
  }

  write(run: Run, sample: Sample, span: Span): Promise<void> {
    return this.#transaction(async (execute) => {
      const held = await execute(
        `update mirror_proxies set beat = beat + 1
         where proxy = $1 and run_id = $2 returning beat`,
        [run.proxy, run.id],
      );
      if (held.length === 0) throw new HeldError(run.proxy, true);
      await execute(
        "update mirror_runs set last_write_at = $1, observed_ms = $2 where id = $3",
        [span.until, span.observedMs, run.id],
      );
      for (const [mirror, totals] of sample.ledgers) {
        const columns = TOTALS.map(column);
        await execute(
          `insert into mirror_ledgers (run_id, mirror, ${columns.join(", ")})
           values ($1, $2, ${columns.map((_, i) => `$${i + 3}`).join(", ")})
           on conflict (run_id, mirror) do update set
           ${columns.map((name) => `${name} = excluded.${name}`).join(", ")}`,
          [run.id, mirror, ...TOTALS.map((name) => totals[name])],
        );
      }
      await this.#writeHours(execute, run, sample.hours);
      for (const { database, mirror, fingerprint } of sample.gone) {
        await execute(
          "delete from mirror_statements where run_id = $1 and mirror = $2 and fingerprint = $3",
          [run.id, `${database}/${mirror}`, fingerprint],
        );
      }
      for (const statement of sample.statements) {
        await execute(
          `insert into mirror_statements values ($1, $2, $3, $4)
           on conflict (run_id, mirror, fingerprint) do update set summary = excluded.summary`,
          [
            run.id,
            `${statement.database}/${statement.mirror}`,
            statement.fingerprint,
            storedText(statement),
          ],
        );
      }
      const sum = (name: keyof LedgerTotals) =>
        [...sample.ledgers.values()].reduce((n, totals) => n + totals[name], 0);
      await execute(
        // A clock that is set back comes by a moment twice.
        `insert into mirror_points values ($1, $2, $3, $4, $5, $6)
         on conflict (run_id, at) do update set seen = excluded.seen,
           replayed = excluded.replayed, compared = excluded.compared,
           mismatches = excluded.mismatches`,
        [
          run.id,
          sample.at,
          sum("seen"),
          sum("replayed"),
          sum("compared"),
          sum("mismatches"),
        ],
      );
    });
  }

  /** An hour that is over, and written since, stays as it is. */
  async #writeHours(execute: Execute, { id }: Run, all: Hours): Promise<void> {
    for (const [mirror, hours] of all) {
      const [row] = await execute(
        "select max(hour) as hour from mirror_hours where run_id = $1 and mirror = $2",
        [id, mirror],
      );
      const from = Number(row?.hour ?? 0);
      for (const [i, { elapsedMs, replayed }] of hours.slice(from).entries()) {
        await execute(
          `insert into mirror_hours values ($1, $2, $3, $4, $5)
           on conflict (run_id, mirror, hour) do update set
           elapsed_ms = excluded.elapsed_ms, replayed = excluded.replayed`,
          [id, mirror, from + i, Math.ceil(elapsedMs), replayed ?? 0],
        );
      }
    }
  }

  end(run: Run, boundary: Boundary): Promise<void> {
    return this.#transaction(async (execute) => {
      await execute("update mirror_runs set ended = 1 where id = $1", [run.id]);
      await bound(execute, run, boundary);
    });
  }

  async mark(run: Run, boundary: Boundary): Promise<void> {
    await bound(this.#execute.bind(this), run, boundary);
  }

  async boundaries(proxy: string, limit: number): Promise<Boundary[]> {
    const rows = await this.#execute(
      `select at, kind, note from mirror_boundaries where proxy = $1
       order by at desc limit $2`,
      [proxy, limit],
    );
    return rows.map((row) => ({
      at: Number(row.at),
      kind: row.kind as Boundary["kind"],
      note: String(row.note),
    }));
  }

  async points(proxy: string, since: number, limit: number): Promise<Point[]> {
    const rows = await this.#execute(
      `select p.at, p.seen, p.replayed, p.compared, p.mismatches
       from mirror_points p join mirror_runs r on r.id = p.run_id
       where r.proxy = $1 and p.at >= $2 order by p.at desc limit $3`,
      [proxy, since, limit],
    );
    return rows.toReversed().map((row) => ({
      at: Number(row.at),
      seen: Number(row.seen),
      replayed: Number(row.replayed),
      compared: Number(row.compared),
      mismatches: Number(row.mismatches),
    }));
  }

  prune(before: number): Promise<void> {
    return this.#transaction(async (execute) => {
      const old = "select id from mirror_runs where last_write_at < $1";
      await execute("delete from mirror_points where at < $1", [before]);
      await execute("delete from mirror_boundaries where at < $1", [before]);
      for (
        const table of [
          "mirror_ledgers",
          "mirror_hours",
          "mirror_statements",
          "mirror_proxies",
        ]
      ) {
        await execute(`delete from ${table} where run_id in (${old})`, [
          before,
        ]);
      }
      await execute("delete from mirror_runs where last_write_at < $1", [
        before,
      ]);
    });
  }

  async close(): Promise<void> {
    const connection = this.#connection;
    this.#connection = undefined;
    await connection?.close();
  }

  #execute(sql: string, values: readonly Value[] = []): Promise<Row[]> {
    return this.#open().execute(sql, values);
  }

  #transaction<T>(body: (execute: Execute) => Promise<T>): Promise<T> {
    return this.#open().transaction(body);
  }

  #open(): SqlConnection {
    if (this.#connection === undefined) throw new Error("History is not open");
    return this.#connection;
  }
}

/** Runs of old versions began with their process, or with another configuration. */
function reasonOf(because: Value | undefined): Run["because"] {
  return because === "config" || because === "reset" ? because : "start";
}

function bound(
  execute: Execute,
  { proxy }: Run,
  { at, kind, note }: Boundary,
): Promise<Row[]> {
  return execute(
    "insert into mirror_boundaries (at, kind, note, proxy) values ($1, $2, $3, $4)",
    [at, kind, note, proxy],
  );
}

/** Puts a run in another's place, if that one is still there and has not written since. */
async function takeOver(
  execute: Execute,
  run: Run,
  from: Holder,
  intervalMs: number,
): Promise<boolean> {
  const taken = await execute(
    `update mirror_proxies set run_id = $1, beat = beat + 1, interval_ms = $2
     where proxy = $3 and run_id = $4 and beat = $5 returning beat`,
    [run.id, intervalMs, run.proxy, from.runId, from.beat],
  );
  return taken.length > 0;
}
