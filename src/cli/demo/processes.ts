/** A process; the start time tells it from a later one with the same id. */
export interface Process {
  readonly pid: number;
  /** Clock ticks since the machine started. */
  readonly startTime: string;
}

interface ProcessStatus extends Process {
  readonly parent: number;
  /** One letter, see proc(5): `T` stopped, `Z` zombie. */
  readonly state: string;
}

/** Children of `pid`, read from /proc. */
export function childrenOf(pid: number): Process[] {
  const children: Process[] = [];
  for (const { name } of Deno.readDirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const status = statusOf(Number(name));
    if (status?.parent === pid && status.state !== "Z") children.push(status);
  }
  return children;
}

/** A zombie counts as dead: only its exit status is left. */
export function isAlive({ pid, startTime }: Process): boolean {
  const status = statusOf(pid);
  return status?.startTime === startTime && status.state !== "Z";
}

/** True for a process that is gone, too: it does nothing any more. */
export function isStopped({ pid, startTime }: Process): boolean {
  const status = statusOf(pid);
  return status?.startTime !== startTime || "TZ".includes(status.state);
}

export function processOf(pid: number): Process | undefined {
  return statusOf(pid);
}

/** Sends a signal, unless the process is gone. */
export function signal(process: Process, name: Deno.Signal): void {
  try {
    if (isAlive(process)) Deno.kill(process.pid, name);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

/** /proc/PID/stat: the name in parentheses may hold spaces and parentheses. */
function statusOf(pid: number): ProcessStatus | undefined {
  let text: string;
  try {
    text = Deno.readTextFileSync(`/proc/${pid}/stat`);
  } catch {
    return undefined; // gone: ENOENT, or ESRCH while it was read
  }
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return {
    pid,
    state: fields[0] ?? "",
    parent: Number(fields[1]),
    startTime: fields[19] ?? "", // field 22 of proc(5)
  };
}
