import assert from "node:assert/strict";
import { assetRoutes } from "../../../plugins/dashboard/assets.ts";

const FOLDER = new URL("../../../plugins/dashboard/assets/", import.meta.url);

async function served(): Promise<
  Map<string, { text: string; headers: Headers }>
> {
  return new Map(
    await Promise.all(
      assetRoutes().map(async ({ path, handle }) => {
        const response = await handle(new Request(`http://localhost${path}`));
        return [path, {
          text: await response.text(),
          headers: response.headers,
        }] as const;
      }),
    ),
  );
}

Deno.test("assets: every file of the folder is served, and what they refer to is there", async () => {
  const files = await served();
  for (const { name } of Deno.readDirSync(FOLDER)) {
    const path = name === "index.html" ? "/" : `/dashboard/${name}`;
    assert.equal(
      files.get(path)?.text,
      Deno.readTextFileSync(new URL(name, FOLDER)),
      name,
    );
  }
  for (const [path, { text }] of files) {
    if (path === "/dashboard/uplot.js") continue;
    const names = [
      ...text.matchAll(/(?:src|href)="(\/dashboard\/[^"]+)"/g),
      ...text.matchAll(/ from "\.(\/[^"]+)"/g),
    ].map(([, name = ""]) =>
      name.startsWith("/dashboard") ? name : `/dashboard${name}`
    );
    for (const name of names) assert.ok(files.has(name), `${path}: ${name}`);
  }
  assert.match(files.get("/dashboard/uplot.js")?.text ?? "", /uPlot/);
});

Deno.test("assets: the policy allows nothing but this server's own files", async () => {
  for (const [path, { headers }] of await served()) {
    const policy = new Map(
      (headers.get("content-security-policy") ?? "").split("; ")
        .map((directive) => directive.split(" ", 1)[0] ?? "")
        .map((name, i) => [
          name,
          headers.get("content-security-policy")?.split("; ")[i]
            ?.slice(name.length + 1),
        ]),
    );
    assert.deepEqual(
      Object.fromEntries(policy),
      {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "connect-src": "'self'",
        "img-src": "'self'",
        "frame-ancestors": "'none'",
        "base-uri": "'none'",
        "form-action": "'none'",
      },
      path,
    );
  }
});

Deno.test("assets: no markup is ever made of text, nothing is inline", async () => {
  for (const [path, { text }] of await served()) {
    if (path.startsWith("/dashboard/uplot")) continue;
    assert.doesNotMatch(
      text,
      /innerHTML|outerHTML|insertAdjacentHTML|document\.write|setHTML|DOMParser|createContextualFragment|\beval\(|new Function/,
      path,
    );
    if (path !== "/") continue;
    assert.doesNotMatch(text, /<style|\sstyle=|\son\w+=/, path);
    assert.doesNotMatch(text, /<script(?![^>]*\ssrc=)/, path);
  }
});
