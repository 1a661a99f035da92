import {
  type Boundary,
  type Earlier,
  type HistoryStore,
  type LedgerTotals,
  type Point,
  type Run,
  type Sample,
  TOTALS,
} from "./store.ts";

type Value = string | number | null;
type Row = Readonly<Record<string, Value>>;

/** Runs one statement with `$1`, `$2`, … and gives its rows. */
export type Execute = (
  sql: string,
  values?: readonly Value[],
) => Promise<Row[]>;

/** A connection to either database. */
export interface SqlConnection {
  readonly execute: Execute;
  /** Runs `body` in one transaction. */
  transaction(body: (execute: Execute) => Promise<void>): Promise<void>;
  close(): Promise<void>;
}

const SCHEMA = [
  `create table if not exists mirror_runs (
    id text primary key, started_at bigint not null, last_write_at bigint not null,
    ended integer not null, version text not null, config text not null)`,
  `create table if not exists mirror_ledgers (
    run_id text not null, mirror text not null,
    ${TOTALS.map((name) => `${column(name)} bigint not null`).join(", ")},
    primary key (run_id, mirror))`,
  `create table if not exists mirror_statements (
    run_id text not null, mirror text not null, fingerprint text not null,
    summary text not null, primary key (run_id, mirror, fingerprint))`,
  `create table if not exists mirror_points (
    run_id text not null, at bigint not null, seen bigint not null,
    replayed bigint not null, compared bigint not null, mismatches bigint not null,
    primary key (run_id, at))`,
  `create table if not exists mirror_boundaries (
    at bigint not null, kind text not null, note text not null)`,
];

/** History in SQL that SQLite and PostgreSQL both take. */
export class SqlStore implements HistoryStore {
  readonly #connect: () => Promise<SqlConnection>;
  #connection: SqlConnection | undefined;

  constructor(connect: () => Promise<SqlConnection>) {
    this.#connect = connect;
  }

  async open(): Promise<void> {
    this.#connection = await this.#connect();
    for (const sql of SCHEMA) await this.#execute(sql);
  }

  async lastRun() {
    const [row] = await this.#execute(
      "select * from mirror_runs order by last_write_at desc limit 1",
    );
    return row === undefined ? undefined : {
      id: String(row.id),
      startedAt: Number(row.started_at),
      lastWriteAt: Number(row.last_write_at),
      ended: Number(row.ended) === 1,
      version: String(row.version),
      config: String(row.config),
    };
  }

  async earlier(config: string, since: number): Promise<Earlier> {
    const [time] = await this.#execute(
      `select coalesce(sum(last_write_at - started_at), 0) as observed
       from mirror_runs where config = $1 and last_write_at >= $2`,
      [config, since],
    );
    const rows = await this.#execute(
      `select l.mirror, ${
        TOTALS.map((name) => `sum(${column(name)}) as ${column(name)}`).join(
          ", ",
        )
      } from mirror_ledgers l join mirror_runs r on r.id = l.run_id
       where r.config = $1 and r.last_write_at >= $2 group by l.mirror`,
      [config, since],
    );
    const ledgers = new Map(rows.map((row) => [
      String(row.mirror),
      Object.fromEntries(
        TOTALS.map((name) => [name, Number(row[column(name)])]),
      ) as unknown as LedgerTotals,
    ]));
    const statements = await this.#execute(
      `select s.summary from mirror_statements s join mirror_runs r on r.id = s.run_id
       where r.config = $1 and r.last_write_at >= $2 order by r.started_at`,
      [config, since],
    );
    return {
      observedMs: Number(time?.observed ?? 0),
      ledgers,
      statements: statements.map(({ summary }) => JSON.parse(String(summary))),
    };
  }

  begin(run: Run, boundaries: readonly Boundary[]): Promise<void> {
    return this.#transaction(async (execute) => {
      await execute("insert into mirror_runs values ($1, $2, $2, 0, $3, $4)", [
        run.id,
        run.startedAt,
        run.version,
        run.config,
      ]);
      for (const boundary of boundaries) await bound(execute, boundary);
    });
  }

  write(run: Run, sample: Sample): Promise<void> {
    return this.#transaction(async (execute) => {
      await execute("update mirror_runs set last_write_at = $1 where id = $2", [
        sample.at,
        run.id,
      ]);
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
      for (const statement of sample.statements) {
        await execute(
          `insert into mirror_statements values ($1, $2, $3, $4)
           on conflict (run_id, mirror, fingerprint) do update set summary = excluded.summary`,
          [
            run.id,
            `${statement.database}/${statement.mirror}`,
            statement.fingerprint,
            // An example's values are the clients' own: they stay in memory.
            JSON.stringify({
              ...statement,
              examples: statement.examples.map((example) => ({
                ...example,
                values: null,
              })),
            }),
          ],
        );
      }
      const sum = (name: keyof LedgerTotals) =>
        [...sample.ledgers.values()].reduce((n, totals) => n + totals[name], 0);
      await execute(
        "insert into mirror_points values ($1, $2, $3, $4, $5, $6)",
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

  end(run: Run, boundary: Boundary): Promise<void> {
    return this.#transaction(async (execute) => {
      await execute("update mirror_runs set ended = 1 where id = $1", [run.id]);
      await bound(execute, boundary);
    });
  }

  async mark(boundary: Boundary): Promise<void> {
    await bound(this.#execute.bind(this), boundary);
  }

  async boundaries(limit: number): Promise<Boundary[]> {
    const rows = await this.#execute(
      "select at, kind, note from mirror_boundaries order by at desc limit $1",
      [limit],
    );
    return rows.map((row) => ({
      at: Number(row.at),
      kind: row.kind as Boundary["kind"],
      note: String(row.note),
    }));
  }

  async points(since: number, limit: number): Promise<Point[]> {
    const rows = await this.#execute(
      `select at, seen, replayed, compared, mismatches from mirror_points
       where at >= $1 order by at desc limit $2`,
      [since, limit],
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
      for (const table of ["mirror_ledgers", "mirror_statements"]) {
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

  #transaction(body: (execute: Execute) => Promise<void>): Promise<void> {
    return this.#open().transaction(body);
  }

  #open(): SqlConnection {
    if (this.#connection === undefined) throw new Error("History is not open");
    return this.#connection;
  }
}

function bound(execute: Execute, { at, kind, note }: Boundary): Promise<Row[]> {
  return execute("insert into mirror_boundaries values ($1, $2, $3)", [
    at,
    kind,
    note,
  ]);
}

/** `requestsWithErrors` is `requests_with_errors` in SQL. */
function column(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
