import type { MismatchCount } from "../stats/mod.ts";

/** Kinds of mismatch counted apart in one statement; those beyond share one for each class. */
const MAX_KINDS = 20;

/** What makes two mismatches of a statement one kind. */
export type MismatchKind = Pick<
  MismatchCount,
  "result" | "mirrorSqlstate" | "primarySqlstate" | "mayBeDrift"
>;

/** A statement's mismatches by kind, within a bound. */
export class MismatchCounts {
  readonly #counts: {
    readonly kind: MismatchKind;
    count: number;
    requests: number;
  }[] = [];

  add(kind: MismatchKind, count: number, requests: number): void {
    const known = this.#find(kind) ?? this.#begin(kind);
    known.count += count;
    known.requests += requests;
  }

  fold(other: MismatchCounts): void {
    for (const { kind, count, requests } of other.#counts) {
      this.add(kind, count, requests);
    }
  }

  /** Requests that are attributed to any of them. */
  get requests(): number {
    return this.#counts.reduce((sum, { requests }) => sum + requests, 0);
  }

  snapshot(): MismatchCount[] {
    return this.#counts.map(({ kind, count, requests }) => ({
      ...kind,
      count,
      requests,
    }));
  }

  #find(wanted: MismatchKind) {
    return this.#counts.find(({ kind }) =>
      kind.result === wanted.result &&
      kind.mirrorSqlstate === wanted.mirrorSqlstate &&
      kind.primarySqlstate === wanted.primarySqlstate &&
      kind.mayBeDrift === wanted.mayBeDrift
    );
  }

  #begin(kind: MismatchKind) {
    const pooled = { ...kind, mirrorSqlstate: null, primarySqlstate: null };
    const full = this.#counts.length >= MAX_KINDS;
    const known = full ? this.#find(pooled) : undefined;
    if (known !== undefined) return known;
    const begun = { kind: full ? pooled : kind, count: 0, requests: 0 };
    this.#counts.push(begun);
    return begun;
  }
}
