/**
 * What the primary's own log tells of the transactions that clients have run:
 * every row with all its values, in the order of commits.
 *
 * @module
 */

export { type Trace, traceOf } from "./trace.ts";
export { type LogClaim, LogMatcher, type MakeRows } from "./log_matcher.ts";
export { outcomeOf } from "./outcome.ts";
export { Placeholders } from "./placeholders.ts";
export { LOG_SETTINGS, type LogListener, LogReader } from "./log_reader.ts";
