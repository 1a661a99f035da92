import {
  configureSync,
  getJsonLinesFormatter,
  getLogger,
  getTextFormatter,
  type LogLevel as LogTapeLevel,
  type LogRecord,
  type TextFormatter,
} from "@logtape/logtape";
import { redactByField, redactByPattern } from "@logtape/redaction";
import type { Logger } from "../plugin/api.ts";

/** Values of `log_level`. */
export const LOG_LEVELS = ["debug", "info", "warn", "error"] as const;
/** Values of `log_format`. */
export const LOG_FORMATS = ["text", "json"] as const;
export type LogLevel = typeof LOG_LEVELS[number];
export type LogFormat = typeof LOG_FORMATS[number];

export interface LogOptions {
  /** The least that is written. */
  readonly level: LogLevel;
  readonly format: LogFormat;
  /** Takes one line with its line feed. Default: standard error, synchronously. */
  readonly write?: (line: string) => void;
}

const ROOT = "pgdog_mirror";
const REDACTED = "***";
/** Fields whose value is never written, at any depth. */
const SECRET_FIELD = /password|passwd|secret|token/i;
/** `postgres://user:password@host` in any text. */
const SECRET_IN_URL = /(:\/\/[^\s:@/]*:)[^\s@]+@/g;

/**
 * Sets up logging for this thread; a second call replaces the first. Each
 * Worker has its own copy, so each calls it. It is synchronous and writes
 * synchronously, because no promise runs in a Worker that blocks.
 */
export function configureLog(options: LogOptions): void {
  const { write = writeToStderr } = options;
  const format = redactByPattern(
    options.format === "json" ? jsonFormatter() : textFormatter(),
    [{ pattern: SECRET_IN_URL, replacement: `$1${REDACTED}@` }],
  );
  const sink = redactByField(
    (record: LogRecord) => write(format(record)),
    { fieldPatterns: [SECRET_FIELD], action: () => REDACTED },
  );
  const lowestLevel = toLogTape(options.level);
  configureSync({
    reset: true,
    sinks: { out: sink },
    loggers: [
      { category: ROOT, lowestLevel, sinks: ["out"] },
      // LogTape's own troubles; without this line it greets on the console.
      { category: ["logtape", "meta"], lowestLevel: "error", sinks: ["out"] },
    ],
  });
}

/**
 * A logger for one part of the program, e.g. `"admin"`. Works before
 * {@linkcode configureLog}, but writes nothing then. Messages are taken
 * literally; what varies goes into the properties.
 */
export function createLogger(category: string): Logger {
  const logger = getLogger([ROOT, category]);
  return {
    debug: (message, properties) => logger.debug(literal(message), properties),
    info: (message, properties) => logger.info(literal(message), properties),
    warn: (message, properties) => logger.warn(literal(message), properties),
    error: (message, properties) => logger.error(literal(message), properties),
  };
}

/** LogTape would take `{name}` for a property. */
function literal(message: string): string {
  return message.replaceAll("{", "{{").replaceAll("}", "}}");
}

function toLogTape(level: LogLevel): LogTapeLevel {
  return level === "warn" ? "warning" : level;
}

function jsonFormatter(): TextFormatter {
  return getJsonLinesFormatter({
    categorySeparator: (category) => category.slice(1).join("."),
    properties: "nest:properties",
  });
}

/** `2024-05-06T07:08:09.123Z info admin: Message key=value` */
function textFormatter(): TextFormatter {
  return getTextFormatter({
    timestamp: "rfc3339",
    level: (level) => level === "warning" ? "warn" : level,
    category: (category) => category.slice(1).join("."),
    format: ({ timestamp, level, category, message, record }) =>
      `${timestamp} ${level} ${category}: ${message}${
        Object.entries(record.properties).map(([key, value]) =>
          ` ${key}=${textOf(value)}`
        ).join("")
      }`,
    // One record is one line, whatever a client put into it.
    sanitize: { newlines: "escape" },
  });
}

/** Bare where it is one plain word, else as JSON, which escapes control characters. */
function textOf(value: unknown): string {
  if (value instanceof Date) return value.toISOString();
  if (value instanceof Error) return JSON.stringify(value.message);
  if (typeof value === "bigint") return value.toString();
  if (typeof value === "string" && /^[\w.:/*-]+$/.test(value)) return value;
  return JSON.stringify(
    value,
    (_, inner: unknown) => typeof inner === "bigint" ? inner.toString() : inner,
  ) ?? String(value);
}

function writeToStderr(line: string): void {
  const bytes = new TextEncoder().encode(line);
  try {
    for (let at = 0; at < bytes.length;) {
      at += Deno.stderr.writeSync(bytes.subarray(at));
    }
  } catch {
    // Standard error is closed or full: the line is lost, the proxy is not.
  }
}
