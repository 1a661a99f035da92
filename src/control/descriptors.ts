/** For the console's two ports (64 each), the HTTP port (64), files, and what the runtime opens. */
const RESERVED_DESCRIPTORS = 256;
/** For each worker's logins to the console, two descriptors each. */
const WORKER_DESCRIPTORS = 32;
/** Of few descriptors; both what is reserved, and room for its owners below. */
const MAX_RESERVED_PART = 1 / 4;

/** What a proxy worker opens at its start: 9 were measured. */
const WORKER_AT_REST = 10;
/** What else is opened behind the workers: the mirror worker, the HTTP port, files of plugins; 8 were measured. */
const OTHERS_AT_REST = 16;
/** A proxy for fewer is none. */
const MIN_CLIENTS = 8;

/** Who may open a descriptor: those whose number is below. The kernel gives the lowest that is free. */
export interface DescriptorShares {
  /** Clients and their primaries. */
  readonly clients: number;
  /** Lanes, as well. */
  readonly lanes: number;
}

/** What the process may have open at most (`RLIMIT_NOFILE`). */
export function descriptorLimit(): number {
  const limits = Deno.readTextFileSync("/proc/self/limits");
  const [, soft] = /^Max open files\s+(\S+)/m.exec(limits) ?? [];
  return soft === "unlimited" ? Infinity : Number(soft);
}

/**
 * Shares the descriptors so that a flood of clients takes none that the
 * console, the HTTP port or the mirror needs. These may have all that is
 * reserved for them below the others' numbers, too: with all of it there is a
 * lane for each client still.
 *
 * @param mirrors most of one database: a client takes two descriptors, and a lane for each of them one.
 */
export function shareDescriptors(
  limit: number,
  workers: number,
  mirrors: number,
): DescriptorShares {
  const reserved = Math.min(
    reservedFor(workers),
    Math.floor(limit * MAX_RESERVED_PART),
  );
  const lanes = limit - reserved;
  if (mirrors === 0) return { clients: lanes, lanes };
  return {
    clients: Math.floor((lanes - reserved) * 2 / (2 + mirrors)),
    lanes,
  };
}

/**
 * Refuses to start where no client could be let in.
 *
 * @param open descriptors before the workers start.
 * @throws {Error}
 */
export function requireDescriptors(
  limit: number,
  workers: number,
  mirrors: number,
  open: number,
): void {
  const needed = open + WORKER_AT_REST * workers + OTHERS_AT_REST +
    2 * MIN_CLIENTS;
  if (shareDescriptors(limit, workers, mirrors).clients >= needed) return;
  // The same sums backwards.
  const reserves = mirrors === 0 ? 1 : 2;
  const shared = Math.ceil(needed * (2 + mirrors) / 2);
  const least = Math.min(
    shared + reserves * reservedFor(workers),
    Math.ceil(shared / (1 - reserves * MAX_RESERVED_PART)),
  );
  throw new Error(
    `The limit of open files is ${limit}, and ${least} are needed for what the proxy itself opens and ${MIN_CLIENTS} clients; raise it (LimitNOFILE in systemd, ulimit -n in a shell)`,
  );
}

function reservedFor(workers: number): number {
  return RESERVED_DESCRIPTORS + WORKER_DESCRIPTORS * workers;
}
