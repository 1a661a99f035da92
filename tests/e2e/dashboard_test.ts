import assert from "node:assert/strict";
import axe from "axe-core";
import type { Page } from "playwright-core";
import postgres from "postgres";
import { TestBrowser } from "../support/browser.ts";
import { type Cluster, startCluster } from "../support/cluster.ts";
import { hasProgram } from "../support/programs.ts";
import { freePort, TestProxy } from "../support/proxy.ts";
import { waitFor } from "../support/wait.ts";

const OPTIONS = {
  ignore: !hasProgram("chromium"),
  sanitizeOps: false,
  sanitizeResources: false,
};
const DEADLINE_MS = 15_000;
const EVIL = "<script>globalThis.hacked = 1</script>" +
  "<img src=x onerror='globalThis.hacked = 2'>";

function options(primary: Cluster, mirror: Cluster, httpPort: number) {
  return {
    primary,
    mirror,
    general: { openmetrics_port: httpPort, mirror_examples: "clear" },
  };
}

/** Each side answers with its own version. */
async function seedDefect(primary: Cluster, mirror: Cluster): Promise<void> {
  for (const [cluster, value] of [[primary, 1], [mirror, 2]] as const) {
    const sql = postgres(cluster.url("postgres"), { max: 1 });
    await sql.unsafe(`create table seeded as select ${value} as value`);
    await sql.end();
  }
}

async function json(url: string, headers: Record<string, string> = {}) {
  const response = await fetch(url, { headers });
  assert.equal(response.status, 200, url);
  return await response.json();
}

/** Text of an element as it is shown. */
async function text(page: Page, selector: string): Promise<string> {
  return (await page.locator(selector).innerText()).trim();
}

