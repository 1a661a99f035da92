import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { md5Password } from "../../src/wire/md5.ts";
import {
  createVerifier,
  formatVerifier,
  looksLikeVerifier,
  mockVerifier,
  parseVerifier,
  ScramClient,
  ScramError,
  ScramKeyCache,
  type ScramMechanism,
  ScramServer,
} from "../../src/wire/scram.ts";

/** RFC 7677, section 3: user "user", password "pencil". */
const RFC = {
  clientNonce: "rOprNGfwEbeRWgbNEkqO",
  serverNonce: "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
  salt: "W22ZaJ0SNY7soEsUEjb6gQ==",
  clientFirst: "n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
  serverFirst:
    "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
  clientFinal:
    "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
  serverFinal: "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
};

function bytesOf(base64: string): Uint8Array {
  return Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
}

function rfcClient(maxIterations?: number): ScramClient {
  return new ScramClient({
    user: "user",
    password: "pencil",
    randomBytes: () => bytesOf(RFC.clientNonce),
    ...(maxIterations === undefined ? {} : { maxIterations }),
  });
}

function rfcServer(): ScramServer {
  return new ScramServer({
    verifier: createVerifier("pencil", { salt: bytesOf(RFC.salt) }),
    serverNonce: RFC.serverNonce,
  });
}

/** Runs the action, which must throw a ScramError of this reason about this attribute. */
function refuses(
  action: () => unknown,
  reason: ScramError["reason"],
  attribute: string | undefined,
): void {
  assert.throws(action, (error) => {
    assert.ok(error instanceof ScramError, String(error));
    assert.deepEqual([error.reason, error.attribute], [reason, attribute]);
    return true;
  });
}

Deno.test("ScramClient: the messages of RFC 7677's example", () => {
  const client = rfcClient();
  assert.equal(client.first(), RFC.clientFirst);
  assert.equal(client.continue(RFC.serverFirst), RFC.clientFinal);
  client.verify(RFC.serverFinal);
});

Deno.test("ScramServer: the messages of RFC 7677's example", () => {
  const server = rfcServer();
  assert.equal(server.first(RFC.clientFirst), RFC.serverFirst);
  assert.equal(server.final(RFC.clientFinal), RFC.serverFinal);
});

/** rolpassword as PostgreSQL 15.18 wrote it, and the password it was made from. */
const STORED: readonly [what: string, password: string, verifier: string][] = [
  [
    "plain ASCII",
    "pencil",
    "SCRAM-SHA-256$4096:xo0iIsuCrRcf6FjgtXvagQ==$hVQBTDMHmE1uSW/WFnZP+BcJgBnwSUc5mLpwieu+vF0=:L/iMz35dqctcGRZlO2r2i+nrV5ZKoFRPBgXpL/rJE0c=",
  ],
  [
    "ASCII with a tab, which SASLprep would prohibit",
    "tab\there",
    "SCRAM-SHA-256$4096:gMpC8sxn4NOacCcsxrzWgw==$ZX41pr3dD6wFotSrPL1jE5IWdTByhr5YL9ziHVgpVCI=:TE7gFjYzNODLD/9VzF0jqUh0YNfBcinU6WnCDMsNwm4=",
  ],
  [
    "changed by SASLprep: Roman nine, soft hyphen",
    "IX \u2168 \u00e9\u00ad",
    "SCRAM-SHA-256$4096:7iG/mtnPUWj4bbTdk3xVSA==$kv/kRVUsQBfA4ZH0BRkIJ9XGpwq2ickVBEgSAOdlrE4=:yRttVPM43CA909RmyD1bRDBvKSFpBLy4z90VA3YPm+4=",
  ],
  [
    "prohibited by SASLprep, so taken as raw bytes",
    "bad \u0627\u0031\u0007 \u0221",
    "SCRAM-SHA-256$4096:4R9JzE6n+QYkca04wEadzg==$mQY/LBU3KhWKLHTYIx7hfI4Mz+p8F09BOYdePzsz1dw=:jpeGPQGyLKC8xjhxdDWSEHgAa/eVzXNq5KHisu1OUPc=",
  ],
];

for (const [what, password, text] of STORED) {
  Deno.test(`parseVerifier: a verifier that PostgreSQL stored lets its password in: ${what}`, () => {
    const verifier = parseVerifier(text);
    const client = new ScramClient({ user: "", password });
    const server = new ScramServer({ verifier });
    const final = server.final(client.continue(server.first(client.first())));
    assert.ok(final !== undefined);
    client.verify(final);
    assert.equal(formatVerifier(verifier), text);
  });
}

Deno.test("createVerifier: gives the very text that PostgreSQL stored", () => {
  for (const [what, password, text] of STORED) {
    const { salt } = parseVerifier(text);
    assert.equal(
      formatVerifier(createVerifier(password, { salt })),
      text,
      what,
    );
  }
});

