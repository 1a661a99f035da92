import type { Catalog } from "../catalog/mod.ts";
import { type DrawnColumns, isMoment } from "../judge/mod.ts";
import { type MomentCalls, MOMENTS } from "../sql/mod.ts";
import type { Shape } from "../sql/shape.ts";
import type { ShapeCache } from "../sql/shape_cache.ts";
import { BIND, CLOSE, concat, messageOf, PARSE, QUERY } from "../wire/mod.ts";
import { MAX_PARAMETERS, readBind, withParameters } from "./bind.ts";
import {
  type ClientMessage,
  CLOSES_STATEMENT,
  messagesOf,
  nameAt,
} from "./client_messages.ts";
import { momentText } from "./moment_text.ts";
import { followNames, PreparedStatements } from "./prepared_statements.ts";
import { highestParameter } from "./texts.ts";
import { literalOf } from "./value_text.ts";

const encoder = new TextEncoder();

/** What a mirror's lanes share. */
export interface MomentRewriterOptions {
  readonly giving: { readonly isOn: boolean };
  readonly shapes: ShapeCache;
  readonly catalog: () => Catalog;
  readonly drawn: Pick<DrawnColumns, "of">;
}

/** How much later than the primary the mirror begins, in microseconds: a cycle's transaction, and its statements. */
export type Lag = Readonly<Record<MomentCalls["of"], number>>;

/**
 * Writes the statements that go over one connection so that WHERE is held
 * against the primary's moment, and not against the mirror's, which comes later:
 * `expires_at < now()`. So both find the same rows.
 */
export class MomentRewriter {
  readonly #options: MomentRewriterOptions;
  readonly #prepared = new PreparedStatements<MovedShape>();
  /** Undefined: what is sent is not the client's own. */
  #lag: Lag | undefined;

  constructor(options: MomentRewriterOptions) {
    this.#options = options;
  }

  /** Statements are prepared with one parameter more than the client's: each cycle must be looked at. */
  get hasPrepared(): boolean {
    return this.#prepared.size > 0;
  }

  /** A new connection: nothing is prepared on it. */
  reset(): void {
    this.#prepared.clear();
  }

  /** Writes one cycle, which is sent now. @param lag undefined: only what it prepares is written. */
  cycle(
    bytes: Uint8Array<ArrayBuffer>,
    lag: Lag | undefined,
  ): Uint8Array<ArrayBuffer> {
    this.#lag = lag;
    const parts: Uint8Array[] = [];
    let from = 0;
    for (const message of messagesOf(bytes)) {
      const written = this.#message(bytes, message);
      if (written === undefined) continue;
      parts.push(bytes.subarray(from, message.start), written);
      from = message.end;
    }
    if (from === 0) return bytes;
    parts.push(bytes.subarray(from));
    return concat(parts);
  }

  /** The mirror has answered the cycle, and acted on so many of its messages. */
  answered(completed: number): void {
    this.#prepared.answered(completed);
  }

