import { createHash, X509Certificate } from "node:crypto";

/**
 * Hash functions by the certificate's signature algorithm (RFC 8017, appendix
 * A.2.4; RFC 3279, section 2.2.3; RFC 5758, section 3.2). SHA-256 stands in for
 * MD5 and SHA-1 (RFC 5929, section 4.1).
 */
const HASHES: ReadonlyMap<string, string> = new Map([
  ["1.2.840.113549.1.1.4", "sha256"], // RSA, MD5
  ["1.2.840.113549.1.1.5", "sha256"], // RSA, SHA-1
  ["1.2.840.113549.1.1.11", "sha256"],
  ["1.2.840.113549.1.1.12", "sha384"],
  ["1.2.840.113549.1.1.13", "sha512"],
  ["1.2.840.113549.1.1.14", "sha224"],
  ["1.2.840.10045.4.1", "sha256"], // ECDSA, SHA-1
  ["1.2.840.10045.4.3.1", "sha224"],
  ["1.2.840.10045.4.3.2", "sha256"],
  ["1.2.840.10045.4.3.3", "sha384"],
  ["1.2.840.10045.4.3.4", "sha512"],
]);

/**
 * What `tls-server-end-point` binds a login to: the hash of the server's
 * certificate in DER (RFC 5929, section 4.1).
 *
 * @param pem the certificate, perhaps with its chain behind it.
 * @returns undefined where the signature names no hash function (Ed25519), or names it in parameters (RSASSA-PSS).
 * @throws {Error} if `pem` holds no certificate.
 */
export function certificateHash(pem: string): Uint8Array | undefined {
  const { raw, signatureAlgorithmOid } = new X509Certificate(pem);
  const hash = HASHES.get(signatureAlgorithmOid ?? "");
  return hash === undefined ? undefined : createHash(hash).update(raw).digest();
}
