import {
  BIND,
  COPY_DATA,
  COPY_DONE,
  COPY_FAIL,
  EXECUTE,
  FLUSH,
  Framer,
  FUNCTION_CALL,
  QUERY,
  SYNC,
} from "../wire/mod.ts";

const decoder = new TextDecoder();
const NO_RESULT = -1;
/** The server sends no message of its own for them. */
const COMPLETE_NOTHING: ReadonlySet<number> = new Set([
  SYNC,
  FLUSH,
  COPY_DATA,
  COPY_DONE,
  COPY_FAIL,
]);
/** S: Close is of a statement. */
export const CLOSES_STATEMENT = 0x53;

/** A client's message: `bytes[start, end)`, its body from `body` on. */
export interface ClientMessage {
  readonly type: number;
  readonly start: number;
  readonly body: number;
  readonly end: number;
  /** Which of the cycle's it is, from 0, those aside that complete nothing. */
  readonly number: number;
  /** Which of the cycle's results it leads to, from 0: a Bind to that of the next Execute of its portal. -1: to none. */
  readonly result: number;
}

/** The messages of a cycle. */
export function messagesOf(bytes: Uint8Array): readonly ClientMessage[] {
  const framer = new Framer();
  const messages: ClientMessage[] = [];
  let number = 0;
  let results = 0;
  for (let at = 0; at < bytes.length;) {
    const start = at;
    at = framer.step(bytes, at, bytes.length);
    if (!framer.finished) break;
    const { type, bodyStart: body } = framer;
    const isResult = type === EXECUTE || type === QUERY ||
      type === FUNCTION_CALL;
    const result = isResult ? results++ : NO_RESULT;
    messages.push({ type, start, body, end: at, number, result });
    if (!COMPLETE_NOTHING.has(type)) number++;
  }
  return withBinds(bytes, messages);
}

function withBinds(
  bytes: Uint8Array,
  messages: readonly ClientMessage[],
): readonly ClientMessage[] {
  const executes = new Map<string, number>();
  return messages.toReversed().map((message) => {
    const { type, body, end } = message;
    if (type !== EXECUTE && type !== BIND) return message;
    const portal = nameAt(bytes, body, end);
    if (type === EXECUTE) {
      executes.set(portal, message.result);
      return message;
    }
    const result = executes.get(portal) ?? NO_RESULT;
    executes.delete(portal);
    return { ...message, result };
  }).reverse();
}

/** The string at `from` of a message that ends at `to`. */
export function nameAt(bytes: Uint8Array, from: number, to: number): string {
  const end = bytes.indexOf(0, from);
  return decoder.decode(bytes.slice(from, end < 0 ? to : end));
}
