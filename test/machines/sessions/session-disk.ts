/** A replica of sessions with a disk: it restarts from its last durable checkpoint and applies the log again from there. */
import assert from "node:assert/strict";
import type { CheckpointStore } from "../../../src/state/checkpoint-store.ts";
import type { Draws } from "../../state/draws.ts";
import { RestlessClock } from "../../state/restless-clock.ts";
import { type World, newWorld, openStore } from "../../state/run-rows.ts";
import { SessionReplica } from "./session-replica.ts";

/** What the replica is given again after a restart: the batches from position 1 on. */
export type Replay = (replica: SessionReplica, position: number) => void;

export class SessionDisk {
  replica: SessionReplica;
  readonly #draws: Draws;
  readonly #world: World = newWorld();
  #store: CheckpointStore | undefined;
  #restarts = 0;

  constructor(draws: Draws) {
    this.#draws = draws;
    this.replica = this.#newReplica();
  }

  /** Writes a checkpoint of now, while `meanwhile` goes on; unless told otherwise it may fail. */
  async checkpoint(meanwhile: () => void, durable = !this.#draws.oneIn(4)): Promise<void> {
    const { state, stack, moment } = this.replica;
    this.#store ??= (await openStore(this.#world)).store;
    const { horizon } = stack.once;
    const manifest = { ...moment, horizon, digest: state.digest };
    const clock = new RestlessClock(1);
    clock.onTurn = meanwhile;
    const frozen = state.freeze();
    meanwhile();
    await frozen.sort(clock);
    meanwhile();
    if (durable) await this.#world.clock.drive(this.#store.addDelta(frozen, manifest));
    meanwhile();
    await state.thaw(frozen, durable, clock);
    if (durable) await this.#world.clock.drive(this.#store.maybeMerge(state.liveBytes));
  }

  async restart(replay: Replay): Promise<void> {
    await this.close();
    const { store } = await openStore(this.#world);
    this.#store = store;
    this.replica = this.#newReplica();
    const { state, stack, moment } = this.replica;
    const manifest = store.state;
    if (manifest !== undefined) {
      await this.#world.clock.drive(store.load(state.load));
      for (const field of ["timestamp", "position", "number", "seed"] as const)
        moment[field] = Number(manifest[field]);
      stack.once.restoreHorizon(Number(manifest["horizon"]));
      assert.equal(state.digest, manifest["digest"], "digest after loading");
      stack.loaded();
    }
    replay(this.replica, moment.position);
  }

  async close(): Promise<void> {
    await this.#store?.close();
    this.#store = undefined;
  }

  #newReplica(): SessionReplica {
    return new SessionReplica({ indexSeed: this.#draws.seed + 1_000 * ++this.#restarts });
  }
}
