import { parseArgs } from "node:util";
import { MAX_SHOP_CLIENTS, type Mode, MODES } from "../pgbench.ts";

export const SCENARIOS = [
  "select",
  "tpcb",
  "shop",
  "storm",
  "result",
  "copy",
  "slow-client",
  "slow-mirror",
  "dead-mirror",
] as const;
export type ScenarioName = typeof SCENARIOS[number];

export interface Options {
  /** Every target once, so often. */
  readonly rounds: number;
  /** Of one run. */
  readonly seconds: number;
  /** Of each client, instead of a time; 0: by time. */
  readonly transactions: number;
  readonly clients: readonly number[];
  readonly modes: readonly Mode[];
  readonly only: readonly ScenarioName[];
  /** pgbench's: 100,000 accounts each. */
  readonly scale: number;
  /** Of the large result, and of COPY to the client. */
  readonly resultBytes: number;
  /** Of COPY to the server. */
  readonly copyBytes: number;
  /** Transactions per second beside the slow clients. */
  readonly rate: number;
  readonly slowClients: number;
  /** Path of PgDog's executable. */
  readonly pgdog: string | undefined;
  /** Write the tables to bench/RESULTS.md and the plots beside it. */
  readonly write: boolean;
}

/** Something is wrong with the command line. */
export class UsageError extends Error {
  override name = "UsageError";
}

const LONG = {
  rounds: "5",
  seconds: "3",
  transactions: "0",
  clients: "1,16,64,256,1000",
  modes: MODES.join(),
  only: SCENARIOS.join(),
  scale: "10",
  "result-bytes": "1000000000",
  "copy-bytes": "250000000",
  rate: "1000",
  "slow-clients": "8",
};
/** Under three minutes on two cores. */
const SHORT: Partial<typeof LONG> = {
  rounds: "1",
  seconds: "1",
  clients: "16",
  scale: "2",
  "result-bytes": "100000000",
  "copy-bytes": "50000000",
};

export const USAGE = `deno task bench:load [options]
  --short               a look at everything: one round, 16 clients, less data
  --only a,b            ${SCENARIOS.join(", ")}
  --rounds N            every target once, N times (${LONG.rounds})
  --seconds N           of one run (${LONG.seconds})
  --transactions N      of each client, instead of a time
  --clients a,b         ${LONG.clients}
  --modes a,b           ${LONG.modes}
  --scale N             pgbench's (${LONG.scale})
  --result-bytes N      of the large result (${LONG["result-bytes"]})
  --copy-bytes N        of COPY to the server (${LONG["copy-bytes"]})
  --rate N              transactions per second beside slow clients (${LONG.rate})
  --slow-clients N      (${LONG["slow-clients"]})
  --pgdog PATH          PgDog's executable, to be measured too
  --write               the tables to bench/RESULTS.md, the plots beside it`;

/** @throws {UsageError} with what is wrong. */
export function parseOptions(args: string[]): Options {
  let values;
  try {
    values = parseArgs({
      args,
      options: {
        short: { type: "boolean", default: false },
        pgdog: { type: "string" },
        write: { type: "boolean", default: false },
        rounds: { type: "string" },
        seconds: { type: "string" },
        transactions: { type: "string" },
        clients: { type: "string" },
        modes: { type: "string" },
        only: { type: "string" },
        scale: { type: "string" },
        "result-bytes": { type: "string" },
        "copy-bytes": { type: "string" },
        rate: { type: "string" },
        "slow-clients": { type: "string" },
      },
    }).values;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : `${error}`);
  }
  const { short, pgdog, write } = values;
  const text = (name: keyof typeof LONG) =>
    values[name] ?? (short ? SHORT[name] : undefined) ?? LONG[name];
  const list = (name: keyof typeof LONG) =>
    text(name).split(",").map((item) => item.trim());
  const whole = (name: string, value: string, least = 1) => {
    const number = Number(value);
    if (!Number.isSafeInteger(number) || number < least) {
      throw new UsageError(
        `--${name} "${value}" is not a number from ${least}`,
      );
    }
    return number;
  };
  const oneOf = <T extends string>(
    name: keyof typeof LONG,
    all: readonly T[],
  ) =>
    list(name).map((item) => {
      const found = all.find((each) => each === item);
      if (found === undefined) {
        throw new UsageError(
          `--${name} "${item}" is none of ${all.join(", ")}`,
        );
      }
      return found;
    });
  const number = (name: keyof typeof LONG, least = 1) =>
    whole(name, text(name), least);
  const clients = list("clients").map((item) => whole("clients", item));
  if (clients.some((count) => count > MAX_SHOP_CLIENTS)) {
    throw new UsageError(`--clients is at most ${MAX_SHOP_CLIENTS}`);
  }
  return {
    rounds: number("rounds"),
    seconds: number("seconds"),
    transactions: number("transactions", 0),
    clients,
    modes: oneOf("modes", MODES),
    only: oneOf("only", SCENARIOS),
    scale: number("scale"),
    resultBytes: number("result-bytes"),
    copyBytes: number("copy-bytes"),
    rate: number("rate"),
    slowClients: number("slow-clients"),
    pgdog,
    write,
  };
}
