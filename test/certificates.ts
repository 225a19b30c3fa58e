/** Certificates for tests, made by openssl on elliptic curves: an authority, what it has signed, and another authority that nobody trusts. */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Why there can be no certificates, or false. */
export const noOpenssl: string | false =
  spawnSync("openssl", ["version"]).status === 0 ? false : "not installed: openssl";

/** A certificate with its key, as files and as PEM. */
export interface Issued {
  readonly certificateFile: string;
  readonly keyFile: string;
  readonly certificate: string;
  readonly key: string;
}

const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];

/** `using` removes the files at the end of the block. */
export class Certificates implements Disposable {
  readonly directory = mkdtempSync(join(tmpdir(), "truba-certificates-"));
  readonly authority = this.#authority("authority");
  /** Nothing below it may be trusted. */
  readonly stranger = this.#authority("stranger");
  /** For `localhost` and 127.0.0.1. */
  readonly server = this.#signed("server", this.authority);
  readonly client = this.#signed("client", this.authority);
  readonly strangeClient = this.#signed("strange-client", this.stranger);

  /** A file of this text among the certificates. */
  file(name: string, text: string): string {
    const path = join(this.directory, name);
    writeFileSync(path, text);
    return path;
  }

  [Symbol.dispose](): void {
    rmSync(this.directory, { recursive: true, force: true });
  }

  #authority(name: string): Issued {
    const { certificateFile, keyFile } = this.#paths(name);
    openssl(
      ["req", "-x509", ...curve, "-days", "2", "-subj", `/CN=${name}`],
      ["-keyout", keyFile, "-out", certificateFile],
    );
    return this.#issued(name);
  }

  #signed(name: string, authority: Issued): Issued {
    const { certificateFile, keyFile } = this.#paths(name);
    const request = join(this.directory, `${name}.csr`);
    const extensions = this.file(
      `${name}.ext`,
      "subjectAltName=DNS:localhost,IP:127.0.0.1\nbasicConstraints=CA:FALSE\n",
    );
    openssl(
      ["req", "-new", ...curve, "-subj", `/CN=${name}`],
      ["-keyout", keyFile, "-out", request],
    );
    openssl(
      ["x509", "-req", "-in", request, "-days", "2", "-extfile", extensions, "-CAcreateserial"],
      ["-CA", authority.certificateFile, "-CAkey", authority.keyFile, "-out", certificateFile],
    );
    return this.#issued(name);
  }

  #paths(name: string): { certificateFile: string; keyFile: string } {
    const path = (end: string): string => join(this.directory, `${name}.${end}`);
    return { certificateFile: path("crt"), keyFile: path("key") };
  }

  #issued(name: string): Issued {
    const { certificateFile, keyFile } = this.#paths(name);
    const certificate = readFileSync(certificateFile, "latin1");
    return { certificateFile, keyFile, certificate, key: readFileSync(keyFile, "latin1") };
  }
}

function openssl(...args: readonly (readonly string[])[]): void {
  execFileSync("openssl", args.flat(), { stdio: "pipe" });
}
