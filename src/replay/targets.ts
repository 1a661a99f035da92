import type { Reactor } from "../io/mod.ts";
import type { ProbeSet } from "../plugin/mod.ts";
import type { ShapeCache } from "../sql/shape_cache.ts";
import {
  type ChanceColumn,
  EVICTED,
  type Exclusion,
  ExclusionCounts,
} from "../stats/mod.ts";
import type { ConnectionTable } from "../stats/connection_table.ts";
import { Catalog } from "../catalog/mod.ts";
import {
  ChanceColumns,
  Corrections,
  Giving,
  RowLockings,
} from "../given/mod.ts";
import { Breaker } from "./breaker.ts";
import type { MirrorServer } from "./connection.ts";
import { CommitOrder } from "./commit_order.ts";
import { ExcludeRules } from "./exclude_rules.ts";
import { Footprints } from "./footprint.ts";
import { SchemaState } from "./schema_state.ts";
import {
  createIgnore,
  DrawnColumns,
  KnownColumns,
  StatementTable,
} from "../judge/mod.ts";
import type { Lane } from "./lane.ts";
import { MirrorConnections } from "./mirror_connections.ts";
import { PrimaryLog } from "./primary_log.ts";
import type { QueueBudget } from "../record/mod.ts";
import { SchemaWatch } from "./schema_watch.ts";
import type { ServerWay, Target, TargetSettings } from "./target.ts";
import { UnsafeStatements } from "./unsafe_statements.ts";

/** What all mirrors of the worker share, and whom it tells. */
export interface TargetsOptions {
  readonly reactor: Reactor;
  readonly probes: ProbeSet;
  readonly scratch: Uint8Array<ArrayBuffer>;
  readonly budget: QueueBudget;
  readonly laneTable: ConnectionTable;
  readonly shapes: ShapeCache;
  readonly timed: Set<Lane>;
  readonly log: Target["log"];
  readonly unreachable: Target["unreachable"];
  /** A server has become a mirror: ask it what it is. */
  readonly onAdded: (target: Target) => void;
  readonly serverOf: (way: ServerWay) => MirrorServer;
  /** See {@linkcode Target.isAlone}. */
  readonly isAlone: (
    database: string,
    ...args: Parameters<Target["isAlone"]>
  ) => boolean;
}

/**
 * The mirrors by number. One that a reload took away stays known: transactions
 * that were counted for it before may still come, and are dropped.
 */
export class Targets {
  readonly #options: TargetsOptions;
  readonly #targets = new Map<number, Target>();
  /** What is known of statements outlives a change of the server: the ledger does, too. */
  readonly #tables = new Map<string, StatementTable>();
  readonly #exclusions = new Map<string, ExclusionCounts>();

  constructor(options: TargetsOptions) {
    this.#options = options;
  }

  get(id: number): Target | undefined {
    return this.#targets.get(id);
  }

  get all(): Iterable<Target> {
    return this.#targets.values();
  }

  get tables(): Iterable<StatementTable> {
    return this.#tables.values();
  }

  /** What is new about columns that chance fills: of each mirror at most `limit`. */
  takeChanceColumns(limit: number): ChanceColumn[] {
    return [...this.#targets.values()].flatMap(
      ({ chanceColumns, settings: { sourceDatabase, name: mirror } }) =>
        chanceColumns.takeChanged(limit).map((column) => ({
          ...column,
          database: sourceDatabase,
          mirror,
        })),
    );
  }

  /** What is new about transactions that rules, or what is unsafe, have excluded. */
  takeExclusions(): Exclusion[] {
    return [...this.#targets.values()].flatMap(
      ({ exclusions, settings: { sourceDatabase: database, name: mirror } }) =>
        exclusions.takeChanged().map((one) => ({ ...one, database, mirror })),
    );
  }

