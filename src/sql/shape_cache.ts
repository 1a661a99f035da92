import { analyze } from "./analyze.ts";
import { literalFreeKey } from "./literal_free_key.ts";
import { OTHER_SHAPE, type Shape } from "./shape.ts";

const decoder = new TextDecoder();
/** Texts beyond this are not parsed: the parser's work grows with them. */
const MAX_TEXT_BYTES = 256 * 1024;
/** Literal-free keys remembered for each shape: several texts may be one shape. */
const KEYS_PER_SHAPE = 4;

/**
 * The shapes of statements by their text, at most `maxShapes` of them: what
 * comes later is {@linkcode OTHER_SHAPE}.
 */
export class ShapeCache {
  readonly #maxShapes: number;
  readonly #byKey = new Map<number, readonly Shape[]>();
  readonly #shapes = new Map<string, Shape>();

  constructor(maxShapes: number) {
    this.#maxShapes = maxShapes;
  }

  /** The statements of the SQL in `bytes[from, to)`, parsed at the first sight of its literal-free key. */
  get(bytes: Uint8Array, from: number, to: number): readonly Shape[] {
    if (to - from > MAX_TEXT_BYTES) return OTHERS;
    const key = literalFreeKey(bytes, from, to);
    const known = this.#byKey.get(key);
    if (known !== undefined) return known;
    if (this.#byKey.size >= this.#maxShapes * KEYS_PER_SHAPE) return OTHERS;
    const shapes = analyze(decoder.decode(bytes.slice(from, to)))
      .map((shape) => this.#intern(shape));
    this.#byKey.set(key, shapes);
    return shapes;
  }

  /** Equal shapes are one object, so that they can be compared by identity. */
  #intern(shape: Shape): Shape {
    const known = this.#shapes.get(shape.fingerprint);
    if (known !== undefined) return known;
    if (this.#shapes.size >= this.#maxShapes) return OTHER_SHAPE;
    this.#shapes.set(shape.fingerprint, shape);
    return shape;
  }
}

const OTHERS: readonly Shape[] = [OTHER_SHAPE];
