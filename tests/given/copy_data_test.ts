import assert from "node:assert/strict";
import { loadModule } from "libpg-query";
import { messagesOf } from "../../src/given/client_messages.ts";
import {
  copyData,
  fieldsOf,
  rowCount,
  withFields,
} from "../../src/given/copy_data.ts";
import { copiedValues } from "../../src/given/copied_values.ts";
import { copyLayoutOf, withColumns } from "../../src/given/copy_statement.ts";
import type { GivenColumn } from "../../src/given/given_columns.ts";
import {
  concat,
  COPY_DATA,
  COPY_DONE,
  COPY_FAIL,
  Framer,
  messageOf,
  QUERY,
} from "../../src/wire/mod.ts";

await loadModule();

const encoder = new TextEncoder();
const latin1 = new TextDecoder("latin1");

function column(name: string, typeOid: number): GivenColumn {
  return {
    name,
    type: "t",
    typeOid,
    expression: "f()",
    nature: "chance",
    item: undefined,
    output: "log",
    isAlways: false,
  };
}

const ID = column("id", 20);
const CODE = column("code", 25);

/** Bytes of a string with a character for each. */
function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(text, (char) => char.charCodeAt(0));
}

/** A COPY as a client sends it, its data cut into these parts. */
function sent(
  sql: string,
  parts: readonly Uint8Array[],
  end = COPY_DONE,
): Uint8Array<ArrayBuffer> {
  return concat([
    messageOf(QUERY, sql, "\0"),
    ...parts.map((part) => messageOf(COPY_DATA, part)),
    messageOf(end, ...end === COPY_FAIL ? ["\0"] : []),
  ]);
}

/** The bodies of messages, one behind the other. */
function bodies(bytes: Uint8Array): string {
  const framer = new Framer();
  let text = "";
  for (let at = 0; at < bytes.length;) {
    at = framer.step(bytes, at, bytes.length);
    assert.ok(framer.finished && framer.type === COPY_DATA);
    text += latin1.decode(bytes.slice(framer.bodyStart, at));
  }
  return text;
}

const VALUES = [["1", "x"], ["22", 'q"\\\t,|;'], ["333", "\n\r"]] as const;

/** What the mirror gets of some data for as many of these rows; undefined: it gets nothing. */
function filled(
  sql: string,
  parts: readonly Uint8Array[],
  count: number,
): string | undefined {
  const bytes = sent(sql, parts);
  const layout = copyLayoutOf(encoder.encode(sql));
  const data = copyData(messagesOf(bytes), 0);
  assert.ok(layout && data);
  const rows = VALUES.slice(0, count).map(([id, code]) =>
    new Map([["id", id], ["code", code]])
  );
  const fields = fieldsOf([ID, CODE], layout, rows);
  assert.deepEqual([...fields.keys()], [ID, CODE]);
  const written = withFields(
    bytes,
    data,
    layout,
    [...fields.values()],
    rows.length,
  );
  return written && bodies(written);
}

/** Each way to cut data into two and three messages. */
function* cuts(data: Uint8Array): Generator<readonly Uint8Array[]> {
  yield [data];
  for (let at = 0; at <= data.length; at++) {
    yield [data.subarray(0, at), data.subarray(at)];
    const next = Math.min(data.length, at + 1);
    yield [data.subarray(0, at), data.subarray(at, next), data.subarray(next)];
  }
  yield Array.from(data, (byte) => Uint8Array.of(byte));
}

const TEXT = "copy t (a, b) from stdin";
const CSV = "copy t (a, b) from stdin (format csv)";
/** The second value in text format, and in CSV. */
const B = '\t22\tq"\\\\\\\t,|;';
const C = ',"22","q""\\\t,|;"';

