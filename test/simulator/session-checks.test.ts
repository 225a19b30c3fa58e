/** The checkers of sessions against histories written by hand: nothing is found in good ones, and what is wrong in bad ones is named. */
import type { StateCall } from "../../simulator/cluster/state-call.ts";
import type { Outcome } from "../../src/machines/outcome.ts";
import type { AnyRequest } from "../../src/protocol/requests.ts";
import {
  StateStory,
  given,
  id,
  payload,
  push,
  pushed,
  q,
  refused,
  session,
  setMarker,
  tellStories,
} from "./state-story.ts";

const open = (stamp: number): AnyRequest => ({
  verb: "session.new",
  request: { kind: "kind", data: payload(stamp), tag: "t" },
});
const append = (number: number, epoch: number, stamp: number): AnyRequest => ({
  verb: "session.append",
  request: { session: id(number), epoch, data: payload(stamp) },
});
const replace = (number: number, epoch: number, stamp: number): AnyRequest => ({
  verb: "session.replace",
  request: { session: id(number), epoch, data: payload(stamp) },
});
const touch = (number: number, epoch: number): AnyRequest => ({
  verb: "session.touch",
  request: { session: id(number), epoch },
});
const store = (number: number, epoch: number, afterMs?: number): AnyRequest => ({
  verb: "session.store",
  request: { session: id(number), epoch, ...(afterMs === undefined ? {} : { afterMs }) },
});
const remove = (number: number, epoch: number): AnyRequest => ({
  verb: "session.delete",
  request: { session: id(number), epoch },
});
const take = (count = 1): AnyRequest => ({
  verb: "session.take",
  request: { kinds: ["kind"], count },
});
const everywhere: Partial<StateCall> = { partition: -1 };

const fenced = refused("FENCED", "");
const appended = (number: number, epoch: number, recordsCount: number, dueAtMs = 0): Outcome =>
  session("appended", number, epoch, { recordsCount, dueAtMs });
const stored = (number: number, byOperation: number, dueAtMs: number): Outcome =>
  session("stored", number, byOperation, { dueAtMs });
const deleted = (number: number, epoch: number): Outcome => session("deleted", number, epoch);
const dead = (number: number, byOperation: number): Outcome => session("dead", number, byOperation);

/** Session 1 with record 1, opened by operation 1. */
const one = (): StateStory => new StateStory().did(open(1), session("created", 1, 1));
/** And put off by operation 2, until 1,000. */
const away = (): StateStory => one().did(store(1, 1), stored(1, 2, 1_000));

const good: readonly (readonly [string, StateStory])[] = [
  [
    "a session that is written, put off, taken and deleted",
    one()
      .did(append(1, 1, 2), appended(1, 1, 2))
      .did(store(1, 1), stored(1, 3, 1_000))
      .did(take(), given(10, [1, 1, 1, 2]), everywhere)
      .did(replace(1, 10, 3), session("replaced", 1, 10))
      .did(append(1, 10, 4), appended(1, 10, 2))
      .did(store(1, 10), stored(1, 13, 2_000))
      .did(take(), given(20, [1, 2, 3, 4]), everywhere)
      .did(remove(1, 20), deleted(1, 20)),
  ],
  [
    "an owner that is silent, and fenced when it comes back",
    one()
      .did(take(), given(20, [1, 1, 1]), everywhere)
      .did(append(1, 1, 2), fenced)
      .did(remove(1, 20), deleted(1, 20)),
  ],
  [
    "an owner whose connection ends",
    one()
      .leaves()
      .did(take(), given(3, [1, 1, 1]), everywhere)
      .did(remove(1, 3), deleted(1, 3)),
  ],
  [
    "appends of which nobody knows: one was done, one was not",
    one()
      .lost(append(1, 1, 2))
      .lost(append(1, 1, 3))
      .did(append(1, 1, 4), appended(1, 1, 3))
      .did(store(1, 1), stored(1, 5, 1_000))
      .did(take(), given(20, [1, 1, 1, 3, 4]), everywhere)
      .did(remove(1, 20), deleted(1, 20)),
  ],
  [
    "an opening of which only a take tells",
    new StateStory()
      .lost(open(1))
      .did(take(), given(20, [1, 1, 1]), everywhere)
      .did(remove(1, 20), deleted(1, 20)),
  ],
  [
    "an opening of which nobody hears again",
    new StateStory().lost(open(1)).did(take(), given(0), everywhere),
  ],
  [
    "a take of which nobody knows",
    away()
      .lost(take())
      .did(take(), given(40, [1, 2, 1]), everywhere)
      .did(remove(1, 40), deleted(1, 40)),
  ],
  [
    "dead after the last repeat",
    away()
      .did(take(), given(10, [1, 1, 1]), everywhere)
      .did(store(1, 10), stored(1, 11, 2_000))
      .did(take(), given(20, [1, 2, 1]), everywhere)
      .did(store(1, 20), dead(1, 21))
      .did(append(1, 20, 2), refused("REPEATLIMIT", ""))
      .leftSession(1, "dead", 2, 1),
  ],
  [
    "dead, revived, and counted anew",
    away()
      .did(take(), given(10, [1, 1, 1]), everywhere)
      .did(store(1, 10), stored(1, 11, 2_000))
      .did(take(), given(20, [1, 2, 1]), everywhere)
      .did(store(1, 20), dead(1, 21))
      .did({ verb: "session.revive", request: { session: id(1) } }, stored(1, 22, 2_200))
      .did(take(), given(23, [1, 1, 1]), everywhere)
      .did(remove(1, 23), deleted(1, 23)),
  ],
  [
    "several that are due in one second, in the order in which they were put off",
    one()
      .did(open(2), session("created", 2, 2))
      .did(store(2, 2), stored(2, 3, 1_000))
      .did(store(1, 1), stored(1, 4, 1_000))
      .did(take(), given(10, [2, 1, 2]), everywhere)
      .did(take(), given(11, [1, 1, 1]), everywhere)
      .did(remove(1, 11), deleted(1, 11))
      .did(remove(2, 10), deleted(2, 10)),
  ],
  [
    "records that would be too long",
    one()
      .did(append(1, 1, 2), refused("SESSIONTOOLONG", ""))
      .did(remove(1, 1), deleted(1, 1)),
  ],
  [
    "a group that appends, pushes and writes a record, of which nobody knows until a take",
    one()
      .lostGroup(append(1, 1, 2), push(q, 11), setMarker(21))
      .did(store(1, 1), stored(1, 6, 2_000))
      .did(take(), given(20, [1, 1, 1, 2]), everywhere)
      .did(remove(1, 20), deleted(1, 20))
      .leftTask(q, 4, 11, "waiting")
      .leftMarker(5, 21),
  ],
];

