/** The checkers of queues against histories written by hand: greatest sizes, dedup and request ids, numbers, atomic groups. */
import {
  StateStory,
  ack,
  buried,
  duplicate,
  numberMs,
  nack,
  of,
  pop,
  push,
  pushed,
  q,
  refused,
  setMarker,
  settled,
  small,
  tasks,
  tellStories,
  two,
} from "./state-story.ts";

const full = refused("QUEUEFULL", "");

const good: readonly (readonly [string, StateStory])[] = [
  [
    "a queue that is full, and has room again",
    two(small)
      .did(push(small, 3), full)
      .did(pop(small), tasks(4, { task: 1, stamp: 1 }))
      .did(ack(small, of(1, 4)), settled())
      .did(push(small, 4), pushed(6))
      .leftTask(small, 2, 2, "waiting")
      .leftTask(small, 6, 4, "waiting"),
  ],
  [
    "a duplicate, and the same id when it is forgotten",
    new StateStory()
      .did(push(small, 1, { dedup: "d" }), pushed(1))
      .did(push(small, 2, { dedup: "d" }), duplicate(1))
      .did(pop(small), tasks(3, { task: 1, stamp: 1 }))
      .did(ack(small, of(1, 3)), settled())
      .did(push(small, 3, { dedup: "d" }), pushed(12))
      .did(pop(small), tasks(13, { task: 12, stamp: 3 }))
      .did(ack(small, of(12, 13)), settled()),
  ],
  [
    "groups: done, not done, and of which nobody knows until the end",
    two(q)
      .did(push(q, 3), pushed(3))
      .did(
        pop(q, { count: 3 }),
        tasks(4, { task: 1, stamp: 1 }, { task: 2, stamp: 2 }, { task: 3, stamp: 3 }),
      )
      .group(
        [ack(q, of(1, 4)), push(q, 11), setMarker(21)],
        [settled(), pushed(7), { kind: "record", status: "created", version: 8 }],
      )
      .aborted(1, push(q, 12), ack(q, of(1, 4)))
      .lostGroup(ack(q, of(2, 4)), push(q, 13), setMarker(23))
      .lostGroup(ack(q, of(3, 4)), push(q, 14), setMarker(24))
      .leftTask(q, 3, 3, "waiting", 1)
      .leftTask(q, 7, 11, "waiting")
      .leftTask(q, 12, 13, "waiting")
      .leftMarker(13, 23),
  ],
];

const swept: readonly (readonly [string, StateStory])[] = [
  [
    "tasks that are gone because their queue was purged, perhaps",
    two(q).lost({ verb: "queue.purge", request: { queue: q } }),
  ],
  [
    "a dead task that is revived, and counted anew",
    new StateStory()
      .did(push(buried, 1), pushed(1))
      .did(pop(buried), tasks(2, { task: 1, stamp: 1 }))
      .did(nack(buried, of(1, 2)), settled())
      .did({ verb: "queue.revive", request: { queue: buried } }, { kind: "count", count: 1 })
      .did(pop(buried), tasks(5, { task: 1, stamp: 1 }))
      .leftTask(buried, 1, 1, "dead", 1),
  ],
];

