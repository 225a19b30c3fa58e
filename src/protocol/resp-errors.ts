/**
 * What breaks the RESP protocol, in the words of Redis where it has some: clients and people recognise them. After one of these the place
 * of the next command is not known, so the connection is closed once the error was sent.
 */
export const respErrors = {
  invalidArgumentsCount: "Protocol error: invalid multibulk length",
  invalidBulkLength: "Protocol error: invalid bulk length",
  missingBulkEnd: "Protocol error: expected CRLF after bulk",
  inlineTooBig: "Protocol error: too big inline request",
  inlineUnbalanced: "Protocol error: unbalanced quotes in request",
} as const;

/** The error for an argument that starts with another byte than `$`. */
export function expectedBulkError(byte: number): string {
  const printable = byte >= 0x20 && byte <= 0x7e;
  const got = printable ? String.fromCharCode(byte) : `\\x${byte.toString(16).padStart(2, "0")}`;
  return `Protocol error: expected '$', got '${got}'`;
}