Deno.test("ScramServer: a wrong password gets undefined, not an error", () => {
  const client = new ScramClient({ user: "", password: "wrong" });
  const server = new ScramServer({ verifier: createVerifier("right") });
  assert.equal(
    server.final(client.continue(server.first(client.first()))),
    undefined,
  );
});

Deno.test("ScramServer: the client with the 'y' flag is let in, as libpq over TLS sends it", () => {
  const server = rfcServer();
  const first = server.first("y,,n=,r=abc");
  const nonce = /r=([^,]+)/.exec(first)?.[1];
  // A wrong proof shows that the binding was accepted: a bad one throws.
  const proof = btoa("x".repeat(32));
  assert.equal(server.final(`c=eSws,r=${nonce},p=${proof}`), undefined);
});

Deno.test("mockVerifier: same salt for the same user, and no proof ever fits", () => {
  const secret = new Uint8Array(32).fill(7);
  const one = mockVerifier("nobody", secret);
  const two = mockVerifier("nobody", secret);
  const other = mockVerifier("somebody", secret);
  assert.deepEqual(one.salt, two.salt);
  assert.notDeepEqual(one.salt, other.salt);
  assert.equal(one.salt.length, createVerifier("x").salt.length);
  assert.equal(one.iterations, createVerifier("x").iterations);

  // Even a verifier whose keys fit does not let in when it is a mock.
  const verifier = { ...createVerifier("pencil"), mock: true as const };
  const client = new ScramClient({ user: "", password: "pencil" });
  const server = new ScramServer({ verifier });
  assert.equal(
    server.final(client.continue(server.first(client.first()))),
    undefined,
  );
});

Deno.test("ScramClient: a server that does not know the password is found out", () => {
  const client = rfcClient();
  client.first();
  client.continue(RFC.serverFirst);
  refuses(
    () => client.verify(`v=${btoa("x".repeat(32))}`),
    "not_authenticated",
    "v",
  );
});

Deno.test("ScramClient: server-final-message with an error is reported as one", () => {
  const client = rfcClient();
  client.first();
  client.continue(RFC.serverFirst);
  refuses(() => client.verify("e=other-error"), "not_authenticated", "e");
});

Deno.test("ScramClient: an iteration count above the bound is refused before any work", () => {
  const salt = RFC.salt;
  const nonce = RFC.clientNonce + "x";
  const begin = (count: string, max?: number) => {
    const client = rfcClient(max);
    client.first();
    return () => client.continue(`r=${nonce},s=${salt},i=${count}`);
  };
  refuses(begin("100001"), "limit", "i");
  refuses(begin("4294967295"), "limit", "i");
  refuses(begin("5", 4), "limit", "i");
  assert.doesNotThrow(begin("4", 4));
});

Deno.test("ScramClient: hostile server-first-messages are refused by name", () => {
  const n = RFC.clientNonce + "x";
  const s = RFC.salt;
  const cases: [string, ScramError["reason"], string | undefined][] = [
    ["", "malformed", "r"],
    ["r=", "malformed", "r"],
    ["r=other,s=QQ==,i=1", "malformed", "r"],
    [`r=${RFC.clientNonce},s=${s},i=1`, "malformed", "r"], // the server added nothing
    [`s=${s},r=${n},i=1`, "malformed", "r"], // wrong order
    [`m=ext,r=${n},s=${s},i=1`, "unsupported", "m"],
    [`r=${n} x,s=${s},i=1`, "malformed", "r"], // a space is not printable
    [`r=${n}${"a".repeat(600)},s=${s},i=1`, "limit", "r"],
    [`r=${n}`, "malformed", "s"],
    [`r=${n},s=,i=1`, "malformed", "s"],
    [`r=${n},s=QQ=,i=1`, "malformed", "s"],
    [`r=${n},s=Q_-Q,i=1`, "malformed", "s"],
    [`r=${n},s=${"AAAA".repeat(342)},i=1`, "limit", "s"], // 1,026 bytes
    [`r=${n},s=${s}`, "malformed", "i"],
    [`r=${n},s=${s},i=0`, "malformed", "i"],
    [`r=${n},s=${s},i=-1`, "malformed", "i"],
    [`r=${n},s=${s},i=1e3`, "malformed", "i"],
    [`r=${n},s=${s},i=99999999999999999999`, "malformed", "i"],
    ["x".repeat(2049), "limit", undefined],
  ];
  for (const [message, reason, attribute] of cases) {
    const client = rfcClient();
    client.first();
    refuses(() => client.continue(message), reason, attribute);
  }
});

