import { isIP } from "node:net";
import type { ServerTls, TlsIdentity } from "../config/mod.ts";
import { cText, type OpenSsl, type Pointer } from "../io/mod.ts";
import { takeErrors } from "./errors.ts";

// Macros of <openssl/ssl.h> over SSL_CTX_ctrl and SSL_ctrl, by their numbers.
const CTRL_MODE = 33;
const CTRL_SET_READ_AHEAD = 41;
const CTRL_SET_SESS_CACHE_MODE = 44;
const CTRL_SET_TLSEXT_HOSTNAME = 55;
const CTRL_CLEAR_MODE = 78;
const CTRL_CHAIN_CERT = 89;
const CTRL_SET_MIN_PROTO_VERSION = 123;
/** Partial writes, from a buffer that may move, and no buffers while idle (6 instead of 34 KB were measured). */
const MODE = 1n | 2n | 16n;
/** Off, and no read-ahead but with a primary: one SSL_read takes one record. Else a peer that sends KeyUpdates without an end would hold the thread inside of one SSL_read for as long. */
const MODE_AUTO_RETRY = 4n;
const OP_IGNORE_UNEXPECTED_EOF = 1n << 7n;
const OP_NO_TICKET = 1n << 14n;
const OP_NO_COMPRESSION = 1n << 17n;
const OP_NO_RENEGOTIATION = 1n << 30n;
const TLS1_2_VERSION = 0x303n;
const SSL_VERIFY_NONE = 0;
const SSL_VERIFY_PEER = 1;
const X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS = 4;
const TLSEXT_ERR_OK = 0;
const TLSEXT_ERR_ALERT_FATAL = 2;

/** What one read takes from a primary's socket: two records. */
const READ_AHEAD_BYTES = 32n * 1024n;

const encoder = new TextEncoder();
/** The protocol's name in TLS (manual, "SSL Session Encryption"), as ALPN lists it. */
const ALPN = new Uint8Array([10, ...encoder.encode("postgresql")]);
/** In the place of a passphrase: an encrypted file is refused, and OpenSSL asks nobody on a terminal. */
const NO_PASSPHRASE = new Uint8Array(1);

/** Settings of TLS connections, made once; connections that began with it outlive it. */
export interface TlsContext {
  readonly pointer: Pointer;
  /**
   * Prepares a connection of it before its handshake.
   *
   * @param host the server's name or address; "" for a client.
   * @throws {Error} if OpenSSL does not take the server's name: without one it would accept every name.
   */
  prepare(ssl: Pointer, host: string): void;
  free(): void;
}

/**
 * For our side of TLS with clients.
 *
 * @throws {Error} if OpenSSL does not take the certificate or the key.
 */
export function clientsContext(
  library: OpenSsl,
  identity: TlsIdentity,
): TlsContext {
  const { ssl } = library;
  return build(library, ssl.TLS_server_method(), (pointer) => {
    ssl.SSL_CTX_set_num_tickets(pointer, 0n);
    identify(library, pointer, identity);
    ssl.SSL_CTX_set_alpn_select_cb(pointer, alpnCallback(library), null);
    return (connection) => ssl.SSL_set_accept_state(connection);
  });
}

/** What a context to servers is made of: those that agree in it share one. */
export type ServerTrust = Omit<ServerTls, "host"> & {
  /**
   * A record costs one read of the socket in the place of two. Only with a
   * server that is not hostile: see {@linkcode MODE_AUTO_RETRY}.
   */
  readonly readsAhead: boolean;
};

/**
 * For our side of TLS with servers.
 *
 * @throws {Error} if OpenSSL does not take a certificate or the key.
 */
export function serverContext(
  library: OpenSsl,
  { verify, ca, identity, readsAhead }: ServerTrust,
): TlsContext {
  const { ssl, crypto } = library;
  return build(library, ssl.TLS_client_method(), (pointer) => {
    if (readsAhead) {
      ssl.SSL_CTX_ctrl(pointer, CTRL_SET_READ_AHEAD, 1n, null);
      ssl.SSL_CTX_set_default_read_buffer_len(pointer, READ_AHEAD_BYTES);
    }
    if (identity !== undefined) identify(library, pointer, identity);
    const verifies = verify === "verify-ca" || verify === "verify-full";
    ssl.SSL_CTX_set_verify(
      pointer,
      verifies ? SSL_VERIFY_PEER : SSL_VERIFY_NONE,
      null,
    );
    if (ca !== undefined) trust(library, pointer, ca);
    else if (verifies) {
      needPublicAuthorities(library);
      ssl.SSL_CTX_set_default_verify_paths(pointer);
    }
    ssl.SSL_CTX_set_alpn_protos(pointer, ALPN, ALPN.length);
    return (connection, host) => {
      const bare = host.replace(/^\[|\]$/g, "");
      const name = encoder.encode(`${bare}\0`);
      const isAddress = isIP(bare) !== 0;
      ssl.SSL_set_connect_state(connection);
      // SNI holds no addresses (RFC 6066); libpq leaves them out, too.
      if (!isAddress) {
        ssl.SSL_ctrl(connection, CTRL_SET_TLSEXT_HOSTNAME, 0n, name);
        takeErrors(library); // it can do without
      }
      if (verify !== "verify-full") return;
      const parameters = ssl.SSL_get0_param(connection);
      crypto.X509_VERIFY_PARAM_set_hostflags(
        parameters,
        X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS,
      );
      const taken = bare !== "" &&
        (isAddress
            ? crypto.X509_VERIFY_PARAM_set1_ip_asc(parameters, name)
            : crypto.X509_VERIFY_PARAM_set1_host(parameters, name, 0n)) === 1;
      if (taken) return;
      takeErrors(library);
      throw new Error(`no certificate can be in the name of "${host}"`);
    };
  });
}

