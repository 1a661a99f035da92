import {
  encodeStartupMessage,
  ERROR_RESPONSE,
  READY_FOR_QUERY,
} from "../../src/wire/mod.ts";
import { ScramClient } from "../../src/wire/scram.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Bytes of a message: type letter, then parts. Numbers are single bytes. */
export function message(
  type: string,
  ...parts: readonly (string | number | Uint8Array)[]
): Uint8Array<ArrayBuffer> {
  const body = parts.flatMap((part) =>
    typeof part === "number"
      ? [part]
      : typeof part === "string"
      ? [...encoder.encode(part)]
      : [...part]
  );
  const bytes = new Uint8Array(type.length + 4 + body.length);
  bytes.set(encoder.encode(type));
  new DataView(bytes.buffer).setInt32(type.length, 4 + body.length);
  bytes.set(body, type.length + 4);
  return bytes;
}

export function int32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setInt32(0, value);
  return bytes;
}

export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

/** A client that sends what a test tells it, byte for byte. */
export class RawClient {
  #buffer: number[] = [];
  #late = false;
  readonly #deadline: ReturnType<typeof setTimeout>;

  private constructor(readonly conn: Deno.TcpConn) {
    // A server that does not answer must fail the test, not hang it.
    this.#deadline = setTimeout(() => {
      this.#late = true;
      this.close();
    }, 5000);
  }

  static async connect(port: number): Promise<RawClient> {
    return new RawClient(await Deno.connect({ hostname: "127.0.0.1", port }));
  }

  /** Connected and past the first ReadyForQuery. */
  static async loggedIn(
    port: number,
    user: string,
    password: string,
  ): Promise<RawClient> {
    const client = await RawClient.connect(port);
    await client.startup({ user, database: "admin" });
    await client.scram(password);
    await client.untilReady();
    return client;
  }

  async send(...parts: readonly Uint8Array[]): Promise<void> {
    const bytes = concat(...parts);
    for (let at = 0; at < bytes.length;) {
      at += await this.conn.write(bytes.subarray(at));
    }
  }

  async startup(
    parameters: Record<string, string>,
    protocol?: number,
  ): Promise<void> {
    await this.send(
      encodeStartupMessage(Object.entries(parameters), protocol),
    );
  }

  /** Answers AuthenticationSASL. Stops at an error. @returns what came last */
  async scram(password: string): Promise<string> {
    const offer = await this.next();
    if (offer === undefined || offer.type !== "R") return describe(offer);
    const scram = new ScramClient({ user: "", password });
    const first = scram.first();
    await this.send(
      message("p", "SCRAM-SHA-256\0", int32(first.length), first),
    );
    const challenge = await this.next();
    if (challenge === undefined || challenge.type !== "R") {
      return describe(challenge);
    }
    const final = scram.continue(decoder.decode(challenge.body.subarray(4)));
    await this.send(message("p", final));
    const outcome = await this.next();
    if (outcome?.type === "R") {
      scram.verify(decoder.decode(outcome.body.subarray(4)));
    }
    return describe(outcome);
  }

  /** One byte, as after SSLRequest. */
  async byte(): Promise<string | undefined> {
    if (!await this.#need(1)) return undefined;
    return String.fromCharCode(this.#buffer.shift() ?? 0);
  }

  /** The next message; undefined at the end of the connection. */
  async next(): Promise<{ type: string; body: Uint8Array } | undefined> {
    if (!await this.#need(5)) return undefined;
    const head = Uint8Array.from(this.#buffer.slice(0, 5));
    const length = new DataView(head.buffer).getInt32(1);
    if (!await this.#need(1 + length)) return undefined;
    const body = Uint8Array.from(this.#buffer.slice(5, 1 + length));
    this.#buffer = this.#buffer.slice(1 + length);
    return { type: String.fromCharCode(head[0] ?? 0), body };
  }

  /** Messages up to ReadyForQuery or the end, each as one short text. */
  async untilReady(): Promise<string[]> {
    const lines: string[] = [];
    for (;;) {
      const message = await this.next();
      lines.push(describe(message));
      if (
        message === undefined ||
        message.type === String.fromCharCode(READY_FOR_QUERY)
      ) return lines;
    }
  }

  /** True when the other side closes, whatever comes before. */
  async ends(): Promise<boolean> {
    while (await this.next() !== undefined);
    return true;
  }

  close(): void {
    clearTimeout(this.#deadline);
    try {
      this.conn.close();
    } catch {
      // It is closed.
    }
  }

  async #need(count: number): Promise<boolean> {
    while (this.#buffer.length < count) {
      const chunk = new Uint8Array(65536);
      let read: number | null;
      try {
        read = await this.conn.read(chunk);
      } catch {
        if (this.#late) throw new Error("Server did nothing for 5 s");
        return false;
      }
      if (read === null) return false;
      for (const byte of chunk.subarray(0, read)) this.#buffer.push(byte);
    }
    return true;
  }
}

/** `E 42601`, `Z I`, `C SHOW`, `D a|b`, `S name=value`, else the letter alone; `end` for none. */
function describe(
  message: { type: string; body: Uint8Array } | undefined,
): string {
  if (message === undefined) return "end";
  const { type, body } = message;
  const strings = decoder.decode(body).split("\0");
  switch (type) {
    case String.fromCharCode(ERROR_RESPONSE):
      return `E ${strings.find((field) => field.startsWith("S"))?.slice(1)} ${
        strings.find((field) => field.startsWith("C"))?.slice(1)
      }`;
    case "Z":
    case "C":
      return `${type} ${strings[0]}`;
    case "S":
      return `S ${strings[0]}=${strings[1]}`;
    case "D":
      return `D ${textRow(body).join("|")}`;
    default:
      return type;
  }
}

function textRow(body: Uint8Array): string[] {
  const view = new DataView(body.buffer, body.byteOffset);
  const values: string[] = [];
  let at = 2;
  for (let column = 0; column < view.getInt16(0); column++) {
    const length = view.getInt32(at);
    at += 4;
    if (length < 0) values.push("null");
    else {
      values.push(decoder.decode(body.subarray(at, at + length)));
      at += length;
    }
  }
  return values;
}

/** The message letters of the frontend, for tests that read as a conversation. */
export const send = {
  query: (text: string) => message("Q", text, 0),
  parse: (name: string, text: string) => message("P", name, 0, text, 0, 0, 0),
  bind: (portal: string, statement: string, ...formats: number[]) =>
    message(
      "B",
      portal,
      0,
      statement,
      0,
      ...[0, 0, 0, 0, 0, formats.length],
      ...formats.flatMap((format) => [0, format]),
    ),
  describe: (kind: "S" | "P", name: string) => message("D", kind, name, 0),
  execute: (portal: string, limit = 0) => message("E", portal, 0, int32(limit)),
  close: (kind: "S" | "P", name: string) => message("C", kind, name, 0),
  sync: () => message("S"),
  flush: () => message("H"),
  terminate: () => message("X"),
};
