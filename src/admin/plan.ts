import type { Cell } from "../plugin/api.ts";
import type { ResultColumn } from "./result_types.ts";
import type { Settings } from "./settings.ts";

/** What a statement may read and change of the session that runs it. */
export interface PlanSession {
  readonly user: string;
  readonly database: string;
  readonly processId: number;
  readonly settings: Settings;
  begin(): void;
  /** COMMIT or ROLLBACK; gives the tag, which is ROLLBACK for a failed transaction. */
  finish(tag: "COMMIT" | "ROLLBACK"): string;
  /** DEALLOCATE; without a name all of them. */
  deallocate(name?: string): void;
  closePortals(): void;
}

export interface PlanResult {
  readonly rows: readonly (readonly Cell[])[];
  /** CommandComplete's tag, without the number of rows. */
  readonly tag: string;
  /** Told before the tag. */
  readonly notice?: string;
}

/** A statement that is understood and may run. */
export interface Plan {
  /** Of the rows; empty means that none come (NoData). */
  readonly columns: readonly ResultColumn[];
  /** COMMIT and ROLLBACK: runs in a failed transaction, too. */
  readonly endsTransaction?: true;
  /** Words of the command, for the log; none for what drivers send by habit. */
  readonly words?: string;
  run(session: PlanSession): PlanResult | Promise<PlanResult>;
}

/** A plan for a statement that returns no rows. */
export function action(
  tag: string,
  run: (session: PlanSession) => void = () => {},
): Plan {
  return {
    columns: [],
    run(session) {
      run(session);
      return { rows: [], tag };
    },
  };
}