function build(
  library: OpenSsl,
  method: Pointer,
  configure: (pointer: Pointer) => TlsContext["prepare"],
): TlsContext {
  const { ssl } = library;
  const pointer = ssl.SSL_CTX_new(method);
  if (pointer === null) throw new Error(takeErrors(library));
  const free = () => ssl.SSL_CTX_free(pointer);
  try {
    const control = (command: number, value: bigint) =>
      ssl.SSL_CTX_ctrl(pointer, command, value, null);
    control(CTRL_SET_MIN_PROTO_VERSION, TLS1_2_VERSION);
    control(CTRL_MODE, MODE);
    control(CTRL_CLEAR_MODE, MODE_AUTO_RETRY);
    control(CTRL_SET_SESS_CACHE_MODE, 0n);
    // The protocol's messages have lengths: an end of stream in the middle shows there, as it does in clear.
    ssl.SSL_CTX_set_options(
      pointer,
      OP_NO_TICKET | OP_NO_RENEGOTIATION | OP_NO_COMPRESSION |
        OP_IGNORE_UNEXPECTED_EOF,
    );
    return { pointer, prepare: configure(pointer), free };
  } catch (error) {
    free();
    throw error;
  }
}

/** A certificate with its chain behind it, and its key. */
function identify(
  library: OpenSsl,
  context: Pointer,
  { certificate, key }: TlsIdentity,
): void {
  const { ssl, crypto } = library;
  let areTaken = true;
  for (const [i, x509] of certificatesOf(library, certificate).entries()) {
    areTaken &&= i === 0
      ? ssl.SSL_CTX_use_certificate(context, x509) === 1
      : ssl.SSL_CTX_ctrl(context, CTRL_CHAIN_CERT, 1n, x509) === 1n;
    crypto.X509_free(x509); // the context has one of its own
  }
  if (!areTaken) throw new Error(`the certificate: ${takeErrors(library)}`);
  const bio = bioOf(library, key);
  const pkey = crypto.PEM_read_bio_PrivateKey(bio, null, null, NO_PASSPHRASE);
  crypto.BIO_free(bio);
  const fits = ssl.SSL_CTX_use_PrivateKey(context, pkey) === 1 &&
    ssl.SSL_CTX_check_private_key(context) === 1;
  if (pkey !== null) crypto.EVP_PKEY_free(pkey);
  if (!fits) throw new Error(`the private key: ${takeErrors(library)}`);
}

function trust(library: OpenSsl, context: Pointer, ca: string): void {
  const { ssl, crypto } = library;
  const store = ssl.SSL_CTX_get_cert_store(context);
  for (const x509 of certificatesOf(library, ca)) {
    crypto.X509_STORE_add_cert(store, x509);
    crypto.X509_free(x509);
  }
}

/** A copy of the text, which the caller frees: of a buffer of ours OpenSSL would not keep the garbage collector away. */
function bioOf({ crypto }: OpenSsl, text: string): Pointer {
  const bytes = encoder.encode(text);
  const bio = crypto.BIO_new(crypto.BIO_s_mem());
  crypto.BIO_write(bio, bytes, bytes.length);
  return bio;
}

/** The certificates in PEM text; the caller frees each. */
function certificatesOf(library: OpenSsl, pem: string): Pointer[] {
  const { crypto } = library;
  const bio = bioOf(library, pem);
  const found: Pointer[] = [];
  for (;;) {
    const x509 = crypto.PEM_read_bio_X509(bio, null, null, NO_PASSPHRASE);
    if (x509 === null) break;
    found.push(x509);
  }
  crypto.BIO_free(bio);
  const why = takeErrors(library); // the last one says that nothing follows
  if (found.length === 0) throw new Error(`no certificate: ${why}`);
  return found;
}

let alpn: Deno.UnsafeCallback<typeof ALPN_CALLBACK> | undefined;
const ALPN_CALLBACK = {
  parameters: ["pointer", "pointer", "pointer", "pointer", "u32", "pointer"],
  result: "i32",
} as const;

/**
 * ALPN has no setter on the server's side. OpenSSL calls this from inside of
 * SSL_do_handshake, in this thread; it must live as long as the thread.
 */
function alpnCallback({ ssl }: OpenSsl): Deno.PointerObject {
  alpn ??= new Deno.UnsafeCallback(
    ALPN_CALLBACK,
    (_ssl, out, outLength, list, length) =>
      ssl.SSL_select_next_proto(
          out,
          outLength,
          ALPN,
          ALPN.length,
          list,
          length,
        ) === 1
        ? TLSEXT_ERR_OK
        : TLSEXT_ERR_ALERT_FATAL,
  );
  return alpn.pointer;
}

/** @throws {Error} if OpenSSL's default file and folder of authorities hold none. */
function needPublicAuthorities({ crypto }: OpenSsl): void {
  const file = Deno.env.get("SSL_CERT_FILE") ??
    cText(crypto.X509_get_default_cert_file());
  const folder = Deno.env.get("SSL_CERT_DIR") ??
    cText(crypto.X509_get_default_cert_dir());
  if (!isEmpty(() => [Deno.statSync(file)])) return;
  if (!isEmpty(() => Deno.readDirSync(folder))) return;
  throw new Error(
    `no authority is known that may sign servers' certificates: install ca-certificates (neither ${file} nor ${folder} has any), or set tls_server_ca_certificate`,
  );
}

function isEmpty(list: () => Iterable<unknown>): boolean {
  try {
    for (const _ of list()) return false;
    return true;
  } catch {
    return true; // it is not there
  }
}
