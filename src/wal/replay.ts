/**
 * Rebuilds what the log knows of its groups from accepted batches, and sees what is missing although every batch is whole.
 *
 * Where damage is to retire the groups that it concerns, those are marked and go on with what is known of their votes, until a record says that the
 * damaged copy was removed: what comes after that is a new one's.
 */
import { must } from "../base/assert.ts";
import type { ScannedRecord } from "./batch-reader.ts";
import { kindName, kinds } from "./format.ts";
import { GroupLog } from "./group.ts";
import type { Found } from "./recovery-table.ts";

/** Something that the groups' records show to be wrong. */
export interface ReplayProblem {
  readonly found: Found;
  readonly group: number;
  readonly offset: number;
  readonly detail: string;
}

/** Where a batch stands. */
export interface ReplayPlace {
  readonly segment: number;
  /** It is the first of the oldest segment, so what it states again is the first that we hear of it. */
  readonly establish: boolean;
}

export class Replay {
  readonly groups = new Map<number, GroupLog>();
  /** Records of groups that were replayed. */
  records = 0;
  /** Why a group of which nothing is known may nevertheless have lost records. */
  lost: string | undefined;
  readonly #retires: boolean;

  /** `onDamage`: whether the first problem ends the replay, or marks its group. */
  constructor(onDamage: "refuse" | "retire" = "refuse") {
    this.#retires = onDamage === "retire";
  }

  group(id: number): GroupLog {
    let group = this.groups.get(id);
    if (group === undefined) {
      group = new GroupLog(id);
      group.damage = this.lost;
      this.groups.set(id, group);
    }
    return group;
  }

  /** Takes over one batch. Returns what is wrong with it: at most one problem of each group, and at most one at all if that ends the replay. */
  apply(place: ReplayPlace, records: readonly ScannedRecord[]): readonly ReplayProblem[] {
    const problems: ReplayProblem[] = [];
    for (const record of records) {
      if (record.kind === kinds.link || record.kind === kinds.pad) continue;
      this.records += 1;
      const group = this.group(record.group);
      if (group.damage !== undefined) {
        group.applyDamaged(record.kind, record.index, record.term, record.restated, record.body);
        continue;
      }
      const problem = this.#applyRecord(group, place, record);
      if (problem === undefined) continue;
      problems.push(problem);
      if (!this.#retires) break;
      group.damage = problem.detail;
      group.applyDamaged(record.kind, record.index, record.term, record.restated, record.body);
    }
    return problems;
  }

  /** Records that may have been of any group are gone. */
  loseAll(reason: string): void {
    this.lost ??= reason;
    for (const group of this.groups.values()) group.damage ??= reason;
  }

  #applyRecord(
    group: GroupLog,
    { segment, establish }: ReplayPlace,
    record: ScannedRecord,
  ): ReplayProblem | undefined {
    const { kind, index, term, offset } = record;
    const problem = (found: Found, detail: string): ReplayProblem => ({
      found,
      group: group.id,
      offset,
      detail,
    });
    if (record.damaged) {
      // What is only stated again is known already.
      if (record.restated && !establish) return undefined;
      return problem("commit", `${describe(record)}, at offset ${offset}, is damaged`);
    }
    if (kind === kinds.entry) {
      if (index > group.lastIndex + 1 || index <= group.trimmedTo.index) {
        const detail = `group ${group.id} has entries up to index ${group.lastIndex}, is trimmed up to ${group.trimmedTo.index}, and the next is index ${index}, term ${term}`;
        return problem("entryGap", detail);
      }
      const least = group.leastTerm(index);
      if (term < least)
        return problem("contradiction", `${describe(record)}, follows an entry of term ${least}`);
      group.applyEntry(index, term, segment, offset);
      return undefined;
    }
    const body = must(record.body);
    if (record.restated) {
      if (establish) group.establish(kind, index, term, body);
      else if (!group.agrees(kind, index, term, body))
        return problem("contradiction", `${describe(record)}, is not so`);
      return undefined;
    }
    if (kind === kinds.trim && index > group.lastIndex)
      return problem("contradiction", `${describe(record)}, is above the last`);
    const known = kind === kinds.trim ? group.termAt(index) : undefined;
    if (known !== undefined && known !== term)
      return problem("contradiction", `${describe(record)}, is of an entry of term ${known}`);
    group.apply(kind, index, term, body);
    return undefined;
  }

  /** After the last batch, at the log's end: whether every entry that is still needed is there. Marks the groups of which some are not, if that is what is wanted. */
  finish(offset: number): readonly ReplayProblem[] {
    const problems: ReplayProblem[] = [];
    for (const group of this.groups.values()) {
      const { first } = group.entries;
      if (group.damage !== undefined || first === group.firstIndex) continue;
      const detail = `group ${group.id} needs the entries from index ${group.firstIndex} on, up to ${group.lastIndex}, and those up to ${first - 1} are not there`;
      problems.push({ found: "entriesMissing", group: group.id, offset, detail });
      if (this.#retires) group.damage = detail;
    }
    return problems;
  }
}

/** A record in words, for messages. */
export function describe(record: {
  readonly kind: number;
  readonly group: number;
  readonly index: number;
  readonly term: number;
}): string {
  return `${kindName(record.kind)} of group ${record.group}, index ${record.index}, term ${record.term}`;
}
