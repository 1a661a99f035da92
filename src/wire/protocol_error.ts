/** `protocol_violation` (manual, appendix "PostgreSQL Error Codes"). */
export const PROTOCOL_VIOLATION = "08P01";

/** The other side broke the protocol, or one of our bounds on it. */
export class ProtocolError extends Error {
  override readonly name = "ProtocolError";
  constructor(readonly sqlstate: string, message: string) {
    super(message);
  }
}
