import { lookup } from "node:dns/promises";
import { isIP } from "node:net";

/** Addresses by host: a numeric address, or the folder of a unix socket, stands for itself. */
export type Addresses = ReadonlyMap<string, string>;

/** What asking for names came to. */
export interface Resolution {
  readonly addresses: Addresses;
  /** Names with another address than before. */
  readonly moved: readonly {
    readonly host: string;
    readonly from: string;
    readonly to: string;
  }[];
  /** Names without an answer, with the reason; who had an address keeps it. */
  readonly failed: ReadonlyMap<string, string>;
}

/** All addresses of a name. Injected where a test decides them. */
export type Lookup = (host: string) => Promise<readonly string[]>;

/** The system's resolver: /etc/hosts, then DNS. */
export const systemLookup: Lookup = async (host) =>
  (await lookup(host, { all: true })).map(({ address }) => address);

/**
 * Asks for the addresses of `hosts`, here on the main thread: workers block. A
 * name keeps its address as long as that is among its addresses, so that a
 * resolver which shuffles them moves nobody.
 */
export async function resolveNames(
  hosts: Iterable<string>,
  before: Addresses,
  ask: Lookup = systemLookup,
): Promise<Resolution> {
  const addresses = new Map<string, string>();
  const moved: Resolution["moved"][number][] = [];
  const failed = new Map<string, string>();
  await Promise.all([...new Set(hosts)].map(async (host) => {
    const bare = host.replace(/^\[|\]$/g, "");
    if (host.startsWith("/") || isIP(bare) !== 0) {
      addresses.set(host, bare);
      return;
    }
    const known = before.get(host);
    try {
      const found = await ask(host);
      const address = known !== undefined && found.includes(known)
        ? known
        : found[0];
      if (address === undefined) throw new Error("no address");
      addresses.set(host, address);
      if (known !== undefined && address !== known) {
        moved.push({ host, from: known, to: address });
      }
    } catch (error) {
      failed.set(host, (error as Error).message);
      if (known !== undefined) addresses.set(host, known);
    }
  }));
  return { addresses, moved, failed };
}
