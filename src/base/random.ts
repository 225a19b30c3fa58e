/** Randomness. The real one is `SystemRandom`; tests and the simulator use `SeededRandom`, so that a run can be repeated. */
export interface Random {
  /** A whole number from 0 to 2^32 - 1, each as likely as any other. */
  u32(): number;
}

/** A whole number from 0 to `below - 1`; `below` is at most 2^32. */
export function randomBelow(random: Random, below: number): number {
  return Math.floor((random.u32() / 0x1_0000_0000) * below);
}

/** A whole number from 0 to 2^53 - 1. */
export function randomSafeInteger(random: Random): number {
  return (random.u32() >>> 11) * 0x1_0000_0000 + random.u32();
}

/** `true` with the given probability, 0 to 1. */
export function chance(random: Random, probability: number): boolean {
  return random.u32() < probability * 0x1_0000_0000;
}

/** `bytes` random bytes as lowercase hexadecimal. */
export function randomHex(random: Random, bytes: number): string {
  let text = "";
  for (let i = 0; i < bytes; i++) text += (random.u32() & 0xff).toString(16).padStart(2, "0");
  return text;
}
