/** The checkers of queues against histories written by hand: tasks, their leases, their order and their ends. */
import {
  StateStory,
  ack,
  extend,
  letters,
  mortal,
  nack,
  nothing,
  of,
  pop,
  push,
  pushed,
  q,
  refused,
  settled,
  small,
  tasks,
  tellStories,
  two,
} from "./state-story.ts";

const lost = refused("LEASELOST", "");
const full = refused("QUEUEFULL", "");
const good: readonly (readonly [string, StateStory])[] = [
  [
    "tasks that are pushed, taken in order and acknowledged",
    two(q)
      .did(pop(q, { count: 2 }), tasks(3, { task: 1, stamp: 1 }, { task: 2, stamp: 2 }))
      .did(ack(q, of(1, 3), of(2, 3)), settled(2))
      .did(pop(q), nothing),
  ],
  [
    "a lower priority first, though it was pushed later",
    new StateStory()
      .did(push(q, 1, { priority: 2 }), pushed(1))
      .did(push(q, 2, { priority: 1 }), pushed(2))
      .did(pop(q), tasks(3, { task: 2, stamp: 2, priority: 1 }))
      .did(ack(q, of(2, 3)), settled())
      .leftTask(q, 1, 1, "waiting"),
  ],
  [
    "a lease that is over, and a task that is back at its place",
    two(q)
      .did(pop(q), tasks(3, { task: 1, stamp: 1 }))
      .did(pop(q), tasks(20, { task: 1, stamp: 1, deliveries: 2 }))
      .did(ack(q, of(1, 3)), lost)
      .did(nack(q, of(1, 20)), settled())
      .did(
        pop(q, { count: 2 }),
        tasks(22, { task: 1, stamp: 1, deliveries: 3 }, { task: 2, stamp: 2 }),
      )
      .did(ack(q, of(1, 22), of(2, 22)), settled(2)),
  ],
  [
    "a holder whose connection ends loses its tasks at once",
    two(q)
      .did(pop(q), tasks(3, { task: 1, stamp: 1 }))
      .leaves()
      .did(pop(q), tasks(5, { task: 1, stamp: 1, deliveries: 2 }))
      .leftTask(q, 1, 1, "leased", 2)
      .leftTask(q, 2, 2, "waiting"),
  ],
  [
    "a pop with an unknown outcome may have had the task",
    two(q)
      .lost(pop(q))
      .did(pop(q), tasks(4, { task: 2, stamp: 2 }))
      .did(pop(q), tasks(15, { task: 1, stamp: 1, deliveries: 2 }))
      .did(ack(q, of(2, 4)), lost)
      .leftTask(q, 2, 2, "waiting", 1)
      .leftTask(q, 1, 1, "leased", 2),
  ],
  [
    "an acknowledgement with an unknown outcome",
    two(q)
      .did(pop(q), tasks(3, { task: 1, stamp: 1 }))
      .lost(ack(q, of(1, 3)))
      .leftTask(q, 2, 2, "waiting"),
  ],
  [
    "a delay of a push, and of a task that was given back",
    new StateStory()
      .did(push(q, 1, { delayMs: 500 }), pushed(1))
      .did(pop(q), nothing)
      .did(pop(q), tasks(6, { task: 1, stamp: 1 }))
      .did(nack(q, of(1, 6), { delayMs: 700 }), settled())
      .did(pop(q), tasks(14, { task: 1, stamp: 1, deliveries: 2 }))
      .did(ack(q, of(1, 14)), settled()),
  ],
  [
    "an extension keeps a task",
    two(q)
      .did(pop(q), tasks(3, { task: 1, stamp: 1 }))
      .did(extend(q, of(1, 3)), settled(1, 2_000))
      .did(pop(q), tasks(11, { task: 2, stamp: 2 }))
      .did(pop(q), tasks(20, { task: 1, stamp: 1, deliveries: 2 }))
      .did(ack(q, of(2, 11)), lost)
      .did(ack(q, of(1, 20)), settled())
      .leftTask(q, 2, 2, "waiting", 1),
  ],
  [
    "deliveries that do not count",
    two(q)
      .did(pop(q), tasks(3, { task: 1, stamp: 1 }))
      .did(nack(q, of(1, 3), { uncounted: true }), settled())
      .did(pop(q), tasks(5, { task: 1, stamp: 1 }))
      .leftTask(q, 1, 1, "leased", 1)
      .leftTask(q, 2, 2, "waiting"),
  ],
  [
    "a death, among the dead letters",
    new StateStory()
      .did(push(mortal, 1), pushed(1))
      .did(pop(mortal), tasks(2, { task: 1, stamp: 1 }))
      .did(nack(mortal, of(1, 2)), settled())
      .did(pop(mortal), tasks(4, { task: 1, stamp: 1, deliveries: 2 }))
      .did(nack(mortal, of(1, 4)), settled())
      .did(pop(letters), tasks(6, { task: 1, stamp: 1 }))
      .did(ack(letters, of(1, 6)), settled()),
  ],
  [
    "a task that has expired",
    new StateStory().did(push(q, 1, { expiryMs: 500 }), pushed(1)).did(pop(q), nothing),
  ],
];

