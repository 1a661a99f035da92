import { createHash, createPrivateKey, X509Certificate } from "node:crypto";
import type { KeyPath } from "./positions.ts";
import type { Config, Database } from "./schema.ts";
import { serverTlsKeys, usesTls } from "./tls_settings.ts";
import { whyUnreadable } from "./unreadable.ts";

/** A certificate with its chain, and its key, both PEM. */
export interface TlsIdentity {
  readonly certificate: string;
  readonly key: string;
}

/** How one server is talked to in TLS. */
export interface ServerTls {
  readonly verify: Exclude<
    NonNullable<Database["tls_verify"]>,
    "disabled"
  >;
  /** The name or address that its certificate must hold. */
  readonly host: string;
  /** PEM; undefined: the system's public authorities. */
  readonly ca: string | undefined;
  readonly identity: TlsIdentity | undefined;
}

/** Everything that TLS needs, read from its files. */
export interface TlsMaterial {
  /** Shown to clients; undefined: no TLS to clients. */
  readonly clients: TlsIdentity | undefined;
  /** By the database's name; a server that is reached in clear is not there. */
  readonly servers: Readonly<Record<string, ServerTls>>;
  /** Where OpenSSL is; "": where the system's loader looks. */
  readonly folder: string;
  /** Another one if anything here is. */
  readonly version: string;
}

/** A problem with a file, at the key that names it. */
export interface TlsFileProblem {
  readonly place: KeyPath;
  readonly message: string;
}

/** What was read; with problems it must not be used. */
export interface TlsFiles {
  readonly material: TlsMaterial;
  readonly problems: readonly TlsFileProblem[];
  readonly warnings: readonly TlsFileProblem[];
}

/** Reads and checks the files of a configuration's TLS keys. Never throws. */
export async function readTlsFiles(config: Config): Promise<TlsFiles> {
  const { general, databases } = config;
  const reader = new FileReader();
  const clients = await reader.identity(
    general.tls_certificate,
    ["general", "tls_certificate"],
    general.tls_private_key,
    ["general", "tls_private_key"],
  );
  const servers: Record<string, ServerTls> = {};
  for (const [i, { name, host }] of databases.entries()) {
    const keys = serverTlsKeys(config, i);
    const { verify, places } = keys;
    const ca = await reader.certificates(
      keys.ca,
      places.tls_server_ca_certificate,
    );
    const identity = await reader.identity(
      keys.certificate,
      places.tls_server_certificate,
      keys.key,
      places.tls_server_private_key,
    );
    if (
      verify === undefined || verify === "disabled" || !usesTls(verify, host)
    ) continue;
    servers[name] = { verify, host, ca, identity };
  }
  const content = { clients, servers, folder: general.openssl_folder };
  const version = createHash("sha256").update(JSON.stringify(content))
    .digest("hex");
  return {
    material: { ...content, version },
    problems: [...reader.problems.values()],
    warnings: [...reader.warnings.values()],
  };
}

/** Reads each file's problems once, however many databases share its key. */
class FileReader {
  readonly problems = new Map<string, TlsFileProblem>();
  readonly warnings = new Map<string, TlsFileProblem>();

  async identity(
    certificatePath: string | undefined,
    certificatePlace: KeyPath,
    keyPath: string | undefined,
    keyPlace: KeyPath,
  ): Promise<TlsIdentity | undefined> {
    const certificate = await this.certificates(
      certificatePath,
      certificatePlace,
    );
    const key = await this.#privateKey(keyPath, keyPlace);
    if (certificate === undefined || key === undefined) return undefined;
    // The first is the holder's own, those behind it are its chain.
    if (!new X509Certificate(certificate).checkPrivateKey(key.parsed)) {
      this.#problem(keyPlace, `is not the key of "${certificatePath}"`);
    }
    return { certificate, key: key.pem };
  }

  async certificates(
    path: string | undefined,
    place: KeyPath,
  ): Promise<string | undefined> {
    const pem = await this.#read(path, place);
    if (pem === undefined || this.#isEncrypted(pem, path, place)) {
      return undefined;
    }
    const blocks = pem.match(CERTIFICATE) ?? [];
    try {
      if (blocks.length === 0) throw new Error("none");
      for (const block of blocks) new X509Certificate(block);
    } catch {
      this.#problem(place, `"${path}" holds no certificate in PEM form`);
      return undefined;
    }
    return pem;
  }

  async #privateKey(path: string | undefined, place: KeyPath) {
    const pem = await this.#read(path, place);
    if (
      pem === undefined || path === undefined ||
      this.#isEncrypted(pem, path, place)
    ) return undefined;
    try {
      const parsed = createPrivateKey(pem);
      const mode = (await Deno.stat(path)).mode;
      if (mode !== null && (mode & 0o004) !== 0) {
        this.#warning(place, `can be read by others; run: chmod 600 ${path}`);
      }
      return { pem, parsed };
    } catch {
      // The library's own words could hold a part of the file.
      this.#problem(place, `"${path}" holds no private key in PEM form`);
      return undefined;
    }
  }

  /** Nobody is there to be asked for a passphrase. */
  #isEncrypted(pem: string, path = "", place: KeyPath): boolean {
    if (!ENCRYPTED.test(pem)) return false;
    this.#problem(
      place,
      `"${path}" is encrypted; run: openssl pkey -in ${path} -out FILE, and name that file`,
    );
    return true;
  }

  async #read(
    path: string | undefined,
    place: KeyPath,
  ): Promise<string | undefined> {
    if (path === undefined) return undefined;
    try {
      return await Deno.readTextFile(path);
    } catch (error) {
      this.#problem(place, `"${path}": ${whyUnreadable(error, path)}`);
      return undefined;
    }
  }

  #problem(place: KeyPath, message: string): void {
    this.problems.set(JSON.stringify([place, message]), { place, message });
  }

  #warning(place: KeyPath, message: string): void {
    this.warnings.set(JSON.stringify([place, message]), { place, message });
  }
}

/** RFC 1421 and PKCS #8. */
const ENCRYPTED = /^Proc-Type: *4, *ENCRYPTED|BEGIN ENCRYPTED PRIVATE KEY/m;
const CERTIFICATE =
  /-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g;