  /** Undefined: the message goes as it came. */
  #message(
    bytes: Uint8Array<ArrayBuffer>,
    message: ClientMessage,
  ): Uint8Array | undefined {
    const { type, body, end, number } = message;
    switch (type) {
      case QUERY: {
        const shape = this.#moved(bytes, body, end - 1, number);
        if (shape === undefined || this.#lag === undefined) return undefined;
        const ago = literalOf(this.#ago(shape));
        const text = momentText(bytes, body, end - 1, shape.momentCalls, ago);
        return text && messageOf(QUERY, text, bytes.subarray(end - 1, end));
      }
      case PARSE:
        return this.#parse(bytes, message);
      case BIND: {
        if (this.#prepared.size === 0) return undefined;
        const bind = readBind(bytes, body, end);
        const shape = bind && this.#prepared.get(bind.statement);
        if (bind === undefined || shape === undefined) return undefined;
        const value = encoder.encode(this.#ago(shape));
        const added = [{ value, isBinary: false }];
        return messageOf(BIND, withParameters(bytes, body, end, bind, added));
      }
      case CLOSE:
        if (bytes[body] === CLOSES_STATEMENT) {
          const name = nameAt(bytes, body + 1, end);
          this.#prepared.set(name, undefined, number);
        }
    }
    return undefined;
  }

  #parse(
    bytes: Uint8Array<ArrayBuffer>,
    { body, end, number }: ClientMessage,
  ): Uint8Array | undefined {
    const name = nameAt(bytes, body, end);
    this.#prepared.set(name, undefined, number);
    const from = bytes.indexOf(0, body) + 1;
    const to = bytes.indexOf(0, from);
    if (from === 0 || to < 0 || to + 3 > end) return undefined;
    const shape = this.#moved(bytes, from, to, number);
    if (shape === undefined || !this.#prepared.hasRoomFor(name)) {
      return undefined;
    }
    const view = new DataView(bytes.buffer, bytes.byteOffset, end);
    const parameters = Math.max(
      view.getUint16(to + 1),
      highestParameter(bytes, from, to),
    );
    if (parameters + 1 > MAX_PARAMETERS) return undefined;
    const ago = `$${parameters + 1}`;
    const text = momentText(bytes, from, to, shape.momentCalls, ago);
    if (text === undefined) return undefined;
    this.#prepared.set(name, shape, number);
    return messageOf(
      PARSE,
      bytes.subarray(body, from),
      text,
      bytes.subarray(to, end),
    );
  }

  /** From the mirror's moment back to the primary's, if their clocks go alike. */
  #ago(shape: MovedShape): string {
    const us = this.#isDrawn(shape)
      ? 0
      : this.#lag?.[shape.momentCalls.of] ?? 0;
    // PostgreSQL 14 reads no more microseconds than an int4 holds.
    return `${(us / 1e6).toFixed(6)} seconds`;
  }

  /** The only statement of a text, if the moment decides what it finds. */
  #moved(
    bytes: Uint8Array<ArrayBuffer>,
    from: number,
    to: number,
    message: number,
  ): MovedShape | undefined {
    const { giving, shapes } = this.#options;
    const statements = shapes.get(bytes, from, to);
    followNames(this.#prepared, statements, message);
    const [shape, ...others] = statements.shapes;
    const isOnly = others.length === 0 && statements.links === undefined;
    return shape !== undefined && isOnly && giving.isOn &&
        turnsOnMoment(shape) && !skipsLocked(shape) && this.#isPlain(shape)
      ? shape
      : undefined;
  }

  /** No view asks for the moment by itself, and no function of a user has the name of one that does. */
  #isPlain({ sources }: Shape): boolean {
    const catalog = this.#options.catalog();
    return [...MOMENTS].every(catalog.isForeign) &&
      !sources.some((source) => catalog.isView(source));
  }

  /** What the mirror has drawn is as late there as its own moment. */
  #isDrawn({ sources, writes, momentCalls }: MovedShape): boolean {
    const { catalog, drawn } = this.#options;
    const known = catalog();
    const written = writes.flatMap((name) => known.keysOfName(name));
    const keys = [...sources, ...written];
    const columns = new Set(
      keys.flatMap((key) => known.columns(key) ?? []).map(({ name }) => name),
    );
    // A query within may give a column another name.
    const isAny = momentCalls.columns.some((name) => !columns.has(name));
    return keys.flatMap((key) => known.oids(key)).some((oid) =>
      [...drawn.of(oid)].some(({ column, mask }) =>
        momentCalls.columns.includes(column) || isAny && isMoment(mask)
      )
    );
  }
}

/** A statement that can be run at another moment. */
type MovedShape = Shape & { readonly momentCalls: MomentCalls };

/** Whether the moment decides what a statement finds, and it may be another one. */
export function turnsOnMoment(shape: Shape): shape is MovedShape {
  const { kind, note, counts, outputs, momentCalls } = shape;
  if (momentCalls === undefined || note !== undefined) return false;
  if (counts.some(({ rule }) => rule === "boundary")) {
    return kind === "dml" || kind === "read";
  }
  return kind === "read" &&
    (outputs ?? []).some(({ trait }) =>
      trait.parts.some(({ mask }) => mask === "boundary")
    );
}

/** Its rows are told, whatever the moment is. */
function skipsLocked({ rowLocking }: Shape): boolean {
  return rowLocking !== undefined && rowLocking.own === undefined;
}
