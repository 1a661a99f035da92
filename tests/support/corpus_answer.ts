import {
  COMMAND_COMPLETE,
  COPY_DATA,
  DATA_ROW,
  decodeErrorFields,
  ERROR_RESPONSE,
  Framer,
  ROW_DESCRIPTION,
} from "../../src/wire/mod.ts";

const decoder = new TextDecoder();

/** What of an answer counts, in words: rows, tags, SQLSTATEs, and columns with their types. */
export function summaryOf(answer: Uint8Array): string {
  const framer = new Framer();
  const lines: string[] = [];
  for (let at = 0; at < answer.length;) {
    at = framer.step(answer, at, answer.length);
    if (!framer.finished) continue;
    const body = answer.subarray(framer.bodyStart, at);
    switch (framer.type) {
      case ERROR_RESPONSE:
        lines.push(`error ${decodeErrorFields(body).C}`);
        break;
      case ROW_DESCRIPTION:
        lines.push(`columns ${columnsOf(body).join(", ")}`);
        break;
      case COPY_DATA:
      case DATA_ROW:
      case COMMAND_COMPLETE:
        lines.push(decoder.decode(body));
    }
  }
  return lines.join("\n");
}

/** Name and type of each column: behind a name stand 18 bytes (manual, RowDescription). */
function columnsOf(body: Uint8Array): string[] {
  const view = new DataView(body.buffer, body.byteOffset, body.length);
  const columns: string[] = [];
  for (let at = 2; at < body.length;) {
    const end = body.indexOf(0, at);
    const name = decoder.decode(body.subarray(at, end));
    columns.push(`${name} ${view.getUint32(end + 7)}`);
    at = end + 19;
  }
  return columns;
}
