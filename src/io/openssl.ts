/**
 * OpenSSL 3 (libssl and libcrypto), the calls that TLS needs. Opened at first
 * use, in each thread.
 *
 * No 64-bit integer on the hot path: SSL_read and SSL_write take and give C
 * `int`s, their `_ex` siblings take size_t. Pointers are opaque objects.
 *
 * Names without a function behind them in OpenSSL 3 are macros over SSL_ctrl
 * and SSL_CTX_ctrl; their numbers stand in src/tls.
 *
 * @module
 */

const SSL = {
  OPENSSL_init_ssl: { parameters: ["u64", "pointer"], result: "i32" },
  TLS_server_method: { parameters: [], result: "pointer" },
  TLS_client_method: { parameters: [], result: "pointer" },
  SSL_CTX_new: { parameters: ["pointer"], result: "pointer" },
  SSL_CTX_free: { parameters: ["pointer"], result: "void" },
  SSL_CTX_ctrl: {
    parameters: ["pointer", "i32", "i64", "pointer"],
    result: "i64",
  },
  SSL_ctrl: { parameters: ["pointer", "i32", "i64", "buffer"], result: "i64" },
  SSL_CTX_set_default_read_buffer_len: {
    parameters: ["pointer", "usize"],
    result: "void",
  },
  SSL_CTX_set_options: { parameters: ["pointer", "u64"], result: "u64" },
  SSL_CTX_set_num_tickets: { parameters: ["pointer", "usize"], result: "i32" },
  SSL_CTX_use_certificate: {
    parameters: ["pointer", "pointer"],
    result: "i32",
  },
  SSL_CTX_use_PrivateKey: { parameters: ["pointer", "pointer"], result: "i32" },
  SSL_CTX_check_private_key: { parameters: ["pointer"], result: "i32" },
  SSL_CTX_get_cert_store: { parameters: ["pointer"], result: "pointer" },
  SSL_CTX_set_default_verify_paths: {
    parameters: ["pointer"],
    result: "i32",
  },
  SSL_CTX_set_verify: {
    parameters: ["pointer", "i32", "pointer"],
    result: "void",
  },
  SSL_CTX_set_alpn_select_cb: {
    parameters: ["pointer", "function", "pointer"],
    result: "void",
  },
  SSL_CTX_set_alpn_protos: {
    parameters: ["pointer", "buffer", "u32"],
    result: "i32",
  },
  SSL_select_next_proto: {
    parameters: ["pointer", "pointer", "buffer", "u32", "pointer", "u32"],
    result: "i32",
  },
  SSL_get0_alpn_selected: {
    parameters: ["pointer", "buffer", "buffer"],
    result: "void",
  },
  SSL_new: { parameters: ["pointer"], result: "pointer" },
  SSL_free: { parameters: ["pointer"], result: "void" },
  SSL_set_fd: { parameters: ["pointer", "i32"], result: "i32" },
  SSL_set_accept_state: { parameters: ["pointer"], result: "void" },
  SSL_set_connect_state: { parameters: ["pointer"], result: "void" },
  SSL_do_handshake: { parameters: ["pointer"], result: "i32" },
  SSL_read: { parameters: ["pointer", "buffer", "i32"], result: "i32" },
  SSL_write: { parameters: ["pointer", "buffer", "i32"], result: "i32" },
  SSL_has_pending: { parameters: ["pointer"], result: "i32" },
  SSL_shutdown: { parameters: ["pointer"], result: "i32" },
  SSL_get_error: { parameters: ["pointer", "i32"], result: "i32" },
  SSL_get0_param: { parameters: ["pointer"], result: "pointer" },
  SSL_get_verify_result: { parameters: ["pointer"], result: "i32" },
} as const;

