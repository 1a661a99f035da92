import { type Danger, formOf, NOT_RUN } from "../sql/mod.ts";
import type { Shape, Statements } from "../sql/shape.ts";
import { dangerOfWords, dangersOfText } from "../sql/unsafe_code.ts";

const decoder = new TextDecoder();

/** The same statements with what the code in this text's literals may do, or the words of what is not parsed. */
export function withCode(
  statements: Statements,
  bytes: Uint8Array,
  from: number,
  to: number,
): Statements {
  const { shapes, links } = statements;
  const hasCode = shapes.some(isCode) ||
    (links?.some((link) =>
      link?.defines !== undefined && isCode(link.defines)
    ) ??
      false);
  if (!hasCode) return statements;
  const sql = decoder.decode(bytes.slice(from, to));
  const dangers = shapes.some(({ isParsed }) => isParsed)
    ? dangersOfText(sql)
    : [dangerOfWords(sql)];
  const told = (shape: Shape, danger: Danger | undefined): Shape =>
    danger === undefined || !isCode(shape)
      ? shape
      : { ...shape, danger, base: shape.base ?? shape };
  return {
    shapes: shapes.map((shape, i) => told(shape, dangers[i])),
    links: links?.map((link, i) =>
      link?.defines === undefined
        ? link
        : { ...link, defines: told(link.defines, dangers[i]) }
    ),
  };
}

function isCode({ danger, isParsed }: Shape): boolean {
  return danger?.hasCode === true || !isParsed;
}

/** Whether a statement runs a prepared one within itself. */
export function executes({ danger }: Shape): boolean {
  return danger?.executes !== undefined;
}

/** What both do; the first one runs the other. */
export function joined(
  { danger }: Shape,
  { calls, reads, writes, danger: more }: Shape,
): Danger {
  return {
    kinds: [...danger?.kinds ?? [], ...more?.kinds ?? []],
    calls: [...danger?.calls ?? [], ...calls, ...more?.calls ?? []],
    reads: [...reads, ...more?.reads ?? []],
    writes: [...writes, ...more?.writes ?? []],
    hasCode: false,
  };
}

const unrun = new WeakMap<Shape, Shape>();

/** A statement that is prepared or described only: it does nothing. */
export function notRun(shape: Shape): Shape {
  return shape.danger === undefined
    ? shape
    : formOf(shape, unrun, { danger: NOT_RUN });
}
