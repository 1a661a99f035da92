import { Framer } from "../../src/wire/mod.ts";
import {
  concat,
  int16,
  int32,
  message,
  query,
  sync,
  WireClient,
} from "./wire_client.ts";
import type { CorpusCase } from "./corpus.ts";

const ERROR = "E".charCodeAt(0);

/**
 * Sends a case's statements, as a driver does, each when the one before is
 * answered.
 *
 * @returns what came for the last one.
 */
export async function playCase(
  one: CorpusCase,
  port: number,
  database: string,
): Promise<Uint8Array> {
  const { statements, protocol = "simple", parameters = [], copy } = one;
  const client = await WireClient.connect(port, { database });
  for (const [i, text] of statements.entries()) {
    const isLast = i === statements.length - 1;
    client.received.length = 0;
    if (isLast && copy !== undefined) {
      await client.send(copyIn(text, copy));
    } else if (isLast && parameters.length > 0) {
      await client.send(extended(text, parameters, protocol === "binary"));
    } else if (protocol === "simple") {
      await client.send(query(text));
    } else if (protocol === "prepared") {
      const name = `statement_${i}`;
      await client.send(
        concat([parse(name, text), describe("S", name), sync()]),
      );
      await client.ready(1);
      if (hasError(client.bytes)) continue;
      await client.send(concat([bind(name), execute(), sync()]));
    } else {
      await client.send(extended(text, [], protocol === "binary"));
    }
    await client.ready(1);
  }
  const answer = client.bytes;
  await client.terminate();
  return answer;
}

function extended(
  text: string,
  parameters: readonly string[],
  isBinary: boolean,
): Uint8Array {
  return concat([
    parse("", text),
    bind("", parameters, isBinary),
    describe("P", ""),
    execute(),
    sync(),
  ]);
}

function parse(name: string, text: string): Uint8Array {
  return message("P", `${name}\0${text}\0`, int16(0));
}

function bind(
  name: string,
  parameters: readonly string[] = [],
  isBinary = false,
): Uint8Array {
  const values = parameters.flatMap((value) => {
    const bytes = new TextEncoder().encode(value);
    return [int32(bytes.length), bytes];
  });
  return message(
    "B",
    `\0${name}\0`,
    int16(0),
    int16(parameters.length),
    ...values,
    ...isBinary ? [int16(1), int16(1)] : [int16(0)],
  );
}

function execute(): Uint8Array {
  return message("E", "\0", int32(0));
}

function describe(what: "S" | "P", name: string): Uint8Array {
  return message("D", `${what}${name}\0`);
}

/** A server that refuses the COPY passes over what follows. */
function copyIn(text: string, data: string): Uint8Array {
  return concat([query(text), message("d", data), message("c")]);
}

function hasError(bytes: Uint8Array): boolean {
  const framer = new Framer();
  for (let at = 0; at < bytes.length;) {
    at = framer.step(bytes, at, bytes.length);
    if (framer.finished && framer.type === ERROR) return true;
  }
  return false;
}
