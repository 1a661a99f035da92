import { CLOSE, Framer, PARSE, QUERY } from "../wire/mod.ts";
import { isStateStatement } from "./session_state.ts";

/** What is kept of one statement's text, in characters; state is looked for in it. */
const HEAD_CHARS = 4096;
/** A statement cut off before so much of it says too little. */
const TELLING_CHARS = 48;
const STATEMENT = 0x53; // S, in Close

// Keywords are ASCII; what else there is need only stay one character a byte.
const decoder = new TextDecoder("latin1");

/**
 * Looks through client messages that will not be replayed for anything that
 * changes the session's state. They may be cut anywhere, and be of any length:
 * no more than {@linkcode HEAD_CHARS} of them are held. It errs towards "yes".
 */
export class StateWatch {
  /** State was changed, or may have been. */
  touched = false;
  readonly #framer = new Framer();
  /** The first characters of the statement under way. */
  #head = "";
  /** The statement under way has more than that. */
  #long = false;
  /** The statement under way began before us. */
  #foreign = false;
  /** The zero byte behind the message's text has come. */
  #textEnded = false;

  /** @param framer where its stream stands, the first bytes come: between two messages unless given. */
  constructor(framer?: Framer) {
    if (framer === undefined) return;
    this.#framer.follow(framer);
    this.#foreign = isInBody(framer);
  }

  /** Looks at `chunk[0, length)`. */
  take(chunk: Uint8Array, length: number): void {
    const framer = this.#framer;
    for (let at = 0; at < length && !this.touched;) {
      at = framer.step(chunk, at, length);
      if (framer.broken) this.touched = true;
      else if (at > framer.bodyStart) this.#body(chunk, framer.bodyStart, at);
    }
  }

  /** No more will come, although a message may be cut off. */
  end(): void {
    const { type } = this.#framer;
    const inText = isInBody(this.#framer) && !this.#textEnded &&
      (type === QUERY || type === PARSE);
    if (!inText || this.#foreign) return;
    this.touched ||= this.#head.trimStart().length < TELLING_CHARS ||
      isStateStatement(this.#head, true);
  }

  #body(chunk: Uint8Array, from: number, to: number): void {
    const framer = this.#framer;
    const seen = framer.bodyLength - framer.remaining - (to - from);
    const first = seen === 0 ? chunk[from] : undefined;
    if (seen === 0) this.#textEnded = false;
    switch (framer.type) {
      case PARSE:
        // A named statement is state by itself; an unnamed one may be a SET.
        if (first !== undefined && first !== 0) this.touched = true;
        else this.#text(chunk, seen === 0 ? from + 1 : from, to);
        break;
      case CLOSE:
        if (first === STATEMENT) this.touched = true;
        break;
      case QUERY:
        this.#text(chunk, from, to);
    }
    if (framer.finished) this.#statementEnded();
  }

  #text(chunk: Uint8Array, from: number, to: number): void {
    if (this.#textEnded) return;
    const zero = chunk.indexOf(0, from);
    this.#textEnded = zero >= 0 && zero < to;
    const text = decoder.decode(
      chunk.slice(from, this.#textEnded ? zero : to),
    );
    // Without reading literals, as `queryState` does.
    text.split(";").forEach((part, i) => {
      if (i > 0) this.#statementEnded();
      const room = HEAD_CHARS - this.#head.length;
      if (part.length > room) this.#long = true;
      if (!this.#foreign && room > 0) this.#head += part.slice(0, room);
    });
    if (this.#textEnded) this.#statementEnded();
  }

  #statementEnded(): void {
    if (this.#head !== "") {
      this.touched ||= isStateStatement(this.#head, this.#long);
    }
    this.#head = "";
    this.#long = this.#foreign = false;
  }
}

/** Some of a body has come, and more of it will. */
function isInBody({ remaining, bodyLength }: Framer): boolean {
  return remaining > 0 && remaining < bodyLength;
}
