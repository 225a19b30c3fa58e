/**
 * Kinds of sessions as the configuration names them. A kind is known by its number for ever; its name may change.
 */
import { limits } from "../../base/limits.ts";
import { shown } from "../../base/shown-value.ts";

/** Greatest number of a kind: 32 bits, as a kind of mpy6a has. */
export const kindNumberMax = 0xffff_ffff;

export interface KindSettings {
  /** 1 to 64 characters of printable ASCII (33 to 126) without commas. */
  readonly name: string;
  /** 0 to 4,294,967,295; no other kind's. Sessions remember it. */
  readonly number: number;
  /** How long a session is put off unless whoever puts it off says otherwise, in ms. */
  readonly delayMs: number;
  /** To that delay a random time from 0 to this is added, in ms, so that what failed together does not come back together. */
  readonly spreadMs: number;
  /** Deliveries after which a session that is put off again is dead; 0 = never. */
  readonly maxRepeats: number;
  /** Bytes of all records of one session, at most. */
  readonly maxBytes: number;
  /** How long its owner may be silent before an active session counts as hung, in ms. */
  readonly silenceMs: number;
}

/** What a kind has unless the configuration says otherwise. */
export const kindDefaults = {
  delayMs: limits.repeatDelayDefaultMs,
  spreadMs: limits.repeatSpreadDefaultMs,
  maxRepeats: limits.repeatsDefaultCount,
  maxBytes: limits.sessionDefaultBytes,
  silenceMs: limits.silenceDefaultMs,
} as const satisfies Omit<KindSettings, "name" | "number">;

const nameForm = /^[\x21-\x2b\x2d-\x7e]+$/;

/** Whether a text can be the name of a kind. */
export function isKindName(name: unknown): name is string {
  return typeof name === "string" && name.length <= limits.kindNameMaxBytes && nameForm.test(name);
}

/** What is wrong with a kind. */
export interface KindProblem {
  /** Its name; "" where all kinds together are wrong. */
  readonly kind: string;
  readonly field: keyof KindSettings | "";
  readonly text: string;
}

const ranges: readonly (readonly [keyof typeof kindDefaults | "number", number, number])[] = [
  ["number", 0, kindNumberMax],
  ["delayMs", 0, limits.delayMaxMs],
  ["spreadMs", 0, limits.delayMaxMs],
  ["maxRepeats", 0, limits.deliveriesMaxCount],
  ["maxBytes", 0, limits.sessionMaxBytes],
  ["silenceMs", limits.silenceMinMs, limits.delayMaxMs],
];

/** All problems of a configuration's kinds; none if it can be used. */
export function checkKinds(kinds: readonly KindSettings[]): KindProblem[] {
  const problems: KindProblem[] = [];
  if (kinds.length > limits.kindsMaxCount) {
    const text = `there are ${kinds.length} kinds of sessions; the limit is ${limits.kindsMaxCount}`;
    problems.push({ kind: "", field: "", text });
  }
  const byNumber = new Map<number, string>();
  const names = new Set<string>();
  for (const kind of kinds) {
    const { name, number } = kind;
    if (!isKindName(name)) {
      const text = `the name of a kind is ${shown(name)}; it must be 1 to ${limits.kindNameMaxBytes} characters of printable ASCII without blanks and commas`;
      problems.push({ kind: name, field: "name", text });
    }
    if (names.has(name))
      problems.push({ kind: name, field: "name", text: `there are two kinds named ${name}` });
    names.add(name);
    for (const [field, min, max] of ranges) {
      const value = kind[field];
      if (Number.isSafeInteger(value) && value >= min && value <= max) continue;
      const text = `${field} of kind ${name} is ${value}; it must be a whole number from ${min} to ${max}`;
      problems.push({ kind: name, field, text });
    }
    const other = byNumber.get(number);
    if (other !== undefined && other !== name)
      problems.push({
        kind: name,
        field: "number",
        text: `kinds ${other} and ${name} both have number ${number}`,
      });
    byNumber.set(number, name);
  }
  return problems;
}
