/**
 * What everybody who listens needs: a loop that accepts on the main thread, and
 * when to complain that it can't.
 *
 * @module
 */

export { AcceptLoop, type AcceptLoopOwner } from "./accept_loop.ts";
export { Episode } from "./episode.ts";
