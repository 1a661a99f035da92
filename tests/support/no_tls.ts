import type { TlsMaterial } from "../../src/config/mod.ts";

/** Everything in clear. */
export const NO_TLS: TlsMaterial = {
  clients: undefined,
  servers: {},
  folder: "",
  version: "",
};
