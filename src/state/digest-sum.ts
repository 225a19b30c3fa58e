/** The running sum of the hashes of all live rows of a partition. Commutative, so it does not depend on the order of changes. */
export class DigestSum {
  value = 0;
  /** Bytes of all live rows, headers excluded: what a full checkpoint would hold. */
  liveBytes = 0;

  /** Counts a row in, or out by `sign` -1. `hash` is taken as 32 bits without sign. */
  tally(hash: number, bytes: number, sign: 1 | -1): void {
    const value = this.value + sign * (hash >>> 0);
    this.value =
      value < 0 ? value + digestModulus : value >= digestModulus ? value - digestModulus : value;
    this.liveBytes += sign * bytes;
  }
}

const digestModulus = 2 ** 48;
