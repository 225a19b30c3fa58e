/**
 * Replicas of one log of sessions: one that never restarts, one that restarts again and again from checkpoints on a simulated disk, and the model. They must agree on every
 * outcome, every digest, every deadline and every order (P5).
 */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import type { Operation } from "../../../src/machines/operation.ts";
import type { Outcome } from "../../../src/machines/outcome.ts";
import type { Owner } from "../../../src/machines/owner.ts";
import {
  kindsOperation,
  sessionOperation,
} from "../../../src/machines/sessions/session-operation.ts";
import { type Draws, forSeedsAsync } from "../../state/draws.ts";
import { outcomesText } from "../replica.ts";
import { SessionDisk } from "./session-disk.ts";
import { type Action, type Asked, SessionModel } from "./session-model.ts";
import {
  type Group,
  SessionReplica,
  disconnected,
  due,
  kind,
  restarted,
  start,
} from "./session-replica.ts";

interface Step {
  readonly timestamp: number;
  readonly seed: number;
  readonly action: Action;
}

const names = ["mail", "bill", "post", "none"];

/** Requests as clients send them: right ones mostly, with what they knew a while ago. */
class Clients {
  readonly #draws: Draws;
  readonly #model: SessionModel;
  readonly #ids: string[] = ["{t}00000000000000ff"];
  readonly #epochs: number[] = [1];
  #run = 1;

  constructor(draws: Draws, model: SessionModel) {
    this.#draws = draws;
    this.#model = model;
  }

