import { cText, type OpenSsl } from "../io/mod.ts";

/**
 * Empties this thread's error queue, where an old entry would make
 * SSL_get_error lie about the next call.
 *
 * @returns the first error in OpenSSL's words, the cause of those behind it; "" if there is none.
 */
export function takeErrors({ crypto }: OpenSsl): string {
  let first = "";
  for (;;) {
    const code = crypto.ERR_get_error();
    if (code === 0n) return first;
    first ||= cText(crypto.ERR_reason_error_string(code)) || `error ${code}`;
  }
}
