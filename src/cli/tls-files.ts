/** The certificates and keys that the configuration names: read, and tried, so that what is wrong with them is told with all other problems before anything starts. */
import { X509Certificate } from "node:crypto";
import { createSecureContext } from "node:tls";
import { errorText } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import { tlsOptions } from "../base/node-tls.ts";
import type { TlsFiles } from "../base/node-tls.ts";
import type { ConfigurationFiles } from "./configuration-file.ts";
import type { Problem } from "./configuration-problem.ts";

/** A path, and where the configuration names it. */
export interface NamedFile {
  readonly path: string;
  readonly source: string;
}

interface Named {
  readonly certificate: NamedFile;
  readonly key: NamedFile;
  readonly clientAuthorities: NamedFile | undefined;
}

/** Reads and tries the files; `undefined` if `problems` got something. Never throws. */
export function readTlsFiles(
  files: ConfigurationFiles,
  named: Named,
  problems: Problem[],
): TlsFiles | undefined {
  const before = problems.length;
  const read = (file: NamedFile): string => readPem(files, file, problems);
  const certificate = read(named.certificate);
  const key = read(named.key);
  const authorities = named.clientAuthorities;
  const clientAuthorities = authorities === undefined ? undefined : read(authorities);
  if (problems.length > before) return undefined;
  checkCertificates(certificate, named.certificate, problems);
  if (authorities !== undefined && clientAuthorities !== undefined) {
    checkCertificates(clientAuthorities, authorities, problems);
  }
  if (problems.length > before) return undefined;
  const found: TlsFiles = { certificate, key, clientAuthorities };
  try {
    createSecureContext(tlsOptions(found));
  } catch (error) {
    const { path, source } = named.key;
    const text = `${path} is no key for ${named.certificate.path}: ${errorText(error)}`;
    problems.push({ source, text });
    return undefined;
  }
  return found;
}

/** When the first certificate of a PEM text ends. */
export function endOfCertificate(pem: string): Date {
  return new Date(new X509Certificate(pem).validTo);
}

function readPem(files: ConfigurationFiles, file: NamedFile, problems: Problem[]): string {
  const refuse = (text: string): string => {
    problems.push({ source: file.source, text: `${file.path} ${text}` });
    return "";
  };
  let bytes: Uint8Array | undefined;
  try {
    bytes = files.read(file.path);
  } catch (error) {
    return refuse(`cannot be read: ${errorText(error)}`);
  }
  if (bytes === undefined) return refuse("does not exist");
  if (bytes.length > limits.certificateMaxBytes) {
    const max = limits.certificateMaxBytes.toLocaleString("en-US");
    return refuse(`has ${bytes.length.toLocaleString("en-US")} bytes; at most ${max} are read`);
  }
  const text = Buffer.from(bytes).toString("latin1");
  return text.includes("-----BEGIN ") ? text : refuse("holds nothing in PEM");
}

/** OpenSSL passes over what it cannot read in a list of authorities, and would then take nobody's certificate. */
function checkCertificates(pem: string, { path, source }: NamedFile, problems: Problem[]): void {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? [];
  if (blocks.length === 0) problems.push({ source, text: `${path} holds no certificate` });
  for (const [at, block] of blocks.entries()) {
    try {
      // What it cannot read it throws at.
      void new X509Certificate(block).serialNumber;
    } catch (error) {
      const text = `certificate ${at + 1} of ${path} cannot be read: ${errorText(error)}`;
      problems.push({ source, text });
    }
  }
}