const CRYPTO = {
  ERR_get_error: { parameters: [], result: "u64" },
  ERR_clear_error: { parameters: [], result: "void" },
  ERR_reason_error_string: { parameters: ["u64"], result: "pointer" },
  BIO_new: { parameters: ["pointer"], result: "pointer" },
  BIO_s_mem: { parameters: [], result: "pointer" },
  BIO_write: { parameters: ["pointer", "buffer", "i32"], result: "i32" },
  BIO_free: { parameters: ["pointer"], result: "i32" },
  PEM_read_bio_X509: {
    parameters: ["pointer", "pointer", "pointer", "buffer"],
    result: "pointer",
  },
  PEM_read_bio_PrivateKey: {
    parameters: ["pointer", "pointer", "pointer", "buffer"],
    result: "pointer",
  },
  X509_free: { parameters: ["pointer"], result: "void" },
  EVP_PKEY_free: { parameters: ["pointer"], result: "void" },
  X509_STORE_add_cert: { parameters: ["pointer", "pointer"], result: "i32" },
  X509_VERIFY_PARAM_set1_host: {
    parameters: ["pointer", "buffer", "usize"],
    result: "i32",
  },
  X509_VERIFY_PARAM_set1_ip_asc: {
    parameters: ["pointer", "buffer"],
    result: "i32",
  },
  X509_VERIFY_PARAM_set_hostflags: {
    parameters: ["pointer", "u32"],
    result: "void",
  },
  X509_verify_cert_error_string: { parameters: ["i32"], result: "pointer" },
  X509_get_default_cert_file: { parameters: [], result: "pointer" },
  X509_get_default_cert_dir: { parameters: [], result: "pointer" },
  OpenSSL_version: { parameters: ["i32"], result: "pointer" },
  OPENSSL_version_major: { parameters: [], result: "u32", optional: true },
} as const;

/** A pointer that C gave us; null is C's NULL. */
export type Pointer = Deno.PointerValue;

export interface OpenSsl {
  readonly ssl: Deno.DynamicLibrary<typeof SSL>["symbols"];
  readonly crypto: Deno.DynamicLibrary<typeof CRYPTO>["symbols"];
  /** As the library says it: "OpenSSL 3.0.22 …". */
  readonly version: string;
}

/** The soname is the ABI: every OpenSSL 3.x has these. */
const LIBCRYPTO = "libcrypto.so.3";
const LIBSSL = "libssl.so.3";
/**
 * Without it exit() would take the library down while other threads are in
 * it: one exit of six under load ended in SIGSEGV.
 */
const OPENSSL_INIT_NO_ATEXIT = 0x0008_0000n;

const opened = new Map<string, OpenSsl>();

/**
 * Opens OpenSSL once for this thread.
 *
 * @param folder where the two libraries are; "": where the system's loader looks.
 * @throws {Error} that says what is missing and what to do.
 */
export function openssl(folder: string): OpenSsl {
  const known = opened.get(folder);
  if (known !== undefined) return known;
  const prefix = folder === "" ? "" : `${folder}/`;
  // libcrypto first: libssl takes the one that is loaded, and not another one.
  const crypto = open(prefix + LIBCRYPTO, CRYPTO);
  const ssl = open(prefix + LIBSSL, SSL);
  const version = cText(crypto.OpenSSL_version(0));
  if ((crypto.OPENSSL_version_major?.() ?? 0) < 3) {
    throw new Error(`TLS needs OpenSSL 3, found ${version}`);
  }
  ssl.OPENSSL_init_ssl(OPENSSL_INIT_NO_ATEXIT, null);
  const result = { ssl, crypto, version };
  opened.set(folder, result);
  return result;
}

function open<T extends Deno.ForeignLibraryInterface>(
  path: string,
  symbols: T,
) {
  try {
    return Deno.dlopen(path, symbols).symbols;
  } catch (cause) {
    throw new Error(
      `TLS needs OpenSSL 3, and ${path} can't be loaded (${
        (cause as Error).message
      }): install libssl3 (Debian, Ubuntu) or openssl-libs (Red Hat), or name its folder in general.openssl_folder`,
      { cause },
    );
  }
}

/** A C string; "" for NULL. */
export function cText(pointer: Pointer): string {
  return pointer === null ? "" : Deno.UnsafePointerView.getCString(pointer);
}
