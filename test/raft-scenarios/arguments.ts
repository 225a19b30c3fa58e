/** The arguments of a command: words that stand alone (`1`, `prop_1`), and keys with values (`drop=(1,2)`). */
import type { ReplicaId } from "../../src/raft/vocabulary.ts";
import type { Argument } from "./datadriven.ts";
import { ScenarioError } from "./transcript.ts";

export class Arguments {
  /** As they stand. */
  readonly all: readonly Argument[];

  constructor(all: readonly Argument[]) {
    this.all = all;
  }

  /** The words that stand alone. */
  get words(): readonly string[] {
    return this.all.filter(({ values }) => values.length === 0).map(({ key }) => key);
  }

  /** The words that stand alone, as numbers of copies. */
  get ids(): readonly ReplicaId[] {
    return this.words.map((word) => toCount(word));
  }

  /** The word at `position` among those that stand alone, from 0. */
  word(position: number): string {
    const word = this.words[position];
    if (word === undefined) throw new ScenarioError(`argument ${position + 1} is missing`);
    return word;
  }

  count(position: number): number {
    return toCount(this.word(position));
  }

  values(key: string): readonly string[] {
    return this.all.filter((argument) => argument.key === key).flatMap(({ values }) => values);
  }

  value(key: string): string | undefined {
    return this.values(key).at(-1);
  }

  counts(key: string): readonly number[] {
    return this.values(key).map(toCount);
  }

  /** `fallback` when the key is not there; an error when neither is. */
  countOf(key: string, fallback?: number): number {
    const value = this.value(key);
    if (value !== undefined) return toCount(value);
    if (fallback === undefined) throw new ScenarioError(`argument ${key}= is missing`);
    return fallback;
  }

  flag(key: string): boolean {
    const value = this.value(key) ?? "false";
    if (/^(1|t|T|true|TRUE|True)$/.test(value)) return true;
    if (/^(0|f|F|false|FALSE|False)$/.test(value)) return false;
    throw new ScenarioError(`strconv.ParseBool: parsing "${value}": invalid syntax`);
  }
}

export function toCount(text: string): number {
  const count = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(count)) {
    throw new ScenarioError(`strconv.ParseUint: parsing "${text}": invalid syntax`);
  }
  return count;
}
