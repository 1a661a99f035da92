import assert from "node:assert/strict";
import { acceptedFormat } from "../../../plugins/prometheus/format.ts";

const OPENMETRICS: readonly string[] = [
  "application/openmetrics-text",
  "application/openmetrics-text; version=1.0.0",
  "Application/OpenMetrics-Text;Version=1.0.0",
  "text/plain;q=0.5, application/openmetrics-text;q=0.6",
  "application/openmetrics-text;q=0.1, text/plain;q=0",
  "application/openmetrics-text, */*",
  // Prometheus 2.42
  "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
  // Prometheus 3
  "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
];
const TEXT: readonly (string | null)[] = [
  null,
  "",
  "*/*",
  "text/plain",
  "text/*, application/openmetrics-text;q=0.5",
  "text/plain;version=0.0.4, application/openmetrics-text;q=0.9",
  "application/openmetrics-text;q=0, */*",
  // A version that we do not write.
  "application/openmetrics-text;version=0.0.1",
  "application/openmetrics-text;version=2.0.0, text/plain;q=0.1",
  // A browser.
  "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
  // Nothing that there is.
  "application/json",
  ";;q=,,/",
];

Deno.test("acceptedFormat: OpenMetrics where it is preferred by name", () => {
  for (const accept of OPENMETRICS) {
    assert.equal(acceptedFormat(accept), "openmetrics", accept);
  }
});

Deno.test("acceptedFormat: the text format for everybody else", () => {
  for (const accept of TEXT) {
    assert.equal(acceptedFormat(accept), "text", String(accept));
  }
});