/** Rows, and what they become. */
const ROWS: readonly (readonly [
  sql: string,
  rows: number,
  data: string,
  filled: string,
])[] = [
  [TEXT, 1, "a\tb\n", "a\tb\t1\tx\n"],
  [TEXT, 2, "a\tb\nc\td", `a\tb\t1\tx\nc\td${B}`],
  [TEXT, 2, "a\tb\r\nc\td\r\n", `a\tb\t1\tx\r\nc\td${B}\r\n`],
  [TEXT, 2, "a\tb\rc\td\r", `a\tb\t1\tx\rc\td${B}\r`],
  [TEXT, 2, "a\tb\nc\td\n\\.\n", `a\tb\t1\tx\nc\td${B}\n\\.\n`],
  [TEXT, 2, "a\tb\nc\td\n\\.\nz", `a\tb\t1\tx\nc\td${B}\n\\.\nz`],
  [TEXT, 2, "\\\\\t\\\n\n\\N\t\\\\", `\\\\\t\\\n\t1\tx\n\\N\t\\\\${B}`],
  [TEXT, 2, "\n\n", `\t1\tx\n${B}\n`],
  [TEXT, 2, "\xff\xc3\t\x01\n\xa9\n", `\xff\xc3\t\x01\t1\tx\n\xa9${B}\n`],
  [
    "copy t (a) from stdin (delimiter '|', header)",
    2,
    "a\nb\nc\n",
    'a\nb|1|x\nc|22|q"\\\\\t,\\|;\n',
  ],
  [CSV, 1, "a,b\n", 'a,b,"1","x"\n'],
  [CSV, 2, '"a\n""b",c\nd', `"a\n""b",c,"1","x"\nd${C}`],
  [CSV, 2, '"a\r\n,b"\r\n\r\n', `"a\r\n,b","1","x"\r\n${C}\r\n`],
  [CSV, 2, 'a"b\nc"d\re\n', `a"b\nc"d,"1","x"\re${C}\n`],
  [CSV, 2, "a\\\nb\\.\n", `a\\,"1","x"\nb\\.${C}\n`],
  [CSV, 2, "a\nb\n\\.\n", `a,"1","x"\nb${C}\n\\.\n`],
  [CSV, 2, "a\nb\n\\.", `a,"1","x"\nb${C}\n\\.`],
  [CSV, 2, "a\n\\.\n", `a,"1","x"\n\\.${C}\n`],
  [
    "copy t (a, b) from stdin csv header",
    1,
    '"a\n",b\nc,d\n',
    '"a\n",b\nc,d,"1","x"\n',
  ],
  [
    "copy t (a) from stdin (format csv, quote '''', escape '\\', delimiter ';')",
    2,
    "'a\\'\n\\\\'\n\\\n",
    `'a\\'\n\\\\';'1';'x'\n\\;'22';'q"\\\\\t,|;'\n`,
  ],
];

Deno.test("CopyData: rows of text and CSV get their fields, wherever messages cut them", () => {
  for (const [sql, count, data, expected] of ROWS) {
    for (const parts of cuts(bytesOf(data))) {
      assert.equal(filled(sql, parts, count), expected, `${sql}: ${data}`);
    }
    for (const other of [count - 1, count + 1]) {
      // Behind the last row this may be one, or the old end.
      if (other === 0 || sql === CSV && data.includes("\n\\.")) continue;
      const found = filled(sql, [bytesOf(data)], other);
      assert.equal(found, undefined, `${other} rows of ${data}`);
    }
  }
});

const HEAD = "PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\x02xx";
const BINARY = "copy t (a, b) from stdin (format binary)";
const field = (text: string) =>
  latin1.decode(Uint8Array.of(0, 0, 0, text.length)) + text;
const id = (number: number) => field(`\0\0\0\0\0\0\0${bytes(number)}`);
const bytes = (...all: number[]) => latin1.decode(Uint8Array.from(all));

Deno.test("CopyData: binary rows get their fields, wherever messages cut them", () => {
  const a = `\0\x02${field("a\n")}\xff\xff\xff\xff`;
  const b = `\0\x02${field("")}${field("\0\x02")}`;
  const writtenA = `\0\x04${a.slice(2)}${id(1)}${field("x")}`;
  const writtenB = `\0\x04${b.slice(2)}${id(22)}${field('q"\\\t,|;')}`;
  for (const trailer of ["\xff\xff", ""]) {
    const expected = HEAD + writtenA + writtenB + trailer;
    const data = Uint8Array.from(
      HEAD + a + b + trailer,
      (char) => char.charCodeAt(0),
    );
    for (const parts of cuts(data)) {
      assert.equal(filled(BINARY, parts, 2), expected);
    }
    for (const count of [1, 3]) {
      assert.equal(filled(BINARY, [data], count), undefined);
    }
    const isCut = trailer === "" ? data.length : data.length - 2;
    for (let to = 0; to < isCut; to++) {
      assert.equal(filled(BINARY, [data.subarray(0, to)], 2), undefined);
    }
  }
});

Deno.test("CopyData: binary values are those that their texts say", () => {
  const layout = { format: "binary" } as const;
  const values:
    readonly (readonly [type: number, text: string, hex: string])[] = [
      [21, "-2", "fffe"],
      [23, "258", "00000102"],
      [20, "4611686018427387904", "4000000000000000"],
      [16, "t", "01"],
      [701, "0.5", "3fe0000000000000"],
      [
        2950,
        "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
        "a0eebc999c0b4ef8bb6d6bb9bd380a11",
      ],
      [17, "\\x00ff", "00ff"],
      [1082, "2000-01-02", "00000001"],
      [1184, "2000-01-01 00:00:01.000002+00", "00000000000f4242"],
      [1114, "1999-12-31 23:59:59", "fffffffffff0bdc0"],
    ];
  for (const [type, text, hex] of values) {
    const one = column("c", type);
    const row = new Map([["c", text]]);
    const [found] = fieldsOf([one], layout, [row]).get(one) ?? [];
    assert.equal(found?.slice(4).toHex(), hex, text);
  }
  for (const [type, text] of [[1184, "infinity"], [1700, "1"], [17, "a"]]) {
    const one = column("c", Number(type));
    const row = new Map([["c", String(text)]]);
    assert.equal(fieldsOf([one], layout, [row]).size, 0);
  }
});

