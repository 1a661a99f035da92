import uplotCss from "uplot/dist/uPlot.min.css" with { type: "text" };
import uplotScript from "uplot/dist/uPlot.iife.min.js" with { type: "text" };
import type { HttpRoute } from "../../src/plugin/api.ts";
import chartsScript from "./assets/charts.js" with { type: "text" };
import domScript from "./assets/dom.js" with { type: "text" };
import examplesScript from "./assets/examples.js" with { type: "text" };
import feedScript from "./assets/feed.js" with { type: "text" };
import formatScript from "./assets/format.js" with { type: "text" };
import historyScript from "./assets/history.js" with { type: "text" };
import icon from "./assets/icon.svg" with { type: "text" };
import ledgerScript from "./assets/ledger.js" with { type: "text" };
import mainScript from "./assets/main.js" with { type: "text" };
import page from "./assets/index.html" with { type: "text" };
import statementsScript from "./assets/statements.js" with { type: "text" };
import style from "./assets/style.css" with { type: "text" };
import verdictScript from "./assets/verdict.js" with { type: "text" };

/**
 * Everything comes from this server, nothing is inline, nothing is evaluated.
 * uPlot places its elements through the CSSOM, which `style-src` does not
 * concern (Content Security Policy Level 3, 8.4: only `style` attributes in
 * markup are inline styles).
 */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  "img-src 'self'",
  "frame-ancestors 'none'",
  "base-uri 'none'",
  "form-action 'none'",
].join("; ");

const HTML = "text/html; charset=utf-8";
const CSS = "text/css; charset=utf-8";
const SCRIPT = "text/javascript; charset=utf-8";

/**
 * The page's files. They are imported as text, so that they are in the program
 * whichever way it is packed, and its own import map finds uPlot.
 */
export function assetRoutes(): HttpRoute[] {
  const files:
    readonly (readonly [path: string, type: string, text: string])[] = [
      ["/", HTML, page],
      ["/dashboard/style.css", CSS, style],
      ["/dashboard/uplot.css", CSS, uplotCss],
      ["/dashboard/icon.svg", "image/svg+xml", icon],
      ["/dashboard/uplot.js", SCRIPT, uplotScript],
      ["/dashboard/charts.js", SCRIPT, chartsScript],
      ["/dashboard/dom.js", SCRIPT, domScript],
      ["/dashboard/examples.js", SCRIPT, examplesScript],
      ["/dashboard/feed.js", SCRIPT, feedScript],
      ["/dashboard/format.js", SCRIPT, formatScript],
      ["/dashboard/history.js", SCRIPT, historyScript],
      ["/dashboard/ledger.js", SCRIPT, ledgerScript],
      ["/dashboard/main.js", SCRIPT, mainScript],
      ["/dashboard/statements.js", SCRIPT, statementsScript],
      ["/dashboard/verdict.js", SCRIPT, verdictScript],
    ];
  return files.map(([path, type, text]) => ({
    path,
    handle: () =>
      new Response(text, {
        headers: { "content-type": type, "content-security-policy": POLICY },
      }),
  }));
}
