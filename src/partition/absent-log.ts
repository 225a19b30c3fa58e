/**
 * The log of a partition of which this node has no full copy: it leads nowhere, gives nothing and takes nothing. A partition over it is empty and refuses
 * every operation with NOTLEADER, so that whoever works through all partitions of a node needs no special case.
 */
import { TrubaError } from "../base/errors.ts";
import type { Entry, LogStatus, Position, SharedLog } from "../log/shared-log.ts";

export class AbsentLog implements SharedLog {
  append(): Promise<Position> {
    return Promise.reject(noCopy());
  }

  readFrom(): void {}

  committed(): readonly Entry[] {
    return [];
  }

  barrier(): Promise<Position> {
    return Promise.reject(noCopy());
  }

  trim(): void {}

  resetTo(): Promise<void> {
    return Promise.reject(new TrubaError("STOPPED", "this node has no copy of the partition"));
  }

  status(): LogStatus {
    return {
      role: "follower",
      leader: undefined,
      term: 0,
      first: 1,
      last: 0,
      committed: 0,
      token: new Uint8Array(0),
    };
  }

  readonly leadingTerm = 0;

  onChange(): void {}
}

function noCopy(): TrubaError {
  return new TrubaError("NOTLEADER", "this node has no copy of the partition");
}
