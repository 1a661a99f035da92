/** Where a driver connects, and as whom. */
export interface DriverConnection {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
  /** Verify the server's name against this authority (PEM); undefined: no TLS. */
  readonly ca: { readonly path: string; readonly pem: string } | undefined;
}

/** What a driver saw; `README.md` beside this says how it comes about. */
export interface Seen {
  readonly user: string;
  readonly prepared: readonly unknown[];
  readonly values: readonly unknown[];
  readonly pipeline?: readonly unknown[];
  readonly copy: readonly string[];
  readonly rolledBack: number;
  readonly failed: string | undefined;
  readonly cancel: string | undefined;
}

export const COPY_LINES = ["1\tone", "2\t\\N", "3\tzwölf 😀"];
export const COPY_TEXT = COPY_LINES.map((line) => `${line}\n`).join("");
export const COPY_IN = "copy item from stdin";
export const COPY_OUT = "copy (select n, t from item order by n) to stdout";
/** Says by a notice that it runs, and would go on for a minute. */
export const SLEEP =
  "do $$ begin raise notice 'running'; perform pg_sleep(60); end $$";

/** The SQLSTATE with which it fails; undefined if it does not. */
export async function sqlstate(
  promise: PromiseLike<unknown>,
): Promise<string | undefined> {
  try {
    await promise;
    return undefined;
  } catch (error) {
    return (error as { code?: string }).code;
  }
}
