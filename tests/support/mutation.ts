import fc from "fast-check";
import { ScriptClient } from "./model/script_client.ts";
import { scripts } from "./model/script.ts";
import { concat } from "./wire_client.ts";

/** What two sides of a session said, in alternation. */
export interface Recording {
  readonly client: readonly Uint8Array[];
  readonly server: readonly Uint8Array[];
}

/** Numbers in [0, 1) from a seed (mulberry32). */
export function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Real sessions with a server that has the tables of scripts, step by step. Large ones are left out. */
export async function record(
  port: number,
  parameters: Readonly<Record<string, string>>,
  options: { readonly sessions: number; readonly seed: number },
): Promise<Recording[]> {
  const recordings: Recording[] = [];
  const sampled = fc.sample(scripts("ch"), {
    seed: options.seed,
    numRuns: options.sessions,
  });
  for (const { steps } of sampled) {
    using client = await ScriptClient.connect(port, parameters);
    const sent: Uint8Array[] = [];
    const answered: Uint8Array[] = [];
    let bytes = 0;
    for (const { step } of steps) {
      // Once for each step: so its answer is known apart.
      const messages = await client.play({
        steps: [{ step, wait: true }],
        writeBytes: 1_000_000,
      });
      const answer = concat(messages.map(encode));
      bytes += step.bytes.length + answer.length;
      sent.push(step.bytes);
      answered.push(answer);
    }
    if (bytes < MAX_BYTES) recordings.push({ client: sent, server: answered });
  }
  return recordings;
}

/** The bulk of the mutations should hit headers, not rows. */
const MAX_BYTES = 20_000;

function encode(message: string): Uint8Array {
  const bytes = new Uint8Array(message.length + 4);
  for (let i = 1; i < message.length; i++) bytes[i + 4] = message.charCodeAt(i);
  bytes[0] = message.charCodeAt(0);
  new DataView(bytes.buffer).setInt32(1, message.length + 3);
  return bytes;
}

const LENGTHS = [0, 3, 4, 5, -1, 2 ** 31 - 1, -(2 ** 31), 65_536, 1_000_000];
const TYPES = "QPBDECSHFXdcfp123CDEGHINRSTVWZAnst~";

/** One to four changes: bits, bytes, lengths, types, parts taken away, doubled, moved. */
export function mutate(bytes: Uint8Array, random: () => number): Uint8Array {
  let result = bytes.slice();
  const below = (n: number) => Math.floor(random() * n);
  for (let count = 1 + below(4); count > 0; count--) {
    if (result.length < 2) return result;
    const at = below(result.length);
    const to = Math.min(result.length, at + 1 + below(20));
    switch (below(8)) {
      case 0:
        result[at] = (result[at] as number) ^ (1 << below(8));
        break;
      case 1:
        result[at] = below(256);
        break;
      case 2:
        if (at + 4 <= result.length) {
          new DataView(result.buffer).setInt32(
            at,
            LENGTHS[below(LENGTHS.length)] as number,
          );
        }
        break;
      case 3:
        result[at] = TYPES.charCodeAt(below(TYPES.length));
        break;
      case 4:
        result = concat([result.subarray(0, at), result.subarray(to)]);
        break;
      case 5:
        result = concat([result.subarray(0, to), result.subarray(at)]);
        break;
      case 6:
        result = concat([
          result.subarray(at, to),
          result.subarray(0, at),
          result.subarray(to),
        ]);
        break;
      case 7:
        result = result.slice(0, at);
    }
  }
  return result;
}