const bad: readonly (readonly [string, StateStory, RegExp])[] = [
  [
    "a task that nobody pushed",
    new StateStory().did(pop(q), tasks(1, { task: 9, stamp: 9 })),
    /P1: phantom/,
  ],
  [
    "a task of a push that was refused",
    two(small)
      .did(push(small, 3), full)
      .leftTask(small, 1, 1, "waiting")
      .leftTask(small, 2, 2, "waiting")
      .leftTask(small, 3, 3, "waiting"),
    /P1: phantom/,
  ],
  [
    "one push, two tasks",
    new StateStory()
      .did(push(q, 1), pushed(1))
      .leftTask(q, 1, 1, "waiting")
      .leftTask(q, 2, 1, "waiting"),
    /P3: double effect/,
  ],
  ["a lost task", two(q).leftTask(q, 2, 2, "waiting"), /P4: orphan: #1/],
  [
    "a lost task that was taken, and given back",
    two(q)
      .did(pop(q), tasks(3, { task: 1, stamp: 1 }))
      .did(nack(q, of(1, 3)), settled())
      .leftTask(q, 2, 2, "waiting"),
    /P4: orphan: #1/,
  ],
  [
    "a task that comes back after its acknowledgement",
    two(q)
      .did(pop(q), tasks(3, { task: 1, stamp: 1 }))
      .did(ack(q, of(1, 3)), settled())
      .did(pop(q), tasks(20, { task: 1, stamp: 1, deliveries: 2 })),
    /P4: acknowledged, and back/,
  ],
  [
    "an acknowledged task that is there at the end",
    two(q)
      .did(pop(q), tasks(3, { task: 1, stamp: 1 }))
      .did(ack(q, of(1, 3)), settled())
      .leftTask(q, 1, 1, "waiting", 1)
      .leftTask(q, 2, 2, "waiting"),
    /P4: acknowledged, and back/,
  ],
  [
    "two holders",
    two(q)
      .did(pop(q), tasks(3, { task: 1, stamp: 1 }))
      .did(pop(q), tasks(12, { task: 1, stamp: 1, deliveries: 2 })),
    /P4: two holders/,
  ],
  [
    "two holders, after an extension",
    two(q)
      .did(pop(q), tasks(3, { task: 1, stamp: 1 }))
      .did(extend(q, of(1, 3)), settled(1, 2_200))
      .did(pop(q), tasks(15, { task: 1, stamp: 1, deliveries: 2 })),
    /P4: two holders/,
  ],
  [
    "one lease given twice",
    two(q)
      .did(pop(q), tasks(3, { task: 1, stamp: 1 }))
      .meanwhile(pop(q), tasks(3, { task: 1, stamp: 1, deliveries: 2 })),
    /P4: two holders|P2/,
  ],
  [
    "an acknowledgement with a lease that somebody else has ended",
    two(q)
      .did(pop(q), tasks(3, { task: 1, stamp: 1 }))
      .did(nack(q, of(1, 3)), settled())
      .did(pop(q), tasks(6, { task: 1, stamp: 1, deliveries: 2 }))
      .did(ack(q, of(1, 3)), settled())
      .leftTask(q, 2, 2, "waiting"),
    /P2: the lease 3 .* was ended twice/,
  ],
  [
    "a lease that holds and is refused",
    two(q)
      .did(pop(q), tasks(3, { task: 1, stamp: 1 }))
      .did(ack(q, of(1, 3)), lost)
      .did(push(q, 3), pushed(5))
      .leftTask(q, 1, 1, "leased", 1)
      .leftTask(q, 2, 2, "waiting")
      .leftTask(q, 5, 3, "waiting"),
    /P4: the lease 3 .* holds until/,
  ],
  [
    "a delayed task that comes early",
    new StateStory()
      .did(push(q, 1, { delayMs: 500 }), pushed(1))
      .did(pop(q), tasks(5, { task: 1, stamp: 1 })),
    /P4: early/,
  ],
  [
    "a task that was given back with a delay and comes early",
    two(q)
      .did(pop(q), tasks(3, { task: 1, stamp: 1 }))
      .did(nack(q, of(1, 3), { delayMs: 500 }), settled())
      .did(pop(q), tasks(7, { task: 1, stamp: 1, deliveries: 2 })),
    /P4: early/,
  ],
  [
    "a task that has expired and is handed out",
    new StateStory()
      .did(push(q, 1, { expiryMs: 500 }), pushed(1))
      .did(pop(q), tasks(6, { task: 1, stamp: 1 })),
    /expired/,
  ],
  [
    "a later task before an earlier one",
    two(q)
      .did(pop(q), tasks(3, { task: 2, stamp: 2 }))
      .leftTask(q, 1, 1, "waiting")
      .leftTask(q, 2, 2, "leased", 1),
    /FIFO/,
  ],
  [
    "a task that was given back and has lost its place",
    two(q)
      .did(pop(q), tasks(3, { task: 1, stamp: 1 }))
      .did(nack(q, of(1, 3)), settled())
      .did(push(q, 3), pushed(5))
      .did(pop(q), tasks(6, { task: 2, stamp: 2 }))
      .did(pop(q), tasks(7, { task: 1, stamp: 1, deliveries: 2 }))
      .leftTask(q, 1, 1, "leased", 2)
      .leftTask(q, 2, 2, "leased", 1)
      .leftTask(q, 5, 3, "waiting"),
    /FIFO/,
  ],
  [
    "the wrong priority first",
    new StateStory()
      .did(push(q, 1, { priority: 1 }), pushed(1))
      .did(push(q, 2, { priority: 2 }), pushed(2))
      .did(pop(q), tasks(3, { task: 2, stamp: 2, priority: 2 }))
      .leftTask(q, 1, 1, "waiting")
      .leftTask(q, 2, 2, "leased", 1),
    /FIFO/,
  ],
  [
    "one answer in the wrong order",
    two(q)
      .did(pop(q, { count: 2 }), tasks(3, { task: 2, stamp: 2 }, { task: 1, stamp: 1 }))
      .did(ack(q, of(1, 3), of(2, 3)), settled(2)),
    /FIFO/,
  ],
  [
    "a pop that finds nothing though something is there",
    two(q).did(pop(q), nothing).leftTask(q, 1, 1, "waiting").leftTask(q, 2, 2, "waiting"),
    /P4: task 1 .* a pop left it/,
  ],
  [
    "a task of another priority than it was pushed with",
    new StateStory()
      .did(push(q, 1, { priority: 1 }), pushed(1))
      .did(pop(q), tasks(2, { task: 1, stamp: 1, priority: 2 })),
    /P7/,
  ],
  [
    "deliveries that are not counted",
    two(q)
      .did(pop(q), tasks(3, { task: 1, stamp: 1 }))
      .did(nack(q, of(1, 3)), settled())
      .did(pop(q), tasks(5, { task: 1, stamp: 1 })),
    /P4: .* was handed out as delivery 1/,
  ],
  [
    "more deliveries than the queue allows",
    new StateStory()
      .did(push(mortal, 1), pushed(1))
      .did(pop(mortal), tasks(2, { task: 1, stamp: 1 }))
      .did(pop(mortal), tasks(20, { task: 1, stamp: 1, deliveries: 2 }))
      .did(pop(mortal), tasks(40, { task: 1, stamp: 1, deliveries: 3 })),
    /P4: .* was handed out as delivery 3/,
  ],
  [
    "dead before its last delivery",
    new StateStory()
      .did(push(mortal, 1), pushed(1))
      .did(pop(mortal), tasks(2, { task: 1, stamp: 1 }))
      .did(nack(mortal, of(1, 2)), settled())
      .did(pop(letters), tasks(4, { task: 1, stamp: 1 }))
      .did(ack(letters, of(1, 4)), settled()),
    /P4: .* is dead after 1 deliveries/,
  ],
  [
    "dead in a queue where nothing dies",
    two(q).leftTask(q, 1, 1, "dead", 5).leftTask(q, 2, 2, "waiting"),
    /P4: .* dead, after 5/,
  ],
  [
    "forgotten on the way to the dead letters",
    new StateStory()
      .did(push(mortal, 1), pushed(1))
      .did(pop(mortal), tasks(2, { task: 1, stamp: 1 }))
      .did(nack(mortal, of(1, 2)), settled())
      .did(pop(mortal), tasks(4, { task: 1, stamp: 1, deliveries: 2 }))
      .did(nack(mortal, of(1, 4)), settled()),
    /P4: orphan/,
  ],
];

tellStories("the checkers of queues", good, bad);