  /** Puts new settings in force. @returns the mirrors whose lanes must look at them. */
  apply(settings: readonly TargetSettings[]): ReadonlySet<Target> {
    const changed = new Set<Target>();
    for (const target of this.#targets.values()) {
      const next = settings.find(({ id }) => id === target.settings.id);
      changed.add(target);
      if (next === undefined) {
        target.removed = true;
        target.primaryLog.settingsChanged();
        continue;
      }
      target.removed = false;
      target.settings = next;
      target.server = this.#options.serverOf(next);
      target.schemaChanged();
      target.ignored = createIgnore(next.ignore);
      target.exclude = new ExcludeRules(next.exclude);
      target.unsafe.allowed = new Set(next.allowUnsafe);
      target.giving.isOn = next.values !== "own";
      target.primaryLog.settingsChanged();
    }
    for (const added of settings) {
      if (this.#targets.has(added.id)) continue;
      const target = this.#create(added);
      this.#targets.set(added.id, target);
      this.#options.onAdded(target);
      target.schemaChanged();
      target.primaryLog.settingsChanged();
    }
    return changed;
  }

  /** Nothing is read any more. */
  close(): void {
    for (const { primaryLog } of this.#targets.values()) primaryLog.close();
  }

  #create(settings: TargetSettings): Target {
    const { log, onAdded: _, isAlone, serverOf, ...shared } = this.#options;
    const columns = new KnownColumns();
    const giving = new Giving((relation, column, reason) =>
      target.log("info", "The mirror makes a column's values by itself", {
        relation,
        column,
        reason,
      })
    );
    const chanceColumns = new ChanceColumns(() =>
      target.log(
        "warn",
        "Too many columns are filled by chance: SHOW MIRROR GIVEN does not have all",
        {},
      )
    );
    const target: Target = {
      ...shared,
      get primaryLog() {
        return primaryLog;
      },
      settings,
      server: serverOf(settings),
      removed: false,
      breaker: new Breaker(),
      columns,
      drawn: new DrawnColumns(),
      order: new CommitOrder(),
      footprints: new Footprints(),
      schema: new SchemaState(),
      table: this.#table(settings),
      refusals: new Set(),
      giving,
      chanceColumns,
      onDrawn(column) {
        const { catalog } = target;
        const reason = giving.reasonOf(column.oid, column.column, catalog);
        chanceColumns.drawn(column, reason, catalog);
      },
      corrections: new Corrections(),
      rowLockings: new RowLockings({ giving, columns }),
      ignored: createIgnore(settings.ignore),
      exclude: new ExcludeRules(settings.exclude),
      unsafe: new UnsafeStatements(),
      exclusions: this.#exclusionsOf(settings),
      random: Math.random,
      connections: new MirrorConnections(() => target.settings),
      waiting: new Set(),
      queued: new Map(),
      log: (level, message, properties) =>
        log(level, message, { mirror: settings.name, ...properties }),
      isAlone: (...args) => isAlone(settings.sourceDatabase, ...args),
      catalog: new Catalog(),
      schemaChanged: (isBack) => watch.look(isBack),
    };
    target.giving.isOn = settings.values !== "own";
    target.unsafe.allowed = new Set(settings.allowUnsafe);
    const { reactor, scratch } = shared;
    const primaryLog = new PrimaryLog(target, { reactor, scratch, serverOf });
    const watch = new SchemaWatch(target, {
      reactor: shared.reactor,
      scratch: shared.scratch,
      serverOf,
    });
    return target;
  }

  #exclusionsOf({ sourceDatabase, name }: TargetSettings): ExclusionCounts {
    const key = `${sourceDatabase}\0${name}`;
    let counts = this.#exclusions.get(key);
    if (counts === undefined) {
      this.#exclusions.set(key, counts = new ExclusionCounts());
    }
    return counts;
  }

  #table(settings: TargetSettings): StatementTable {
    const { sourceDatabase: database, name: mirror } = settings;
    const key = `${database}\0${mirror}`;
    let table = this.#tables.get(key);
    if (table === undefined) {
      table = new StatementTable({
        database,
        mirror,
        onFull: () =>
          this.#options.log(
            "warn",
            "The table of statements is full: those used least are given up, and counted together",
            { database, mirror, fingerprint: EVICTED },
          ),
      });
      this.#tables.set(key, table);
    }
    return table;
  }
}
