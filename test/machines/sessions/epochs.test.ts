/** Who may write to a session: the one to whom it was given last, and only while it has it. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { must } from "../../../src/base/assert.ts";
import type { SessionHandle } from "../../../src/protocol/requests.ts";
import {
  SessionReplica,
  alice,
  bob,
  bytes,
  disconnected,
  due,
  kind,
  restarted,
} from "./session-replica.ts";

const silenceMs = 30_000;
const delayMs = 5_000;

/** A replica with a session that was taken once, so that an earlier and the present owner are known. */
interface Scene {
  readonly replica: SessionReplica;
  readonly session: string;
  /** All epochs that it had so far; the last is that of alice, who has it. */
  readonly epochs: number[];
}

function newScene(maxRepeats: number): Scene {
  const replica = new SessionReplica({ kinds: [kind("mail", { silenceMs, delayMs, maxRepeats })] });
  const { session, epoch } = replica.call("session.new", { kind: "mail", data: bytes("a") }, bob);
  replica.call("session.store", { session, epoch, afterMs: 0 });
  const stored = replica.get(session).epoch;
  const taken = must(replica.take(["mail"], 1, alice)[0]);
  return { replica, session, epochs: [epoch, stored, taken.epoch] };
}

/** How a session leaves the hands of its owner. */
const ways: Readonly<Record<string, (scene: Scene, held: SessionHandle) => void>> = {
  "its owner stored it": ({ replica }, held) => {
    replica.call("session.store", { ...held, afterMs: 1_000 });
  },
  "its owner stored it at once": ({ replica }, held) => {
    replica.call("session.store", { ...held, afterMs: 0 });
  },
  "its owner was silent": ({ replica }) => {
    replica.pass(silenceMs);
    replica.apply(due);
  },
  "the connection of its owner ended": ({ replica }) => {
    assert.deepEqual(replica.apply(disconnected(alice)), { kind: "count", count: 1 });
  },
  "the node of its owner started again": ({ replica }) => {
    assert.deepEqual(replica.apply(restarted(alice.node, 200)), { kind: "count", count: 1 });
  },
};

const verbs = [
  "session.append",
  "session.replace",
  "session.touch",
  "session.store",
  "session.delete",
] as const;

function refusedAll(
  { replica, session }: Scene,
  epochs: readonly number[],
  code: "FENCED" | "REPEATLIMIT",
): void {
  for (const epoch of epochs)
    for (const verb of verbs) replica.refused(code, verb, { session, epoch, data: bytes("x") });
}

suite("epochs of sessions (DESIGN §8)", () => {
  for (const [way, leave] of Object.entries(ways)) {
    test(`${way}: every epoch so far is fenced, and so after it was taken again`, () => {
      const scene = newScene(0);
      const { replica, session, epochs } = scene;
      leave(scene, { session, epoch: must(epochs.at(-1)) });
      const away = replica.get(session);
      assert.equal(away.state, "stored");
      assert.ok(!epochs.includes(away.epoch), "putting off gives it a new epoch");
      refusedAll(scene, [...epochs, away.epoch], "FENCED");

      replica.pass(60_000);
      const again = must(replica.take(["mail"], 1, bob)[0]);
      assert.equal(again.session, session);
      refusedAll(scene, [...epochs, away.epoch], "FENCED");
      assert.ok(!epochs.includes(again.epoch), "taking gives it a new epoch");
      assert.notEqual(again.epoch, away.epoch);
      assert.deepEqual(replica.get(session).texts, ["a"], "nobody wrote");
      replica.call("session.append", { session, epoch: again.epoch, data: bytes("b") });
    });

    test(`${way} after its last repeat: it is dead for every epoch, and revived fences them all`, () => {
      const scene = newScene(1);
      const { replica, session, epochs } = scene;
      leave(scene, { session, epoch: must(epochs.at(-1)) });
      const dead = replica.get(session);
      assert.deepEqual([dead.state, dead.dueAtMs, dead.repeats], ["dead", 0, 1]);
      refusedAll(scene, [...epochs, dead.epoch], "REPEATLIMIT");

      assert.equal(replica.call("session.revive", { session }).status, "stored");
      const revived = replica.get(session);
      assert.deepEqual([revived.state, revived.dueAtMs], ["stored", replica.moment.timestamp]);
      refusedAll(scene, [...epochs, dead.epoch, revived.epoch], "FENCED");

      const again = must(replica.take(["mail"])[0]);
      assert.deepEqual([again.session, again.repeats], [session, 1]);
      refusedAll(scene, [...epochs, dead.epoch, revived.epoch], "FENCED");
      replica.call("session.delete", { session, epoch: again.epoch });
    });
  }

  test("its epoch does not change while it stays in the same hands", () => {
    const { replica, session, epochs } = newScene(0);
    const epoch = must(epochs.at(-1));
    for (let i = 0; i < 3; i++) {
      replica.pass(silenceMs - 1);
      replica.apply(due);
      replica.call("session.append", { session, epoch, data: bytes("b") });
      replica.call("session.replace", { session, epoch, data: bytes("c") });
      replica.call("session.touch", { session, epoch });
      assert.equal(replica.get(session).epoch, epoch);
    }
  });

  test("the session of one owner is not moved by what becomes of another's", () => {
    const { replica, session, epochs } = newScene(0);
    const { session: other } = replica.call("session.new", { kind: "mail" }, bob);
    replica.apply(disconnected(bob));
    assert.equal(replica.get(other).state, "stored");
    replica.call("session.touch", { session, epoch: must(epochs.at(-1)) });
  });

  test("sessions of one take share a number and not their fates", () => {
    const { replica } = newScene(0);
    const sessions = [replica.stored(0), replica.stored(0)];
    const taken = replica.take(["mail"]);
    assert.deepEqual(
      taken.map(({ session }) => session),
      sessions,
    );
    const [first, second] = [must(taken[0]), must(taken[1])];
    assert.equal(first.epoch, second.epoch);
    replica.call("session.delete", first);
    replica.refused("NOSESSION", "session.touch", first);
    replica.call("session.touch", second);
  });

  test("a session deleted and one opened later never have one id", () => {
    const { replica, session, epochs } = newScene(0);
    replica.call("session.delete", { session, epoch: must(epochs.at(-1)) });
    const next = replica.call("session.new", { kind: "mail" });
    assert.notEqual(next.session, session);
  });
});