const bad: readonly (readonly [string, StateStory, RegExp])[] = [
  ["a session that is gone", one(), /P4: orphan: session/],
  ["a session that is gone after a store", away(), /P4: orphan: session/],
  [
    "a deleted session that comes back",
    one()
      .did(remove(1, 1), deleted(1, 1))
      .did(take(), given(20, [1, 1, 1]), everywhere)
      .did(remove(1, 20), deleted(1, 20)),
    /P4: deleted, and back/,
  ],
  [
    "a deleted session that is there at the end",
    one().did(remove(1, 1), deleted(1, 1)).leftSession(1, "stored", 0, 1),
    /P4: deleted, and back/,
  ],
  [
    "a session that comes early",
    away()
      .did(take(), given(9, [1, 1, 1]), everywhere)
      .did(remove(1, 9), deleted(1, 9)),
    /P4: early/,
  ],
  [
    "a delay that is too short",
    one()
      .did(store(1, 1), stored(1, 6, 1_000))
      .leftSession(1, "stored", 0, 1),
    /P4: .* it must be a whole second/,
  ],
  [
    "a time that is no whole second",
    one()
      .did(store(1, 1), stored(1, 2, 1_100))
      .leftSession(1, "stored", 0, 1),
    /P4: .* it must be a whole second/,
  ],
  [
    "a session with a live owner, given to another",
    one()
      .did(take(), given(9, [1, 1, 1]), everywhere)
      .did(remove(1, 9), deleted(1, 9)),
    /P4: two owners/,
  ],
  [
    "a session whose owner has just told that it lives, given to another",
    one()
      .did(touch(1, 1), session("touched", 1, 1, { dueAtMs: 1_900 }))
      .did(take(), given(17, [1, 1, 1]), everywhere)
      .did(remove(1, 17), deleted(1, 17)),
    /P4: two owners/,
  ],
  [
    "one epoch given twice",
    away()
      .did(take(), given(10, [1, 1, 1]), everywhere)
      .did(take(), given(10, [1, 2, 1]), everywhere)
      .did(remove(1, 10), deleted(1, 10)),
    /P4: two owners|P2/,
  ],
  [
    "a write of an old owner that is done",
    away()
      .did(take(), given(10, [1, 1, 1]), everywhere)
      .did(append(1, 1, 2), appended(1, 1, 2))
      .leftSession(1, "active", 1, 1, 2),
    /P4: not fenced/,
  ],
  [
    "a write after its own store",
    away()
      .did(touch(1, 1), session("touched", 1, 1))
      .leftSession(1, "stored", 0, 1),
    /P4: not fenced/,
  ],
  [
    "two stores with one epoch",
    away()
      .meanwhile(store(1, 1), stored(1, 3, 1_000))
      .leftSession(1, "stored", 0, 1),
    /P4: .* given up twice/,
  ],
  [
    "an owner that is refused though nobody else has come",
    one()
      .did(append(1, 1, 2), fenced)
      .did(push(q, 3), pushed(4))
      .leftSession(1, "active", 0, 1)
      .leftTask(q, 4, 3, "waiting"),
    /P4: .* a write with it was refused/,
  ],
  [
    "repeats that are not counted",
    away()
      .did(take(), given(10, [1, 1, 1]), everywhere)
      .did(store(1, 10), stored(1, 11, 2_000))
      .did(take(), given(20, [1, 1, 1]), everywhere)
      .did(remove(1, 20), deleted(1, 20)),
    /P4: .* as repeat 1/,
  ],
  [
    "more repeats than the kind allows",
    away()
      .did(take(), given(10, [1, 1, 1]), everywhere)
      .did(store(1, 10), stored(1, 11, 2_000))
      .did(take(), given(20, [1, 2, 1]), everywhere)
      .did(store(1, 20), stored(1, 21, 3_000))
      .leftSession(1, "stored", 2, 1),
    /P4: .* is stored after it was put off/,
  ],
  [
    "dead before its last repeat",
    one().did(store(1, 1), dead(1, 2)).leftSession(1, "dead", 0, 1),
    /P4: .* is dead after it was put off/,
  ],
  [
    "dead, and back",
    away()
      .lost(take())
      .did(take(), given(10, [1, 2, 1]), everywhere)
      .did(store(1, 10), dead(1, 11))
      .leftSession(1, "stored", 2, 1)
      .did(take(), given(20, [1, 3, 1]), everywhere),
    /P4: .* as repeat 3|P4: dead, and back/,
  ],
  [
    "an acknowledged record that is missing",
    one()
      .did(append(1, 1, 2), appended(1, 1, 2))
      .did(store(1, 1), stored(1, 3, 1_000))
      .did(take(), given(10, [1, 1, 1]), everywhere)
      .did(remove(1, 10), deleted(1, 10)),
    /P4: records .* #2 is missing/,
  ],
  [
    "records in another order",
    one()
      .did(append(1, 1, 2), appended(1, 1, 2))
      .did(append(1, 1, 3), appended(1, 1, 3))
      .leftSession(1, "active", 0, 1, 3, 2),
    /P4: records .* is record 2|P4: records .* was written before/,
  ],
  [
    "a record that stands there twice",
    one()
      .did(append(1, 1, 2), appended(1, 1, 2))
      .leftSession(1, "active", 0, 1, 2, 2),
    /P4: records .* twice/,
  ],
  ["a record that nobody wrote", one().leftSession(1, "active", 0, 1, 9), /P1: phantom/],
  [
    "a record that was refused",
    one()
      .did(append(1, 1, 2), refused("SESSIONTOOLONG", ""))
      .leftSession(1, "active", 0, 1, 2),
    /P1: phantom/,
  ],
  [
    "a record of an unknown outcome that comes in later, with an old epoch",
    one()
      .lost(append(1, 1, 2))
      .did(store(1, 1), stored(1, 4, 1_000))
      .did(take(), given(10, [1, 1, 1]), everywhere)
      .leftSession(1, "active", 1, 1, 2),
    /P4: records .* nobody can have appended #2/,
  ],
  [
    "what was replaced is still there",
    one()
      .did(replace(1, 1, 2), session("replaced", 1, 1))
      .leftSession(1, "active", 0, 1, 2),
    /P4: records/,
  ],
  [
    "a count of records that was told wrong",
    one()
      .did(append(1, 1, 2), appended(1, 1, 3))
      .leftSession(1, "active", 0, 1, 2),
    /P4: records .* was told 3/,
  ],
  [
    "due in one second, in the wrong order",
    one()
      .did(open(2), session("created", 2, 2))
      .did(store(2, 2), stored(2, 3, 1_000))
      .did(store(1, 1), stored(1, 4, 1_000))
      .did(take(), given(10, [1, 1, 1]), everywhere)
      .did(take(), given(11, [2, 1, 2]), everywhere)
      .did(remove(1, 10), deleted(1, 10))
      .did(remove(2, 11), deleted(2, 11)),
    /start order/,
  ],
  [
    "one take in the wrong order",
    one()
      .did(open(2), session("created", 2, 2))
      .did(store(2, 2), stored(2, 3, 1_000))
      .did(store(1, 1), stored(1, 4, 1_000))
      .did(take(2), given(10, [1, 1, 1], [2, 1, 2]), everywhere)
      .did(remove(1, 10), deleted(1, 10))
      .did(remove(2, 10), deleted(2, 10)),
    /start order/,
  ],
  [
    "one session for two openings",
    one()
      .did(open(2), session("created", 1, 1))
      .did(remove(1, 1), deleted(1, 1)),
    /P3: one session for two|P2/,
  ],
  [
    "half a group: nobody knows, the record is there and the append is not",
    one()
      .lostGroup(append(1, 1, 2), setMarker(21))
      .leftSession(1, "active", 0, 1)
      .leftMarker(4, 21),
    /half group/,
  ],
  [
    "half a group: aborted, and its append is there",
    one()
      .aborted(1, append(1, 1, 2), setMarker(21))
      .leftSession(1, "active", 0, 1, 2),
    /half group/,
  ],
];

tellStories("the checkers of sessions", good, bad);