Deno.test({
  name:
    "web page: verdict, mismatch, injection, keyboard, loss and recovery in Chromium",
  ...OPTIONS,
  async fn(t) {
    await using primary = await startCluster({ version: "15" });
    await using mirror = await startCluster({ version: "18" });
    await seedDefect(primary, mirror);
    const httpPort = freePort();
    const base = `http://127.0.0.1:${httpPort}`;
    let proxy = await TestProxy.start(options(primary, mirror, httpPort));
    let sql = postgres(proxy.url(), { max: 1, fetch_types: false });
    await using browser = await TestBrowser.start();
    const watched = await browser.open();
    const { page, errors, requests } = watched;
    try {
      await page.goto(base);
      await page.waitForSelector('.verdict[data-kind="open"]');

      await t.step("a mismatch appears within 2 seconds", async () => {
        const seconds: number[] = [];
        // Other tests run beside this one: the best of three counts.
        for (let i = 0; i < 3; i++) {
          const fresh = `select value, ${"1 + ".repeat(i)}1 from seeded`;
          await sql.unsafe(fresh);
          const begun = performance.now();
          await page.locator("details.mismatched").nth(i)
            .waitFor({ timeout: DEADLINE_MS });
          seconds.push((performance.now() - begun) / 1e3);
        }
        assert.ok(Math.min(...seconds) < 2, `seconds: ${seconds}`);
        await page.waitForSelector('.verdict[data-kind="bad"]');
      });

      await t.step(
        "the verdict and its gates are those of /readiness",
        async () => {
          await waitFor("the page to be as /readiness", async () => {
            const { state, score, gates } = await json(`${base}/readiness`);
            const shown = await page.locator(".gate-list li").allInnerTexts();
            const names = shown.map((line) => line.split("\n")[1]);
            return await text(page, ".state") === state &&
              (await text(page, ".score")).includes(` ${score} of 100`) &&
              names.toSorted().join() ===
                gates.map((g: { gate: string }) => g.gate.replaceAll("_", " "))
                  .toSorted().join() &&
              // The observed time goes on between two looks.
              gates.every((g: { gate: string; sentence: string }) =>
                g.gate === "runtime" ||
                shown.some((line) => line.endsWith(g.sentence))
              );
          }, DEADLINE_MS);
          assert.match(await page.title(), /^NOT READY/);
          assert.match(
            await text(page, ".since"),
            /^Window since .*, because the proxy was started$/,
          );
        },
      );

      await t.step("the ledger is the registry's, and closes", async () => {
        const { seen, replayed } = await proxy.ledger();
        await waitFor("the ledger", async () => {
          const rows = await page.locator(".equation tr").allInnerTexts();
          const numbers = rows.map((row) =>
            Number(row.match(/[\d,]+/)?.[0].replaceAll(",", ""))
          );
          const [first = NaN, ...parts] = numbers;
          return first === seen && parts[0] === replayed &&
            parts.reduce((sum, n) => sum + n, 0) === first;
        }, DEADLINE_MS);
      });

      await t.step(
        "markup in SQL stays text, opened too; no values without a token",
        async () => {
          await sql`select value, ${EVIL} as "<b onclick=x>" from seeded where value > 0`;
          const row = page.locator("details.mismatched", {
            hasText: "<b onclick",
          });
          await row.waitFor();
          await row.locator("summary").click();
          await row.locator(".example").first().waitFor();
          assert.equal(
            await row.locator(".sql").innerText(),
            'select value, $1 as "<b onclick=x>" from seeded where value > $2',
          );
          assert.match(await row.innerText(), /Values are not shown/);
          const content = await page.content();
          assert.doesNotMatch(content, /hacked/, "a value is on the page");
          assert.equal(await page.evaluate("globalThis.hacked"), undefined);
          for (const tag of ["b[onclick]", "img", "main script"]) {
            assert.equal(await page.locator(tag).count(), 0, tag);
          }
          const { statements } = await json(`${base}/readiness`);
          for (const { examples } of statements) {
            for (const { values } of examples) assert.equal(values, null);
          }
          for (const format of ["html", "markdown", "json"]) {
            const report = await fetch(`${base}/report?format=${format}`);
            assert.doesNotMatch(await report.text(), /hacked/, format);
          }
        },
      );

      await t.step(
        "both sides of an example are shown, the difference marked",
        async () => {
          await sql.unsafe("select checkpoints_timed from pg_stat_bgwriter");
          const row = page.locator("details.mismatched", {
            hasText: "bgwriter",
          });
          await row.locator("summary").click();
          let marks: string[] = [];
          await waitFor("the marks", async () => {
            marks = await row.locator("mark").allInnerTexts();
            return marks.length >= 4;
          }, 5_000);
          assert.deepEqual(marks.slice(0, 4), [
            "complete",
            "error",
            "–",
            "42703",
          ]);
          assert.match(
            await text(page, "#route"),
            /postgres PostgreSQL 15\.\S+ → the_mirror PostgreSQL 18/,
          );
          assert.match(await text(page, "#history"), /History is off/);
        },
      );

      await t.step(
        "the keyboard reaches everything that can be used",
        async () => {
          const wanted: string[] = await page.evaluate(`
          [...document.querySelectorAll("a, select, summary, [tabindex='0']")]
            .filter((e) => e.checkVisibility())
            .map((e, i) => e.dataset.stop = String(i))`);
          assert.ok(wanted.length > 8, `${wanted}`);
          await page.evaluate("document.activeElement.blur(); scrollTo(0, 0)");
          const reached = new Set<string>();
          for (let i = 0; i < wanted.length + 3; i++) {
            await page.keyboard.press("Tab");
            const stop: [string, string] = await page.evaluate(`[
            document.activeElement.dataset.stop ?? "",
            getComputedStyle(document.activeElement).outlineStyle,
          ]`);
            if (stop[0] === "") continue;
            reached.add(stop[0]);
            assert.notEqual(stop[1], "none", "focus is not to be seen");
          }
          assert.deepEqual([...reached].toSorted(), wanted.toSorted());
          const closed = page.locator("details.statement:not([open])").first();
          await closed.locator("summary").focus();
          const before = await page.locator("details.statement[open]").count();
          await page.keyboard.press("Enter");
          await waitFor(
            "it to open",
            async () =>
              await page.locator("details.statement[open]").count() ===
                before + 1,
            DEADLINE_MS,
          );
        },
      );

      await t.step(
        "no error, nothing refused by the policy, no request to elsewhere",
        async () => {
          assert.deepEqual(errors, []);
          assert.deepEqual(await watched.violations(), []);
          assert.ok(requests.length > 10);
          for (const url of requests) assert.equal(new URL(url).origin, base);
        },
      );

      await t.step("the policy refuses a script in the page", async () => {
        await page.evaluate(`{
          const script = document.createElement("script");
          script.textContent = "globalThis.hacked = 3";
          document.body.append(script);
        }`);
        // The browser tells of it in a task of its own.
        await waitFor(
          "the violation",
          async () => (await watched.violations()).length > 0,
          5_000,
        );
        assert.equal(await page.evaluate("globalThis.hacked"), undefined);
        assert.deepEqual(await watched.violations(), [
          "script-src-elem inline",
        ]);
      });

      await t.step(
        "a lost proxy is said at once, and its return ends it",
        async () => {
          await sql.end();
          await proxy[Symbol.asyncDispose]();
          await page.locator("#lost").waitFor();
          assert.match(
            await text(page, "#lost"),
            /^The proxy is lost since \d\d:\d\d:\d\d .*What is shown is from then/,
          );
          assert.equal(await text(page, ".state"), "NOT READY");
          proxy = await TestProxy.start(options(primary, mirror, httpPort));
          sql = postgres(proxy.url(), { max: 1, fetch_types: false });
          await page.locator("#lost").waitFor({ state: "hidden" });
          await page.waitForSelector('.verdict[data-kind="open"]');
          assert.equal(
            await page.locator("details.statement").count(),
            0,
            "what is shown is the new process's",
          );
        },
      );
    } finally {
      await sql.end();
      await proxy[Symbol.asyncDispose]();
    }
  },
});