Deno.test("ScramServer: hostile client-first-messages are refused by name", () => {
  const cases: [string, ScramError["reason"], string | undefined][] = [
    ["", "malformed", undefined],
    ["x,,n=,r=abc", "malformed", undefined],
    ["p=tls-server-end-point,,n=,r=abc", "unsupported", "p"],
    ["n,a=admin,n=,r=abc", "unsupported", "a"],
    ["n,,m=1,n=,r=abc", "unsupported", "m"],
    ["n,,r=abc", "malformed", "n"],
    ["n,,n=", "malformed", "r"],
    ["n,,n=,r=", "malformed", "r"],
    ["n,,n=,r=\u0000", "malformed", "r"],
    [`n,,n=,r=${"a".repeat(257)}`, "limit", "r"],
    ["n,,n=,r=" + "a".repeat(2048), "limit", undefined],
  ];
  for (const [message, reason, attribute] of cases) {
    refuses(() => rfcServer().first(message), reason, attribute);
  }
});

const HASH = new Uint8Array(48).fill(0xab);
const BINDING = "p=tls-server-end-point,,";

/** A server that offers PLUS. */
function plusServer(): ScramServer {
  return new ScramServer({
    verifier: createVerifier("pencil", { salt: bytesOf(RFC.salt) }),
    serverNonce: RFC.serverNonce,
    certificateHash: HASH,
  });
}

/** client-final-message with the right proof, by RFC 5802, section 3. */
function finalMessage(first: string, serverFirst: string, binding: string) {
  const { clientKey, storedKey } = new ScramKeyCache().get(
    "pencil",
    bytesOf(RFC.salt),
    4096,
  );
  const bare = first.slice(first.indexOf("n=", 3));
  const nonce = /r=([^,]+)/.exec(serverFirst)?.[1];
  const withoutProof = `c=${binding},r=${nonce}`;
  const signature = createHmac("sha256", storedKey)
    .update(`${bare},${serverFirst},${withoutProof}`).digest();
  const proof = clientKey.map((byte, i) => byte ^ (signature[i] ?? 0));
  return `${withoutProof},p=${btoa(String.fromCharCode(...proof))}`;
}

function base64(text: string, behind = new Uint8Array(0)): string {
  return btoa(text + String.fromCharCode(...behind));
}

Deno.test("ScramServer: a login bound to its certificate is taken, and offered first", () => {
  assert.deepEqual(rfcServer().mechanisms, ["SCRAM-SHA-256"]);
  assert.deepEqual(plusServer().mechanisms, [
    "SCRAM-SHA-256-PLUS",
    "SCRAM-SHA-256",
  ]);
  const server = plusServer();
  const first = `${BINDING}n=,r=abc`;
  const serverFirst = server.first(first, "SCRAM-SHA-256-PLUS");
  const final = finalMessage(first, serverFirst, base64(BINDING, HASH));
  assert.match(server.final(final) ?? "", /^v=/);
});

Deno.test("ScramServer: a client that does not bind is taken where PLUS is offered", () => {
  const server = plusServer();
  const serverFirst = server.first("n,,n=,r=abc");
  const final = finalMessage("n,,n=,r=abc", serverFirst, "biws");
  assert.match(server.final(final) ?? "", /^v=/);
});

Deno.test("ScramServer: the right password bound to another channel is refused by name", () => {
  const other = HASH.with(47, 0xaa);
  const cases: [binding: string, what: string][] = [
    [base64(BINDING, other), "one bit of another certificate"],
    [base64(BINDING), "no certificate at all"],
    [base64(BINDING, HASH.subarray(0, 32)), "a part of the hash"],
    [base64(BINDING, new Uint8Array([...HASH, 0])), "more than the hash"],
    [base64("p=tls-unique,,", HASH), "another kind"],
    ["biws", "the header of a client that does not bind"],
    [`${base64(BINDING, HASH)}=`, "not base64"],
    ["", "nothing"],
    ["\u00e9".repeat(96), "not ASCII, as many characters as the right one"],
  ];
  for (const [binding, what] of cases) {
    const server = plusServer();
    const first = `${BINDING}n=,r=abc`;
    const serverFirst = server.first(first, "SCRAM-SHA-256-PLUS");
    const final = finalMessage(first, serverFirst, binding);
    assert.throws(() => server.final(final), (error) => {
      assert.ok(error instanceof ScramError, what);
      assert.equal(error.reason, "binding", what);
      return true;
    });
  }
});

