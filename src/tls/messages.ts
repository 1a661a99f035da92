import type { TlsMaterial } from "../config/mod.ts";

/** What a TLS worker is started with; later messages replace the material. */
export type TlsInit =
  | {
    readonly type: "start";
    /** Brings {@linkcode Handover}s from the worker that it serves. */
    readonly port: MessagePort;
    readonly material: TlsMaterial;
    /** Its scheduling priority: 0, or 10 to come after others. */
    readonly nice: number;
  }
  /** For connections to come; those that are there keep what they began with. */
  | { readonly type: "material"; readonly material: TlsMaterial };

/** What a TLS worker tells the main thread. */
export type TlsWorkerMessage =
  | { readonly type: "ready" }
  | {
    readonly type: "log";
    readonly level: "info" | "error";
    readonly message: string;
    readonly properties: Readonly<Record<string, unknown>>;
  };