Deno.test({
  name: "web page: two mirrors, history, a token, a phone, and what axe finds",
  ...OPTIONS,
  async fn(t) {
    await using primary = await startCluster({ version: "15" });
    await using mirror = await startCluster({ version: "18" });
    await seedDefect(primary, mirror);
    const admin = postgres(mirror.url("postgres"), { max: 1 });
    await admin.unsafe("create database second");
    await admin.end();
    const second = postgres(mirror.url("second"), { max: 1 });
    await second.unsafe("create table seeded as select 1 as value");
    await second.end();
    const httpPort = freePort();
    const base = `http://127.0.0.1:${httpPort}`;
    const token = "correct-horse-battery";
    const folder = await Deno.makeTempDir();
    const given = options(primary, mirror, httpPort);
    const proxy = await TestProxy.start({
      ...given,
      general: { ...given.general, http_token: token },
      more: `
[[databases]]
name = "second"
host = "127.0.0.1"
port = ${mirror.port}
user = "postgres"
[[mirroring]]
source_db = "postgres"
destination_db = "second"
[plugins.history]
path = "${folder}/history.sqlite"
interval_ms = 100
`,
    });
    const sql = postgres(proxy.url(), { max: 1, fetch_types: false });
    await using browser = await TestBrowser.start();
    try {
      await sql`select value, ${EVIL} as text from seeded`;
      const { page, errors } = await browser.open();

      await t.step(
        "without the token there is nothing; with it once, a cookie is enough",
        async () => {
          const refused = await page.goto(base);
          assert.equal(refused?.status(), 401);
          assert.match(await text(page, "h1"), /token is needed/);
          errors.length = 0; // Chromium reports the 401.
          await page.goto(`${base}/?token=${token}`);
          assert.equal(page.url(), `${base}/`);
          await page.locator("details.mismatched").waitFor();
          await page.reload();
          await page.locator("details.mismatched").waitFor();
          const [cookie] = await page.context().cookies();
          assert.equal(cookie?.httpOnly, true);
          assert.equal(cookie?.sameSite, "Strict");
          assert.equal(await page.evaluate("document.cookie"), "");
        },
      );

      await t.step("with a token values are shown, and are text", async () => {
        const row = page.locator("details.mismatched");
        await row.locator("summary").click();
        assert.match(
          await row.locator(".values").innerText(),
          /<script>globalThis\.hacked/,
        );
        assert.equal(await page.evaluate("globalThis.hacked"), undefined);
        const { statements } = await json(`${base}/readiness`, {
          authorization: `Bearer ${token}`,
        });
        assert.ok(JSON.stringify(statements).includes("hacked"));
      });

      await t.step(
        "the worst mirror is shown, another can be chosen",
        async () => {
          const chosen = () =>
            page.locator("#mirror option:checked").innerText();
          assert.match(await chosen(), /^postgres → the_mirror: NOT READY$/);
          await page.selectOption("#mirror", { index: 1 });
          assert.match(await chosen(), /^postgres → second: INCONCLUSIVE$/);
          assert.equal(await text(page, ".state"), "INCONCLUSIVE");
          assert.equal(await page.locator("details.mismatched").count(), 0);
          assert.match(
            await page.title(),
            /^NOT READY/,
            "the process's verdict",
          );
          await page.selectOption("#mirror", { index: 0 });
          await page.locator("details.mismatched").waitFor();
        },
      );

      await t.step("history tells verdicts and boundaries", async () => {
        // The page asks for it every ten seconds.
        await waitFor(
          "the verdict's change",
          async () => /verdict\s+NOT READY/.test(await text(page, "#history")),
          20_000,
        );
        assert.match(await text(page, "#history"), /started/);
      });

      await t.step("the report is offered as a download", async () => {
        const [download] = await Promise.all([
          page.waitForEvent("download"),
          page.locator(".report a").first().click(),
        ]);
        assert.equal(download.suggestedFilename(), "mirror-report.html");
        assert.match(
          await Deno.readTextFile(await download.path()),
          /<h1>Mirror readiness: NOT READY<\/h1>/,
        );
        assert.deepEqual(errors, []);
      });

      await t.step("the report's own page keeps to its policy", async () => {
        const watched = await browser.open();
        await watched.page.context().addCookies(await page.context().cookies());
        await watched.page.goto(`${base}/report?format=html`);
        assert.deepEqual(await watched.violations(), []);
        assert.deepEqual(watched.errors.filter((e) => !/favicon/.test(e)), []);
        assert.equal(
          await watched.page.evaluate(
            "getComputedStyle(document.querySelector('table')).borderCollapse",
          ),
          "collapse",
        );
      });

      for (const width of [1280, 390]) {
        for (const colorScheme of ["light", "dark"] as const) {
          await t.step(
            `axe finds nothing at ${width}, ${colorScheme}; nothing is wider than the window`,
            async () => {
              const { page } = await browser.open({
                width,
                colorScheme,
                bypassCSP: true,
              });
              await page.goto(`${base}/?token=${token}`);
              await page.locator("details.mismatched summary").click();
              await page.locator('#history tr[data-kind="verdict"]').first()
                .waitFor();
              await page.addScriptTag({ content: axe.source });
              const found: string[] = await page.evaluate(
                `axe.run().then(({ violations }) =>
              violations.map((v) => v.id + ": " + v.nodes.map((n) => n.target + " " + n.failureSummary).join(" | ")))`,
              );
              assert.deepEqual(found, []);
              assert.equal(
                await page.evaluate("document.documentElement.scrollWidth"),
                width,
              );
            },
          );
        }
      }
    } finally {
      await sql.end();
      await proxy[Symbol.asyncDispose]();
      await Deno.remove(folder, { recursive: true });
    }
  },
});
