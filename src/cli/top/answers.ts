/** What `/live` says, as far as `top` shows it; `plugins/README.md` describes it. */
export interface Live {
  readonly at: number;
  readonly startedAt: number;
  readonly version: string;
  readonly clients: number;
  readonly servers: Readonly<Record<string, string>>;
  readonly mirrors: readonly LiveMirror[];
}

export interface LiveMirror {
  readonly database: string;
  readonly mirror: string;
  readonly ledger: Readonly<Record<string, number | Outcome>>;
  readonly results: Readonly<Record<string, number>>;
  readonly consecutiveErrors: number;
  readonly recent: Readonly<Record<string, readonly (number | null)[]>>;
  readonly statements: readonly LiveStatement[];
}

/** An outcome with its reasons. */
export interface Outcome {
  readonly total: number;
  readonly reasons: Readonly<Record<string, number>>;
}

export interface LiveStatement {
  readonly text: string;
  readonly calls: number;
  readonly mismatches: number;
  readonly results: Readonly<Record<string, number>>;
  readonly latency: { readonly ratio: number | null };
}

/** What `/readiness` says, as far as `top` shows it. */
export interface Readiness extends Verdict {
  readonly mirrors: readonly {
    readonly database: string;
    readonly mirror: string;
    readonly verdict: Verdict;
  }[];
}

export interface Verdict {
  readonly state: string;
  readonly headline: string;
  readonly score: number;
  readonly recommendation: string;
  readonly reasons: readonly string[];
  /** Older versions do not tell them. */
  readonly causes?: readonly string[];
  readonly gates: readonly Gate[];
}

export interface Gate {
  readonly gate: string;
  readonly status: string;
  readonly sentence: string;
}
