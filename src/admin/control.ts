import { AdminError, quote, SQLSTATE } from "./admin_error.ts";
import type { AdminColumn, Cell } from "../plugin/api.ts";

/** What the console can change in the running proxy. Each is in force when it resolves. */
export interface AdminControl {
  /** @returns what became of each key that differs. @throws {AdminError} F0000; then nothing has changed. */
  reload(): Promise<
    readonly { readonly key: string; readonly effect: string }[]
  >;
  /** @param mirror all of them without it. @throws {AdminError} 42704 if there is no such mirror. */
  pause(mirror: string | undefined): Promise<void>;
  resume(mirror: string | undefined): Promise<void>;
  /** @param share 0 to 1. */
  setExposure(share: number): Promise<void>;
  /** Begins the window of the evidence anew. */
  resetWindow(): Promise<void>;
}

/** A command that changes something, perhaps with one argument behind its words. */
export interface ControlCommand {
  readonly words: string;
  /** How the argument is written in SHOW HELP. */
  readonly argument?: string;
  readonly required?: boolean;
  readonly help: string;
  readonly columns: readonly AdminColumn[];
  /** Said when it is done. */
  readonly notice?: string;
  run(
    argument: string | undefined,
  ): Promise<readonly (readonly Cell[])[]>;
}

/** The commands of an {@linkcode AdminControl}. */
export function controlCommands(control: AdminControl): ControlCommand[] {
  return [
    {
      words: "RELOAD",
      help:
        "Read the configuration anew: all of it, or nothing if there is a problem",
      columns: [
        { name: "key", type: "text", help: "What differs" },
        { name: "effect", type: "text", help: "What became of it" },
      ],
      run: async () =>
        (await control.reload()).map(({ key, effect }) => [key, effect]),
    },
    {
      words: "PAUSE MIRROR",
      argument: "[name]",
      help:
        "Drop what comes for a mirror, or for all, until RESUME MIRROR; what is queued is replayed",
      columns: [],
      run: async (name) => {
        await control.pause(name);
        return [];
      },
    },
    {
      words: "RESUME MIRROR",
      argument: "[name]",
      help: "Replay again",
      columns: [],
      run: async (name) => {
        await control.resume(name);
        return [];
      },
    },
    {
      words: "SET mirror_exposure",
      argument: "TO share",
      required: true,
      help:
        "Share of transactions to replay on every mirror, until the next RELOAD or restart",
      columns: [],
      notice:
        "mirror_exposure holds for all mirrors until the next RELOAD or restart",
      run: async (share) => {
        await control.setExposure(exposure(share ?? ""));
        return [];
      },
    },
    {
      words: "RESET MIRROR WINDOW",
      help:
        "Forget the evidence: the verdict's window begins anew; exported counters go on",
      columns: [],
      run: async () => {
        await control.resetWindow();
        return [];
      },
    },
  ];
}

function exposure(text: string): number {
  const share = text.trim() === "" ? NaN : Number(text);
  if (share >= 0 && share <= 1) return share;
  throw new AdminError(
    SQLSTATE.invalidParameterValue,
    `mirror_exposure is ${quote(text)}, it must be a number from 0 to 1`,
  );
}
