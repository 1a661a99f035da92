/**
 * A probe that ends the mirror worker's loop by an exception that nothing
 * catches, once the file that it is told of is there.
 *
 * @module
 */

import { Timers } from "../../src/io/timers.ts";
import type { Probe, ProbeContext } from "../../src/plugin/api.ts";

export default function killer({ role }: ProbeContext): Probe {
  if (role !== "mirror") return {};
  const path = new URL(import.meta.url).searchParams.get("file") ?? "";
  const { prototype } = Timers;
  const { get } = Object.getOwnPropertyDescriptor(prototype, "nextUs") ?? {};
  Object.defineProperty(prototype, "nextUs", {
    get(this: Timers): number {
      // Its ticks come every 50 ms.
      if (exists(path)) throw new Error("The mirror worker is killed");
      return get?.call(this) as number;
    },
  });
  return {};
}

function exists(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}