Deno.test("ScramServer: a flag that does not fit the mechanism is refused by name", () => {
  const plus = "SCRAM-SHA-256-PLUS" as const;
  const cases: [
    flag: string,
    mechanism: ScramMechanism,
    ScramError["reason"],
    attribute: string | undefined,
  ][] = [
    ["y", "SCRAM-SHA-256", "binding", "y"], // PLUS was taken out of the list
    ["y", plus, "malformed", "p"],
    ["n", plus, "malformed", "p"],
    ["p=tls-server-end-point", "SCRAM-SHA-256", "unsupported", "p"],
    ["p=tls-unique", plus, "unsupported", "p"],
    ["p=tls-server-end-pointX", plus, "unsupported", "p"],
    ["p=", plus, "unsupported", "p"],
    ["p", plus, "malformed", undefined],
    ["", plus, "malformed", undefined],
    ["P=tls-server-end-point", plus, "malformed", undefined],
    ["p=tls-server-end-point,a=admin", plus, "unsupported", "a"],
  ];
  for (const [flag, mechanism, reason, attribute] of cases) {
    const identity = flag.includes(",") ? "" : ",";
    const first = `${flag}${identity},n=,r=abc`;
    refuses(() => plusServer().first(first, mechanism), reason, attribute);
  }
  // What was not offered is not taken, whatever the flag.
  for (const flag of ["n", "y", "p=tls-server-end-point"]) {
    assert.throws(
      () => rfcServer().first(`${flag},,n=,r=abc`, plus),
      ScramError,
    );
  }
});

Deno.test("ScramServer: hostile client-final-messages are refused by name", () => {
  const nonce = RFC.clientNonce + RFC.serverNonce;
  const proof = btoa("x".repeat(32));
  const cases: [string, ScramError["reason"], string][] = [
    ["", "malformed", "c"],
    [`c=eSws,r=${nonce},p=${proof}`, "malformed", "c"], // not the header of the first message
    [`c=biws,r=${nonce}x,p=${proof}`, "malformed", "r"],
    [`c=biws,r=${nonce}`, "malformed", "p"],
    [`c=biws,r=${nonce},p=`, "malformed", "p"],
    [`c=biws,r=${nonce},p=AAAA`, "malformed", "p"],
    [`c=biws,r=${nonce},p=${proof},x=1`, "malformed", "p"], // the proof comes last
  ];
  for (const [message, reason, attribute] of cases) {
    const server = rfcServer();
    server.first(RFC.clientFirst);
    refuses(() => server.final(message), reason, attribute);
  }
});

Deno.test("ScramClient, ScramServer: a method out of its turn is refused", () => {
  refuses(() => rfcClient().continue(RFC.serverFirst), "state", undefined);
  refuses(() => rfcClient().verify(RFC.serverFinal), "state", undefined);
  refuses(() => rfcServer().final(RFC.clientFinal), "state", undefined);
  const server = rfcServer();
  server.first(RFC.clientFirst);
  refuses(() => server.first(RFC.clientFirst), "state", undefined);
  server.final(RFC.clientFinal);
  refuses(() => server.final(RFC.clientFinal), "state", undefined);
});

Deno.test("ScramClient: a user name with ',' and '=' is escaped", () => {
  const client = new ScramClient({ user: "a,b=c", password: "" });
  assert.match(client.first(), /^n,,n=a=2Cb=3Dc,r=/);
});

Deno.test("ScramKeyCache: a second login with the same salt derives nothing", () => {
  const cache = new ScramKeyCache(2);
  const salt = bytesOf(RFC.salt);
  const first = cache.get("pencil", salt, 1);
  assert.equal(cache.get("pencil", salt, 1), first);
  assert.notEqual(cache.get("pencil", salt, 2), first);
  assert.notEqual(cache.get("other", salt, 1), first); // the third entry pushes the first out
  assert.notEqual(cache.get("pencil", salt, 1), first);
});

Deno.test("parseVerifier: malformed verifiers are refused without telling their content", () => {
  const good = STORED[0]?.[2] ?? "";
  for (
    const text of [
      "SCRAM-SHA-256$",
      "md5885f96b03fb3ad32bdeb0e7c76c167a7",
      good.replace("4096", "0"),
      good.replace("4096", "4096x"),
      good.replace(/:[^:]+$/, ":AAAA"), // ServerKey of 3 bytes
      good + "x",
    ]
  ) {
    assert.throws(() => parseVerifier(text), (error) => {
      assert.ok(error instanceof ScramError);
      assert.equal(error.reason, "malformed");
      assert.ok(!error.message.includes("hVQBTDMH"));
      return true;
    });
  }
  assert.ok(looksLikeVerifier(good));
  assert.ok(!looksLikeVerifier("pencil"));
});

Deno.test("md5Password: the stored form of PostgreSQL 15.18, salted", () => {
  // rolpassword of user e, password "md5 pass", was md5885f96b03fb3ad32bdeb0e7c76c167a7;
  // md5("885f96b03fb3ad32bdeb0e7c76c167a7" || 01 02 03 04) by md5sum(1).
  assert.equal(
    md5Password("e", "md5 pass", Uint8Array.of(1, 2, 3, 4)),
    "md5540a90af89a3201b00a530b8eb123e1d",
  );
});
