import { join } from "node:path";
import { hasProgram, runProgram } from "./programs.ts";

/** A certificate with its key, as text and as files. */
export interface Certificate {
  readonly certificate: string;
  readonly key: string;
  readonly certificatePath: string;
  readonly keyPath: string;
}

export interface IssueOptions {
  /** Of the subject; default "server". */
  readonly name?: string;
  /** Default: localhost and 127.0.0.1. */
  readonly altNames?: string;
  /** Default 2; -1 has expired. */
  readonly days?: number;
  /** Of the signature, e.g. "sha384"; default: openssl's for the authority's key. */
  readonly digest?: string;
}

/** Kinds of an authority's key, and so of its signatures; as options of openssl. */
const KEYS = {
  ec: ["ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"],
  rsa: ["rsa:2048"],
  ed25519: ["ed25519"],
};

/** A certificate authority of a test's own, in a temporary folder, by Debian's openssl. */
export class Authority implements AsyncDisposable {
  readonly folder = Deno.makeTempDirSync({ prefix: "pgdog-mirror-ca-" });
  #serial = 0;

  static readonly available = hasProgram("openssl");

  private constructor() {}

  static async create(key: keyof typeof KEYS = "ec"): Promise<Authority> {
    const authority = new Authority();
    await runProgram("openssl", [
      ...["req", "-x509", "-newkey", ...KEYS[key], "-nodes", "-days", "2"],
      ...["-subj", "/CN=an authority for tests"],
      ...["-keyout", authority.#path("ca.key"), "-out", authority.path],
    ]);
    return authority;
  }

  /** Its own certificate. */
  get path(): string {
    return this.#path("ca.crt");
  }

  get certificate(): string {
    return Deno.readTextFileSync(this.path);
  }

  async issue(options: IssueOptions = {}): Promise<Certificate> {
    const {
      name = "server",
      altNames = "DNS:localhost,IP:127.0.0.1",
      days = 2,
      digest,
    } = options;
    const base = `${++this.#serial}`;
    const [key, request, extensions, out] = ["key", "csr", "ext", "crt"]
      .map((extension) => this.#path(`${base}.${extension}`)) as [
        string,
        string,
        string,
        string,
      ];
    await Deno.writeTextFile(extensions, `subjectAltName=${altNames}\n`);
    await runProgram("openssl", [
      ...["req", "-newkey", ...KEYS.ec],
      ...["-nodes", "-subj", `/CN=${name}`, "-keyout", key, "-out", request],
    ]);
    await runProgram("openssl", [
      ...["x509", "-req", "-in", request, "-CA", this.path],
      ...["-CAkey", this.#path("ca.key"), "-set_serial", base],
      ...["-days", `${days}`, "-extfile", extensions, "-out", out],
      ...(digest === undefined ? [] : [`-${digest}`]),
    ]);
    return {
      certificate: await Deno.readTextFile(out),
      key: await Deno.readTextFile(key),
      certificatePath: out,
      keyPath: key,
    };
  }

  #path(name: string): string {
    return join(this.folder, name);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.folder, { recursive: true });
  }
}
