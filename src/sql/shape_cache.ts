import { analyze, type OnFault } from "./analyze.ts";
import { fingerprintOfText } from "./fingerprint.ts";
import { literalFreeKey } from "./literal_free_key.ts";
import { joins, VARIANTS_BYTES } from "./separators.ts";
import { OTHER_SHAPE, type Shape, type Statements } from "./shape.ts";
import { remaskNumber } from "./trait.ts";
import {
  functionShape,
  HEAD_BYTES,
  headShape,
  unparsedShape,
} from "./unparsed.ts";

const decoder = new TextDecoder();
/** Texts beyond this are not parsed: the parser's work grows with them. */
const MAX_TEXT_BYTES = 256 * 1024;
/** Literal-free keys remembered for each shape: several texts may be one shape. */
const KEYS_PER_SHAPE = 2;
/** Bound of what both generations of shapes hold, in bytes. */
const MAX_BYTES = 32 * 1024 * 1024;
/** What a shape takes beside its texts: objects, sets, a place in two maps. */
const SHAPE_BYTES = 512;
/** Of one shape's columns, as text: what is larger is not kept, and in what it may differ is unknown. */
const MAX_SHAPE_BYTES = 1024 * 1024;
/** Parts of traits that fit into it, about: many more are not written out to be measured. */
const MAX_PARTS = 20_000;

/**
 * The shapes of statements by their text. Both texts and shapes are remembered
 * in two generations: what is asked for moves to the young one, and when that
 * is full the old one is forgotten. So texts that come once can't displace
 * those that come often, and any text that comes is parsed, however many came
 * before.
 */
export class ShapeCache {
  readonly #maxShapes: number;
  #young = new Map<number, Statements>();
  #old = new Map<number, Statements>();
  #youngShapes = new Map<string, Shape>();
  #oldShapes = new Map<string, Shape>();
  /** Of the young shapes … */
  #bytes = 0;
  /** … and of the old ones. */
  #oldBytes = 0;

  readonly #onFault: OnFault;

  /** @param maxShapes in a generation. `onFault` hears of texts that could not be looked at, which are then known by their tokens. */
  constructor(maxShapes: number, onFault: OnFault = () => {}) {
    this.#maxShapes = maxShapes;
    this.#onFault = onFault;
  }

  /** The statements of the SQL in `bytes[from, to)`, parsed at the first sight of its literal-free key. */
  get(bytes: Uint8Array, from: number, to: number): Statements {
    const large = to - from > MAX_TEXT_BYTES;
    const end = large ? from + HEAD_BYTES : to;
    // No key of a whole text is negative.
    const key = literalFreeKey(bytes, from, end) * (large ? -1 : 1);
    const young = this.#young.get(key);
    if (young !== undefined) return young;
    const known = this.#old.get(key) ??
      (large
        ? this.#lone(headShape(bytes, from, end))
        : this.#guarded(bytes, from, to));
    if (this.#young.size >= this.#maxShapes * KEYS_PER_SHAPE) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(key, known);
    return known;
  }

  /** About what both generations of shapes hold. */
  get bytes(): number {
    return this.#bytes + this.#oldBytes;
  }

  /** The shape of a FunctionCall message. */
  ofFunction(oid: number): Shape {
    return this.#intern(functionShape(oid));
  }

  /** No text may end the session that it is of. */
  #guarded(bytes: Uint8Array, from: number, to: number): Statements {
    try {
      return this.#parse(bytes, from, to);
    } catch (error) {
      this.#onFault(error);
      return { shapes: [OTHER_SHAPE], links: undefined };
    }
  }

  #parse(bytes: Uint8Array, from: number, to: number): Statements {
    const parsed = analyze(
      decoder.decode(bytes.slice(from, to)),
      this.#onFault,
    );
    if (parsed === undefined) {
      return this.#lone(unparsedShape(bytes, from, to));
    }
    return {
      shapes: parsed.shapes.map((shape) => this.#intern(shape)),
      links: parsed.links?.map((link) =>
        link?.defines === undefined
          ? link
          : { ...link, defines: this.#intern(link.defines) }
      ),
    };
  }

  #lone(shape: Shape): Statements {
    return { shapes: [this.#intern(shape)], links: undefined };
  }

  /** Equal shapes are one object, so that each is held once. */
  #intern(shape: Shape): Shape {
    // The fingerprint does not tell LIMIT 1 from LIMIT 2, 'now' from a date, one level of isolation from another, one row of VALUES from two.
    const told = toldOf(shape);
    if (told === undefined) {
      return this.#intern({
        ...shape,
        isParsed: false,
        outputs: undefined,
        draws: [],
        sortedBy: [],
      });
    }
    const key = shape.fingerprint + fingerprintOfText(told);
    const young = this.#youngShapes.get(key);
    if (young !== undefined) return young;
    const known = this.#oldShapes.get(key) ?? shape;
    const bytes = bytesOf(known, told);
    if (
      this.#youngShapes.size >= this.#maxShapes ||
      this.#bytes + bytes > MAX_BYTES / 2
    ) {
      this.#oldShapes = this.#youngShapes;
      this.#youngShapes = new Map();
      // A text that names a forgotten shape would hold it.
      this.#old = this.#young;
      this.#young = new Map();
      this.#oldBytes = this.#bytes;
      this.#bytes = 0;
    }
    this.#bytes += bytes;
    this.#youngShapes.set(key, known);
    return known;
  }
}

