import { analyze } from "./analyze.ts";
import { literalFreeKey } from "./literal_free_key.ts";
import { OTHER_SHAPE, type Shape, type Statements } from "./shape.ts";

const decoder = new TextDecoder();
/** Texts beyond this are not parsed: the parser's work grows with them. */
const MAX_TEXT_BYTES = 256 * 1024;
/** Literal-free keys remembered for each shape: several texts may be one shape. */
const KEYS_PER_SHAPE = 2;

/**
 * The shapes of statements by their text, at most `maxShapes` of them: what
 * comes later is {@linkcode OTHER_SHAPE}. Keys of texts are remembered in two
 * generations, so that texts which come once can't displace those that come
 * often.
 */
export class ShapeCache {
  readonly #maxShapes: number;
  #young = new Map<number, Statements>();
  #old = new Map<number, Statements>();
  readonly #shapes = new Map<string, Shape>();

  constructor(maxShapes: number) {
    this.#maxShapes = maxShapes;
  }

  /** The statements of the SQL in `bytes[from, to)`, parsed at the first sight of its literal-free key. */
  get(bytes: Uint8Array, from: number, to: number): Statements {
    if (to - from > MAX_TEXT_BYTES) return OTHERS;
    const key = literalFreeKey(bytes, from, to);
    const young = this.#young.get(key);
    if (young !== undefined) return young;
    const known = this.#old.get(key) ??
      this.#parse(decoder.decode(bytes.slice(from, to)));
    if (this.#young.size >= this.#maxShapes * KEYS_PER_SHAPE) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(key, known);
    return known;
  }

  #parse(sql: string): Statements {
    const { shapes, links } = analyze(sql);
    return { shapes: shapes.map((shape) => this.#intern(shape)), links };
  }

  /** Equal shapes are one object, so that they can be compared by identity. */
  #intern(shape: Shape): Shape {
    // The fingerprint does not tell ORDER BY 1 from ORDER BY 2, LIMIT 1 from
    // LIMIT 2, 'now' from a date, nor a user's schema from pg_catalog.
    const { fingerprint, orderBy, limited, limit, noise, counts } = shape;
    const told = [orderBy, limited, limit, noise, counts];
    const key = fingerprint + JSON.stringify(told);
    const known = this.#shapes.get(key);
    if (known !== undefined) return known;
    if (this.#shapes.size >= this.#maxShapes) return OTHER_SHAPE;
    this.#shapes.set(key, shape);
    return shape;
  }
}

const OTHERS: Statements = { shapes: [OTHER_SHAPE], links: undefined };
