import {
  CYCLE_BYTES,
  CYCLE_CANCELLED,
  CYCLE_STATEMENTS,
  CYCLE_WORDS,
  STATEMENT_WORDS,
} from "./record.ts";
import { STATEMENT_ANSWER } from "./statement.ts";

/** What one FRAGMENT holds, or several: four views, often of one buffer. */
export interface Piece {
  readonly cycles: Uint32Array;
  readonly statements: Uint32Array;
  /** The primary's. */
  readonly answers: Uint8Array<ArrayBuffer>;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** Bytes of all four. */
export function pieceSize(piece: Piece): number {
  const { cycles, statements, answers, bytes } = piece;
  return bytes.length + answers.length + cycles.byteLength +
    statements.byteLength;
}

/** The bytes that the cycles are made of. */
export function cycleBytes(cycles: Uint32Array): number {
  let length = 0;
  for (let i = 0; i < cycles.length; i += CYCLE_WORDS) {
    length += cycles[i + CYCLE_BYTES] as number;
  }
  return length;
}

/** The memory that a piece keeps: views of one buffer, however little of it they show. */
export function heldSize({ bytes }: Piece): number {
  return bytes.buffer.byteLength;
}

/**
 * Copies what the cycles of `pieces` are made of into one.
 *
 * @returns that, and what is beyond: bytes that the client sent ahead, which
 *   are not copied. Of a client that stays ahead they are here at each
 *   transaction's end.
 */
export function takeWhole(
  pieces: readonly Piece[],
): { whole: Piece; ahead: Piece[] } {
  const cycles = joinWords(pieces.map(({ cycles }) => cycles));
  const statements = joinWords(pieces.map(({ statements }) => statements));
  const bytes = new Uint8Array(cycleBytes(cycles));
  const ahead: Piece[] = [];
  let at = 0;
  for (const { bytes: from } of pieces) {
    const count = Math.min(from.length, bytes.length - at);
    bytes.set(from.subarray(0, count), at);
    at += count;
    if (count < from.length) {
      const rest = from.subarray(count);
      ahead.push({ ...NOTHING, bytes: rest });
    }
  }
  const answers = joinBytes(pieces.map(({ answers }) => answers));
  return { whole: { cycles, statements, answers, bytes }, ahead };
}

const NOTHING = {
  cycles: new Uint32Array(0),
  statements: new Uint32Array(0),
  answers: new Uint8Array(0),
};

/** A copy of all in one. */
function joinPieces(pieces: readonly Piece[]): Piece {
  return {
    cycles: joinWords(pieces.map(({ cycles }) => cycles)),
    statements: joinWords(pieces.map(({ statements }) => statements)),
    answers: joinBytes(pieces.map(({ answers }) => answers)),
    bytes: joinBytes(pieces.map(({ bytes }) => bytes)),
  };
}

/** Whether a cycle is marked with CYCLE_CANCELLED. */
export function hasCancelled(cycles: Uint32Array): boolean {
  for (let i = CYCLE_STATEMENTS; i < cycles.length; i += CYCLE_WORDS) {
    if ((cycles[i] as number) >= CYCLE_CANCELLED) return true;
  }
  return false;
}

/**
 * Takes the marks off the cycles of `piece`, whose bytes are theirs.
 *
 * @returns copies of the unmarked ones, and of the marked ones.
 */
export function splitCancelled(
  { cycles, statements, answers, bytes }: Piece,
): { kept: Piece; cancelled: Piece } {
  const kept: Piece[] = [];
  const cancelled: Piece[] = [];
  let byte = 0;
  let word = 0;
  let answer = 0;
  for (let i = 0; i < cycles.length; i += CYCLE_WORDS) {
    const count = cycles[i + CYCLE_STATEMENTS] as number;
    const marked = count >= CYCLE_CANCELLED;
    if (marked) cycles[i + CYCLE_STATEMENTS] = count - CYCLE_CANCELLED;
    const toByte = byte + (cycles[i + CYCLE_BYTES] as number);
    const toWord = word +
      (cycles[i + CYCLE_STATEMENTS] as number) * STATEMENT_WORDS;
    let toAnswer = answer;
    for (let at = word; at < toWord; at += STATEMENT_WORDS) {
      toAnswer += statements[at + STATEMENT_ANSWER] as number;
    }
    (marked ? cancelled : kept).push({
      cycles: cycles.subarray(i, i + CYCLE_WORDS),
      statements: statements.subarray(word, toWord),
      answers: answers.subarray(answer, toAnswer),
      bytes: bytes.subarray(byte, toByte),
    });
    byte = toByte;
    word = toWord;
    answer = toAnswer;
  }
  return { kept: joinPieces(kept), cancelled: joinPieces(cancelled) };
}

function joinBytes(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const joined = new Uint8Array(lengthOf(parts));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}

function joinWords(parts: readonly Uint32Array[]): Uint32Array {
  const joined = new Uint32Array(lengthOf(parts));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}

function lengthOf(parts: readonly { readonly length: number }[]): number {
  return parts.reduce((sum, { length }) => sum + length, 0);
}
