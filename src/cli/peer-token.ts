/** The secret that this node shows to its peers: from a file of its own, because the configuration holds no secrets. */
import { errorText } from "../base/errors.ts";
import type { ConfigurationFiles } from "./configuration-file.ts";
import type { Problem } from "./configuration-problem.ts";
import type { NamedFile } from "./tls-files.ts";

const secretMaxBytes = 1_024;

/** Reads the file; `undefined` if `problems` got something. Never throws, and never shows what is in it. */
export function readPeerToken(
  files: ConfigurationFiles,
  { path, source }: NamedFile,
  problems: Problem[],
): string | undefined {
  const refuse = (text: string): undefined => {
    problems.push({ source, text: `${path} ${text}` });
    return undefined;
  };
  let bytes: Uint8Array | undefined;
  try {
    bytes = files.read(path);
  } catch (error) {
    return refuse(`cannot be read: ${errorText(error)}`);
  }
  if (bytes === undefined) return refuse("does not exist");
  const text = Buffer.from(bytes).toString("latin1").trim();
  if (text.length > secretMaxBytes || !/^[!-~]+$/.test(text))
    return refuse(
      `must hold the secret of a token and nothing else: 1 to ${secretMaxBytes} printable ASCII characters`,
    );
  return text;
}
