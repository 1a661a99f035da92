/**
 * What the text of statements says, as far as replaying needs it.
 *
 * @module
 */

export * from "./session_state.ts";
