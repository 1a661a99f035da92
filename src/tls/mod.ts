/**
 * TLS at the edge. Worker threads that block in their event loop speak
 * plaintext only: they hand a socket to the TLS worker of theirs, an ordinary
 * asynchronous one, and go on with one end of a socket pair. Connections
 * without TLS never come near it.
 *
 * @module
 */

export { startServerTls } from "./contexts.ts";
export { Dial, type DialOwner, type DialTarget } from "./dial.ts";
export { type Handover, TlsEdge } from "./edge.ts";
export type { TlsInit, TlsWorkerMessage } from "./messages.ts";
export { decodeOpening, OPENING_BYTES } from "./opening.ts";
