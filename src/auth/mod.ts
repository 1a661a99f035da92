/**
 * Users of our own: who they are, the server's side of their logins, and
 * the client's side of logins to servers. It is synchronous, and does no I/O.
 *
 * @module
 */

export { type Account, accountFor, type AccountSettings } from "./account.ts";
export { Login, LoginError, type LoginOptions } from "./server_login.ts";
export { type AuthStep, type AuthType, ClientAuth } from "./client_auth.ts";
