/** Encodes RESP requests: the client's side of resp-decoder.ts. */

const carriageReturn = 0x0d;
const lineFeed = 0x0a;

/** One command, its name first, as an array of bulk strings. Strings go as UTF-8, bytes as they are. */
export function encodeRequest(command: readonly (string | Uint8Array)[]): Buffer {
  const lengths = command.map((argument) =>
    typeof argument === "string" ? Buffer.byteLength(argument) : argument.length,
  );
  const header = `*${command.length}\r\n`;
  let total = header.length;
  for (const length of lengths) total += `$${length}\r\n`.length + length + 2;

  const target = Buffer.allocUnsafe(total);
  let at = target.write(header, "latin1");
  for (const [i, argument] of command.entries()) {
    const length = lengths[i] ?? 0;
    at += target.write(`$${length}\r\n`, at, "latin1");
    if (typeof argument === "string") target.write(argument, at, "utf8");
    else target.set(argument, at);
    at += length;
    target[at++] = carriageReturn;
    target[at++] = lineFeed;
  }
  return target;
}
