/**
 * CPU time of the proxy's process by what its threads do.
 *
 * @module
 */

const NS_PER_US = 1e3;

/** Microseconds, user and system. */
export class RoleCpu {
  constructor(
    readonly proxy: number,
    readonly mirror: number,
    /** The main thread, and V8's and Deno's own threads. */
    readonly main: number,
  ) {}

  since(before: RoleCpu): RoleCpu {
    return new RoleCpu(
      this.proxy - before.proxy,
      this.mirror - before.mirror,
      this.main - before.main,
    );
  }

  per(count: number): RoleCpu {
    return new RoleCpu(
      this.proxy / count,
      this.mirror / count,
      this.main / count,
    );
  }
}

/**
 * From /proc/PID/task/TID/schedstat (nanoseconds). Deno names Workers in the
 * order of their start, and the mirror worker, if there is one, is the first.
 */
export function cpuByRole(pid: number, hasMirror: boolean): RoleCpu {
  let proxy = 0;
  let mirror = 0;
  let main = 0;
  for (const { name: task } of Deno.readDirSync(`/proc/${pid}/task`)) {
    const folder = `/proc/${pid}/task/${task}`;
    const name = Deno.readTextFileSync(`${folder}/comm`).trim();
    const [ns] = Deno.readTextFileSync(`${folder}/schedstat`).split(" ");
    const us = Number(ns) / NS_PER_US;
    if (!name.startsWith("worker-")) main += us;
    else if (hasMirror && name === "worker-1") mirror += us;
    else proxy += us;
  }
  return new RoleCpu(proxy, mirror, main);
}
