/**
 * P5: every 65,536 operations a `digest` operation goes through the log. Whoever applies it notes the digest of its own state there, and compares
 * the one it noted at the operation before with what the leader found there: f64 number of that operation, f64 digest.
 */
import { TrubaError } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import {
  type OperationReader,
  type OperationWriter,
  operationCodes,
} from "../machines/operation.ts";

/** Part of a checkpoint. */
export interface NotedDigest {
  readonly number: number;
  readonly digest: number;
}

export class DigestCheck {
  noted: NotedDigest = { number: 0, digest: 0 };

  /** Whether it is time for the next one. */
  isDue(number: number): boolean {
    return number - this.noted.number >= limits.digestEveryOperations;
  }

  encode(writer: OperationWriter): void {
    writer.begin(operationCodes.digest, undefined);
    writer.f64(this.noted.number);
    writer.f64(this.noted.digest);
    writer.end();
  }

  /** Throws TrubaError DATADAMAGED when this copy's state was another one than the leader's. */
  apply(reader: OperationReader, number: number, digest: number): void {
    const expected: NotedDigest = { number: reader.f64(), digest: reader.f64() };
    if (expected.number === this.noted.number && expected.digest !== this.noted.digest) {
      throw new TrubaError(
        "DATADAMAGED",
        `the state after operation ${expected.number} has digest ${this.noted.digest}; the leader had ${expected.digest}`,
      );
    }
    this.noted = { number, digest };
  }
}