  next(timestamp: number): Action {
    const draws = this.#draws;
    if (this.#model.nextDue() <= timestamp && draws.oneIn(2)) return { does: "due" };
    if (draws.oneIn(25)) return { does: "disconnected", owner: this.#owner() };
    if (draws.oneIn(60)) return { does: "restarted", node: 1 + draws.below(2), run: ++this.#run };
    if (draws.oneIn(40) || this.#model.kinds.length === 0) return this.#kinds();
    if (!draws.oneIn(6)) return { does: "verb", asked: this.#verb() };
    return { does: "group", asked: Array.from({ length: draws.below(5) }, () => this.#verb()) };
  }

  /** What was answered is known to the clients from now on. */
  learn(outcome: Outcome): void {
    if (outcome.kind === "session") {
      if (outcome.status === "created") this.#ids.push(outcome.session);
      this.#epochs.push(outcome.epoch);
    } else if (outcome.kind === "sessions")
      for (const { epoch } of outcome.sessions) this.#epochs.push(epoch);
    else if (outcome.kind === "group") for (const each of outcome.outcomes) this.learn(each);
  }

  #owner(): Owner {
    const draws = this.#draws;
    if (draws.oneIn(8)) return { node: 0, run: 0, connection: 0 };
    return { node: 1 + draws.below(2), run: this.#run, connection: 1 + draws.below(3) };
  }

  #kinds(): Action {
    const draws = this.#draws;
    const kinds = names.slice(0, 3).flatMap((name, at) => {
      if (draws.oneIn(6)) return [];
      const number = draws.oneIn(10) ? 10 + at + draws.below(2) * 10 : at;
      return kind(name, {
        number,
        delayMs: draws.pick([0, 1, 999, 5_000]),
        spreadMs: draws.pick([0, 0, 1, 3_000]),
        maxRepeats: draws.pick([0, 1, 2, 3]),
        maxBytes: draws.pick([0, 10, 100]),
        silenceMs: draws.pick([1_000, 2_500, 30_000]),
      });
    });
    return { does: "kinds", kinds };
  }

  #verb(): Asked {
    const draws = this.#draws;
    const owner = this.#owner();
    if (draws.oneIn(4)) {
      const data = draws.oneIn(2) ? { data: this.#data() } : {};
      const rest = draws.oneIn(5) ? { detached: true, tag: draws.pick(["t", "u", "Ёж"]) } : {};
      return { verb: "session.new", request: { kind: draws.pick(names), ...data, ...rest }, owner };
    }
    if (draws.oneIn(4)) {
      const kinds = draws.pick([["mail"], ["bill", "mail"], ["post", "mail", "bill"], ["none"]]);
      return { verb: "session.take", request: { kinds, count: 1 + draws.below(4) }, owner };
    }
    if (draws.oneIn(8)) return { verb: "session.revive", request: { session: this.#id() }, owner };
    const held = this.#held();
    const afterMs = draws.pick([-1, 0, 1, 1_000, 1_500, 7_001]);
    const store = afterMs < 0 ? held : { ...held, afterMs };
    return draws.pick<Asked>([
      { verb: "session.append", request: { ...held, data: this.#data() }, owner },
      { verb: "session.append", request: { ...held, data: this.#data() }, owner },
      { verb: "session.replace", request: { ...held, data: this.#data() }, owner },
      { verb: "session.touch", request: held, owner },
      { verb: "session.delete", request: held, owner },
      { verb: "session.store", request: store, owner },
      { verb: "session.store", request: store, owner },
    ]);
  }

  #held(): { session: string; epoch: number } {
    const active = this.#model.ofState("active");
    if (active.length > 0 && !this.#draws.oneIn(4)) {
      const { id, epoch } = this.#draws.pick(active);
      return { session: id, epoch: this.#draws.oneIn(8) ? this.#draws.pick(this.#epochs) : epoch };
    }
    return { session: this.#id(), epoch: this.#draws.pick(this.#epochs) };
  }

  #id(): string {
    const dead = this.#model.ofState("dead");
    if (dead.length > 0 && this.#draws.oneIn(2)) return this.#draws.pick(dead).id;
    return this.#draws.pick(this.#ids);
  }

  #data(): Buffer {
    return this.#draws.bytes(this.#draws.pick([0, 1, 5, 9, 40]));
  }
}

function operationOf({ verb, request, owner }: Asked): Operation {
  return sessionOperation(verb, request, { owner, tag: "t" });
}

function written(action: Action): Operation | Group {
  switch (action.does) {
    case "due":
      return due;
    case "disconnected":
      return disconnected(action.owner);
    case "restarted":
      return restarted(action.node, action.run);
    case "kinds":
      return kindsOperation(action.kinds);
    case "group":
      return { group: action.asked.map(operationOf) };
    case "verb":
      return operationOf(action.asked);
    default:
      return action satisfies never;
  }
}

function applyStep(replica: SessionReplica, { timestamp, seed, action }: Step): Outcome {
  Object.assign(replica.moment, { timestamp, seed });
  return replica.apply(written(action));
}

/** Texts of errors are not the model's business. */
function withoutText(outcome: Outcome): string {
  const plain =
    outcome.kind === "error" || outcome.kind === "aborted" ? { ...outcome, text: "" } : outcome;
  return outcomesText([plain]);
}

function compareStates(replica: SessionReplica, model: SessionModel): void {
  for (const one of model.sessions.values()) {
    const { texts, ...info } = replica.get(one.id);
    assert.deepEqual(
      [
        info.state,
        info.epoch,
        info.dueAtMs,
        info.repeats,
        info.createdAtMs,
        info.recordsCount,
        texts,
      ],
      [one.state, one.epoch, one.due, one.repeats, one.opened, one.records.length, one.records],
    );
  }
  for (const state of ["active", "stored", "dead"] as const)
    assert.deepEqual(
      replica.list({ state, count: 1_000 }),
      model.ofState(state).map(({ id }) => id),
      state,
    );
  const records = [...model.sessions.values()].reduce((sum, one) => sum + one.records.length, 0);
  const rows = model.sessions.size + records + model.kinds.length;
  assert.equal(replica.state.rows, rows, "no row is left over");
}

function compareIndexes(replica: SessionReplica, model: SessionModel): void {
  const { sessions } = replica.stack;
  assert.equal(sessions.nextDue(), model.nextDue(), "first silence");
  for (const kinds of [["mail"], ["bill"], ["post"], ["mail", "bill", "post"]]) {
    assert.equal(
      sessions.nextStored(kinds),
      model.nextStored(kinds),
      `first stored of ${kinds.join()}`,
    );
  }
  const count = (state: "active" | "stored" | "dead"): number => model.ofState(state).length;
  const totals = { active: count("active"), stored: count("stored"), dead: count("dead") };
  assert.deepEqual({ ...sessions.totals }, totals);
  const sum = { active: 0, stored: 0, dead: 0 };
  for (const name of new Set(model.kinds.map((each) => each.name)))
    for (const state of ["active", "stored", "dead"] as const)
      sum[state] += sessions.totalsOf(name)[state];
  assert.deepEqual(sum, totals, "totals of the kinds");
}

/** What a run met, so that the test can tell that it met everything. */
const met = new Map<string, number>();

function note(outcome: Outcome): void {
  const text =
    outcome.kind === "session"
      ? outcome.status
      : outcome.kind === "error" || outcome.kind === "aborted"
        ? outcome.code
        : outcome.kind === "sessions" && outcome.sessions.length === 0
          ? "nothing due"
          : outcome.kind;
  met.set(text, (met.get(text) ?? 0) + 1);
}

async function life(draws: Draws): Promise<void> {
  const steady = new SessionReplica({ indexSeed: draws.seed });
  const disk = new SessionDisk(draws);
  const model = new SessionModel();
  const clients = new Clients(draws, model);
  const log: { step: Step; text: string }[] = [];
  let timestamp = start;

  const step = (): void => {
    if (draws.oneIn(3)) timestamp += draws.pick([1, 40, 500, 1_000, 1_000, 7_000]);
    const next: Step = { timestamp, seed: draws.below(2 ** 32), action: clients.next(timestamp) };
    const outcome = applyStep(steady, next);
    const text = outcomesText([outcome]);
    log.push({ step: next, text });
    const expected = model.apply(timestamp, next.seed, next.action);
    assert.equal(withoutText(outcome), outcomesText([expected]), JSON.stringify(next.action));
    assert.equal(
      outcomesText([applyStep(disk.replica, next)]),
      text,
      "outcome of the other replica",
    );
    clients.learn(outcome);
    note(outcome);
    compare();
  };
  const compare = (): void => {
    assert.equal(disk.replica.state.digest, steady.state.digest, "digest");
    assert.deepEqual(disk.replica.moment, steady.moment);
    for (const replica of [steady, disk.replica]) compareIndexes(replica, model);
  };
  const restart = (): Promise<void> =>
    disk.restart((replica, position) => {
      for (const { step: each, text } of log.slice(position))
        assert.equal(outcomesText([applyStep(replica, each)]), text, "outcome applied again");
    });

  for (let i = 0; i < 220; i++) {
    if (draws.oneIn(30)) {
      await disk.checkpoint(() => {
        if (draws.oneIn(2)) step();
      });
    } else if (draws.oneIn(40)) {
      await restart();
      compareStates(disk.replica, model);
    } else step();
    if (i % 20 === 0) compareStates(steady, model);
  }
  await restart();
  compare();
  compareStates(disk.replica, model);
  await disk.close();
}

suite("replicas of one log of sessions (P4, P5)", () => {
  test("one that restarts at any point agrees for ever with one that does not, and both with the model", async () => {
    await forSeedsAsync(1, 25, life);
  });

  test("and these runs met every status and every error", () => {
    const statuses = "created appended replaced touched deleted stored dead";
    const errors = "NOSESSION FENCED REPEATLIMIT NOTDEAD NOKIND KINDCLOSED SESSIONTOOLONG";
    const others = ["sessions", "nothing due", "group", "count", "done"];
    const all = [...statuses.split(" "), ...errors.split(" "), ...others];
    for (const each of all) assert.ok((met.get(each) ?? 0) >= 10, `${each}: ${met.get(each)}`);
  });
});