const bad: readonly (readonly [string, StateStory, RegExp])[] = [
  [
    "a queue above its size",
    two(small)
      .did(push(small, 3), pushed(3))
      .leftTask(small, 1, 1, "waiting")
      .leftTask(small, 2, 2, "waiting")
      .leftTask(small, 3, 3, "waiting"),
    /P8: .* takes 2 tasks, and had 3/,
  ],
  [
    "a queue that is full without being so",
    new StateStory()
      .did(push(small, 1), pushed(1))
      .did(push(small, 2), full)
      .leftTask(small, 1, 1, "waiting"),
    /P4: .* a push was refused/,
  ],
  [
    "one dedup id taken twice",
    new StateStory()
      .did(push(small, 1, { dedup: "d" }), pushed(1))
      .did(push(small, 2, { dedup: "d" }), pushed(2))
      .did(pop(small, { count: 2 }), tasks(3, { task: 1, stamp: 1 }, { task: 2, stamp: 2 }))
      .did(ack(small, of(1, 3), of(2, 3)), settled(2)),
    /P3: dedup id d/,
  ],
  [
    "a duplicate that is there",
    new StateStory()
      .did(push(small, 1, { dedup: "d" }), pushed(1))
      .did(push(small, 2, { dedup: "d" }), duplicate(1))
      .leftTask(small, 1, 1, "waiting")
      .leftTask(small, 2, 2, "waiting"),
    /P3: .* was a duplicate/,
  ],
  [
    "numbers that go back in time",
    new StateStory()
      .did(push(q, 1), pushed(5))
      .did(push(q, 2), pushed(4))
      .leftTask(q, 5, 1, "waiting")
      .leftTask(q, 4, 2, "waiting"),
    /P2: .* has number 4/,
  ],
  [
    "a log time that does not fit its number",
    new StateStory()
      .did(push(q, 1), pushed(1))
      .did(pop(q), tasks(3, { task: 1, stamp: 1, leaseEndsAtMs: 7 * numberMs + 1_000 }))
      .leftTask(q, 1, 1, "leased", 1),
    /log time/,
  ],
  [
    "two answers to one request (P3)",
    new StateStory().did(push(q, 1), pushed(1), {
      requestId: "r",
      answers: [
        { outcome: pushed(1), moment: 2 },
        { outcome: pushed(4), moment: 3 },
      ],
    }),
    /P3: two answers/,
  ],
  [
    "half a group: aborted, and its push is there",
    two(q)
      .did(pop(q), tasks(3, { task: 1, stamp: 1 }))
      .aborted(1, push(q, 11), ack(q, of(1, 9)))
      .leftTask(q, 1, 1, "waiting", 1)
      .leftTask(q, 2, 2, "waiting")
      .leftTask(q, 5, 11, "waiting"),
    /half group/,
  ],
  [
    "half a group: nobody knows, the push is there and the acknowledged task too",
    two(q)
      .did(pop(q), tasks(3, { task: 1, stamp: 1 }))
      .lostGroup(ack(q, of(1, 3)), push(q, 11))
      .leftTask(q, 1, 1, "waiting", 1)
      .leftTask(q, 2, 2, "waiting")
      .leftTask(q, 5, 11, "waiting"),
    /half group/,
  ],
  [
    "half a group: nobody knows, the task is gone and the push too",
    two(q)
      .did(pop(q), tasks(3, { task: 1, stamp: 1 }))
      .lostGroup(ack(q, of(1, 3)), push(q, 11))
      .leftTask(q, 2, 2, "waiting"),
    /P4: orphan: #11/,
  ],
  [
    "half a group: aborted, and its record is there",
    two(q)
      .aborted(0, ack(q, of(1, 9)), setMarker(21))
      .leftTask(q, 1, 1, "waiting")
      .leftTask(q, 2, 2, "waiting")
      .leftMarker(4, 21),
    /half group/,
  ],
  [
    "revived without a revival: counted anew",
    new StateStory()
      .did(push(buried, 1), pushed(1))
      .did(pop(buried), tasks(2, { task: 1, stamp: 1 }))
      .did(nack(buried, of(1, 2)), settled())
      .did(pop(buried), tasks(5, { task: 1, stamp: 1 }))
      .leftTask(buried, 1, 1, "dead", 1),
    /P4: .* was handed out as delivery 1/,
  ],
  [
    "a record of a group that is lost",
    new StateStory()
      .group(
        [push(q, 1), setMarker(21)],
        [pushed(2), { kind: "record", status: "created", version: 3 }],
      )
      .leftTask(q, 2, 1, "waiting"),
    /P1: lost update/,
  ],
];

tellStories("the checkers of queues: sizes, ids, numbers and groups", [...good, ...swept], bad);
