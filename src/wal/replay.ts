/** Rebuilds what the log knows of its groups from accepted batches, and sees what is missing although every batch is whole. */
import { must } from "../base/assert.ts";
import type { ScannedRecord } from "./batch-reader.ts";
import { kindName, kinds } from "./format.ts";
import { GroupLog } from "./group.ts";
import type { Found } from "./recovery-table.ts";

/** Something that the groups' records show to be wrong. */
export interface ReplayProblem {
  readonly found: Found;
  readonly offset: number;
  readonly detail: string;
}

export class Replay {
  readonly groups = new Map<number, GroupLog>();
  /** Records of groups that were replayed. */
  records = 0;

  group(id: number): GroupLog {
    let group = this.groups.get(id);
    if (group === undefined) {
      group = new GroupLog(id);
      this.groups.set(id, group);
    }
    return group;
  }

  /**
   * Takes over one batch. `establish`: it is the first of the oldest segment, so what it states again is the first that we hear of it.
   */
  apply(
    segment: number,
    records: readonly ScannedRecord[],
    establish: boolean,
  ): ReplayProblem | undefined {
    for (const record of records) {
      if (record.kind === kinds.link || record.kind === kinds.pad) continue;
      this.records += 1;
      const problem = this.#applyRecord(segment, record, establish);
      if (problem !== undefined) return problem;
    }
    return undefined;
  }

  #applyRecord(
    segment: number,
    record: ScannedRecord,
    establish: boolean,
  ): ReplayProblem | undefined {
    const group = this.group(record.group);
    const { kind, index, term, offset } = record;
    if (kind === kinds.entry) {
      if (index > group.lastIndex + 1 || index <= group.trimmedTo.index) {
        const detail = `group ${group.id} has entries up to index ${group.lastIndex}, is trimmed up to ${group.trimmedTo.index}, and the next is index ${index}, term ${term}`;
        return { found: "entryGap", offset, detail };
      }
      group.applyEntry(index, term, segment, offset);
      return undefined;
    }
    const body = must(record.body);
    if (record.restated) {
      if (establish) group.establish(kind, index, term, body);
      else if (!group.agrees(kind, index, term, body))
        return { found: "contradiction", offset, detail: `${describe(record)}, is not so` };
      return undefined;
    }
    if (kind === kinds.trim && index > group.lastIndex)
      return { found: "contradiction", offset, detail: `${describe(record)}, is above the last` };
    group.apply(kind, index, term, body);
    return undefined;
  }

  /** After the last batch: whether every entry that is still needed is there. */
  finish(): ReplayProblem | undefined {
    for (const group of this.groups.values()) {
      const { first } = group.entries;
      if (first === group.firstIndex) continue;
      const detail = `group ${group.id} needs the entries from index ${group.firstIndex} on, up to ${group.lastIndex}, and those up to ${first - 1} are not there`;
      return { found: "entriesMissing", offset: 0, detail };
    }
    return undefined;
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
