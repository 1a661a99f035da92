/**
 * Sockets, timers and wake-ups for a thread that blocks. The only folder with
 * foreign function calls.
 *
 * @module
 */

export {
  describeAddress,
  type SocketAddress,
  socketAddress,
} from "./address.ts";
export { monotonicUs } from "./clock.ts";
export { Endpoint, type EndpointOwner } from "./endpoint.ts";
export { EpollReactor } from "./epoll.ts";
export { isSupportedPlatform } from "./libc.ts";
export { type Handler, type Reactor, READ, WRITE } from "./reactor.ts";
export {
  accept,
  closeDescriptor,
  configureTcp,
  connect,
  connectError,
  describeError,
  leaveDescriptors,
  listen,
  minRoundTripUs,
  nextDescriptor,
  peek,
  receive,
  send,
  setAbortive,
  shutdownWrite,
  socketError,
} from "./socket.ts";
export { cText, type OpenSsl, openssl, type Pointer } from "./openssl.ts";
export { keepFreedMemory, setNice, unblockHangup } from "./thread.ts";
export type { Timer } from "./timers.ts";
export {
  BROKEN,
  NOT_NOW,
  SocketTransport,
  type Transport,
} from "./transport.ts";
export { clearWake, createWake, signalWake } from "./wake.ts";