Deno.test("CopyData: a value that would be read as NULL, and a row without a value, take the column out", () => {
  const layout = copyLayoutOf(encoder.encode(`${TEXT} (null '1')`));
  assert.ok(layout);
  const row = (id: string | null, code: string) =>
    new Map([["id", id], ["code", code]]);
  const told = (
    ...rows: ReturnType<typeof row>[]
  ) => [...fieldsOf([ID, CODE], layout, rows).keys()];
  assert.deepEqual(told(row("2", "a"), row("3", "a")), [ID, CODE]);
  assert.deepEqual(told(row("1", "a")), [CODE]);
  assert.deepEqual(told(row("2", "é")), [ID]);
  assert.deepEqual(told(row("2", "a"), row(null, "b")), [CODE]);
});

Deno.test("CopyData: rows that CopyFail ends are counted, and what nothing ends is not", () => {
  const counted = (sql: string, data: string, end = COPY_FAIL) => {
    const bytes = sent(sql, [bytesOf(data)], end);
    const layout = copyLayoutOf(encoder.encode(sql));
    const found = copyData(messagesOf(bytes), 0);
    return layout && found && rowCount(bytes, found, layout);
  };
  assert.equal(counted(TEXT, "a\tb\nc\td"), 2);
  assert.equal(counted(TEXT, ""), 0);
  assert.equal(counted(CSV, 'a,"\n"\nb,"c'), undefined);
  assert.equal(counted(BINARY, `${HEAD}\0\x01\xff\xff\xff\xff\0\x01\0`), 1);
  assert.equal(counted(TEXT, "a\tb\n", QUERY), undefined);
});

Deno.test("withColumns: the client's COPY with the columns, or nothing", () => {
  const written = (sql: string) => {
    const found = withColumns(encoder.encode(sql), ["id", 'A"b']);
    return found && latin1.decode(found.text);
  };
  assert.equal(
    written("COPY s.t (a,\"B\" ) FROM STDIN DELIMITER ',' -- x"),
    `COPY s.t (a,"B", "id", "A""b" ) FROM STDIN DELIMITER ',' -- x`,
  );
  assert.equal(
    written("copy binary t(a) from stdin;"),
    'copy binary t(a, "id", "A""b") from stdin;',
  );
  const understood = [
    "copy t (a) from stdin (format csv, freeze, force_null (a), force_not_null (a))",
    "copy t (a) from stdin with csv header quote '''' escape '\\' null 'x'",
    "copy t (a) from stdin (header false)",
  ];
  for (const sql of understood) assert.ok(written(sql), sql);
  const others = [
    "copy t from stdin",
    "copy t (a) from '/tmp/x'",
    "copy t (a) from program 'x'",
    "copy t (a) to stdout",
    "copy t (a) from stdin where a > 1",
    "copy t (a) from stdin (encoding 'latin1')",
    "copy t (a) from stdin (on_error ignore)",
    "copy t (a) from stdin (default 'x')",
    "copy t (a) from stdin (header match)",
    "copy t (a) from stdin (format csv, force_null *)",
    "copy t (a) from stdin; select 1",
    "insert into t (a) values (1)",
    "copy t (a) from",
  ];
  for (const sql of others) assert.equal(written(sql), undefined, sql);
});

Deno.test("copiedValues: what the first rows have in their columns", () => {
  const told = (sql: string, data: string) => {
    for (const parts of cuts(bytesOf(data))) {
      const bytes = sent(sql, parts);
      const { end } = messagesOf(bytes)[0] ?? { end: 0 };
      const found = copiedValues(encoder.encode(sql), bytes, end, bytes.length)
        .map(({ column, text }) =>
          `${column.replaceAll("\0", " ").trim()}: ${text}`
        );
      if (parts.length === 1) first = found;
      assert.deepEqual(found, first);
    }
    return first;
  };
  let first: string[] = [];
  assert.deepEqual(told(TEXT, "a\t1\n\\N\tb\\tc\nd\t2\r\n\\.\n"), [
    "0 0: a",
    "0 1: 1",
    "1 1: b\tc",
    "2 0: d",
    "2 1: 2",
  ]);
  assert.deepEqual(told(CSV, '"a""\n",1\n,b\nc'), [
    '0 0: a"\n',
    "0 1: 1",
    "1 1: b",
  ]);
  assert.deepEqual(told(`${CSV.slice(0, -1)}, header)`, "a,b\n1,2\n"), [
    "0 0: 1",
    "0 1: 2",
  ]);
  assert.deepEqual(
    told(BINARY, `${HEAD}\0\x02${field("ab")}\xff\xff\xff\xff\xff\xff`),
    ["0 0: ab"],
  );
});