/** What the key of a shape's text tells beside its fingerprint; undefined: it is too large. */
function toldOf(shape: Shape): string | undefined {
  const { orderBy, limited, limit, outputs, counts, isParsed, isolation } =
    shape;
  const { pinned, insertion, rowLocking, updating, draws, sortedBy } = shape;
  const { momentBounds, momentCalls, equated, danger } = shape;
  const { inOrder, choices, decidedBy } = shape;
  const traits = [
    ...(outputs ?? []).map(({ trait }) => trait),
    ...draws.flatMap(({ write: { named, positional } }) => [
      ...named.values(),
      ...positional,
    ]),
  ];
  const masks = traits.flatMap((trait) => trait.parts);
  const orders = [inOrder, ...masks.map((part) => part.inOrder)];
  const ties = [{ sortedBy }, ...counts, ...choices, ...masks, ...orders];
  const texts = ties.flatMap((one) => one?.sortedBy ?? []);
  let parts = counts.length + choices.length +
    (decidedBy?.columns.length ?? 0);
  for (const { columns } of texts) parts += 1 + columns.length;
  for (const trait of traits) {
    parts += 1 + trait.parts.length + trait.calls.length + trait.columns.length;
  }
  if (parts > MAX_PARTS) return undefined;
  const told = textOf([
    orderBy,
    sortedBy,
    limited,
    limit,
    counts,
    outputs,
    draws,
    isParsed,
    isolation,
    pinned,
    insertion,
    rowLocking,
    updating,
    momentBounds,
    momentCalls,
    equated,
    danger,
    inOrder,
    choices,
  ]);
  const hasNames = outputs !== undefined ||
    draws.length > 0;
  return hasNames && 2 * told.length > MAX_SHAPE_BYTES ? undefined : told;
}

/** About what a shape holds. Its names are no longer than its text. */
function bytesOf(shape: Shape, told: string): number {
  const { text, reads, writes, sources, calls, deciding } = shape;
  const { filtered, picked, decidedBy } = shape;
  const held = decidedBy?.columns.map(({ column }) => column) ?? [];
  const names = [
    reads,
    writes,
    sources,
    calls,
    deciding,
    filtered,
    picked,
    held,
  ]
    .flat();
  return SHAPE_BYTES + (joins(shape) ? VARIANTS_BYTES : 0) +
    text.length + 2 * told.length +
    names.reduce((sum, name) => sum + 16 + name.length, 0);
}

/** What was written is said once: many outputs may share it. */
function textOf(value: unknown): string {
  const written = new Set<unknown>();
  return JSON.stringify(value, (key, item) => {
    if (item instanceof Map) return [...item];
    if (key === "as") return remaskNumber(item);
    if (key !== "write") return item;
    if (written.has(item)) return "the same";
    written.add(item);
    return item;
  });
}
