/**
 * TLS inside of the event loop, by OpenSSL on the sockets themselves: one
 * relay with one kind of back-pressure serves clear and TLS alike.
 *
 * @module
 */

export type { TlsMaterial } from "../config/mod.ts";
export { TlsContexts } from "./contexts.ts";
export { Dial, type DialOwner, type DialTarget } from "./dial.ts";
export type { TlsTransport } from "./tls_transport.ts";
