/** For the console's two ports (64 each), the HTTP port (64), files, and what the runtime opens. */
const RESERVED_DESCRIPTORS = 256;
/** For each worker's logins to the console, two descriptors each. */
const WORKER_DESCRIPTORS = 32;
/** Where there are few descriptors, clients have the larger part still. */
const MAX_RESERVED_PART = 1 / 4;

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
 * console, the HTTP port or the mirror needs.
 *
 * @param mirrors most of one database: a client takes two descriptors, and a lane for each of them one.
 */
export function shareDescriptors(
  limit: number,
  workers: number,
  mirrors: number,
): DescriptorShares {
  const reserved = Math.min(
    RESERVED_DESCRIPTORS + WORKER_DESCRIPTORS * workers,
    limit * MAX_RESERVED_PART,
  );
  const lanes = Math.floor(limit - reserved);
  return { clients: Math.floor(lanes * 2 / (2 + mirrors)), lanes };
}
