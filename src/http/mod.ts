/**
 * The HTTP server: the routes of the plugins, and the health of the proxy.
 *
 * @module
 */

export {
  type Health,
  type HttpOptions,
  type HttpServer,
  startHttp,
} from "./server.ts";
