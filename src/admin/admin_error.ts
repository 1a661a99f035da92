/** SQLSTATEs that the console answers with (manual, appendix "PostgreSQL Error Codes"). */
export const SQLSTATE = {
  featureNotSupported: "0A000",
  protocolViolation: "08P01",
  invalidParameterValue: "22023",
  invalidTransactionState: "25P02",
  invalidStatementName: "26000",
  invalidPassword: "28P01",
  invalidCursorName: "34000",
  unknownDatabase: "3D000",
  insufficientPrivilege: "42501",
  syntaxError: "42601",
  undefinedParameter: "42704",
  undefinedObject: "42704",
  duplicateCursor: "42P03",
  duplicateStatement: "42P05",
  tooManyConnections: "53300",
  limitExceeded: "54000",
  objectNotInState: "55000",
  cannotChangeNow: "55P02",
  adminShutdown: "57P01",
  configFileError: "F0000",
  internal: "XX000",
} as const;

/** What a client did wrong, as it will read it in an ErrorResponse. */
export class AdminError extends Error {
  override readonly name = "AdminError";
  constructor(
    readonly sqlstate: string,
    message: string,
    readonly hint?: string,
    readonly detail?: string,
  ) {
    super(message);
  }
}

/** A client's text in a message of ours: bounded and quoted. */
export function quote(text: string, max = 64): string {
  return `"${text.length > max ? `${text.slice(0, max)}…` : text}"`;
}
