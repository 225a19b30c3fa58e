/**
 * The world of a published scenario: copies of one group, the messages between them, and what waits for each copy's storage threads. Nothing moves unless a
 * command says so; what then happens, and in which order, is laid down by the format and not chosen here.
 *
 * The core knows one way of storing: asynchronously. A copy with `async` shows it as it is, as work of an append thread and an apply thread. For one without,
 * all of it happens in the moment in which the Ready is handled.
 */
import { assert } from "../../src/base/assert.ts";
import { SeededRandom } from "../../src/base/seeded-random.ts";
import { decodeChange } from "../../src/raft/membership-change.ts";
import { Raft, type RaftOptions } from "../../src/raft/raft.ts";
import {
  entryKinds,
  messageTypes,
  nobody,
  roles,
  type Configuration,
  type Entry,
  type Index,
  type Message,
  type MessageType,
  type Ready,
  type ReplicaId,
  type SnapshotMeta,
} from "../../src/raft/vocabulary.ts";
import {
  describeAppendWork,
  describeApplyWork,
  describeEntry,
  describeLetter,
  describeReady,
  letterType,
  type AppendWork,
  type ApplyWork,
  type Letter,
} from "./describe.ts";
import { ScenarioStorage } from "./storage.ts";
import { ScenarioError, Transcript } from "./transcript.ts";

/** More rounds than any scenario needs; one that goes on for ever must fail and not hang. */
const roundsMaxCount = 10_000;

export type CoreOptions = Omit<RaftOptions, "id" | "random" | "start" | "applyUnstable">;

export interface CopyOptions {
  readonly core: CoreOptions;
  /** Storage work waits until it is asked for. */
  readonly async: boolean;
  /** What the copy begins from; index 0 = nothing. */
  readonly bootstrap: SnapshotMeta;
}

/** A copy of the group with its disk. */
export interface Copy {
  readonly id: ReplicaId;
  readonly raft: Raft;
  readonly storage: ScenarioStorage;
  readonly options: CopyOptions;
  readonly appendWork: AppendWork[];
  readonly applyWork: ApplyWork[];
}

/** Whose messages are to be handled, and how. */
export interface Recipient {
  readonly id: ReplicaId;
  readonly drop: boolean;
}

export class Environment {
  readonly transcript = new Transcript();
  readonly #copies: Copy[] = [];
  #letters: Letter[] = [];
  /** What was applied first at each index, by anyone: all others must apply the same (thesis 3.2, state machine safety). */
  readonly #agreed = new Map<Index, { readonly text: string; readonly by: ReplicaId }>();

  get copies(): readonly Copy[] {
    return this.#copies;
  }

  copy(id: ReplicaId): Copy {
    const found = this.#copies[id - 1];
    if (found === undefined) throw new ScenarioError(`there is no copy ${id}`);
    return found;
  }

  /** Copies are numbered from 1 in the order in which they are added. */
  addCopy(options: CopyOptions): void {
    const id = this.#copies.length + 1;
    this.#copies.push(startCopy(id, options, new ScenarioStorage(options.bootstrap)));
  }

  /** The copy goes on with what is on its disk; what was to be written or applied, and what it was to hear from itself, is lost. */
  restart(id: ReplicaId): void {
    const { options, storage } = this.copy(id);
    this.#letters = this.#letters.filter((letter) => addressee(letter) !== id || !isLocal(letter));
    this.#copies[id - 1] = startCopy(id, options, storage);
  }

  /** Puts a message on its way. */
  post(message: Message): void {
    this.#letters.push({ kind: "peer", message });
  }

  /** Until nothing happens any more: every Ready, then all deliveries, then the append threads, then the apply threads. This order is part of the format. */
  stabilize(ids: readonly ReplicaId[]): void {
    const { transcript } = this;
    const copies = ids.length === 0 ? [...this.#copies] : ids.map((id) => this.copy(id));
    for (let round = 0; round < roundsMaxCount; round++) {
      let quiet = true;
      for (const { id, raft } of copies) {
        if (!raft.hasReady()) continue;
        quiet = false;
        transcript.section(`> ${id} handling Ready`, () => this.processReady(id));
      }
      for (const { id } of copies) {
        if (!this.#letters.some((letter) => addressee(letter) === id)) continue;
        quiet = false;
        transcript.section(`> ${id} receiving messages`, () => this.deliver([{ id, drop: false }]));
      }
      for (const { id, appendWork } of copies) {
        if (appendWork.length === 0) continue;
        quiet = false;
        transcript.section(`> ${id} processing append thread`, () => {
          while (appendWork.length > 0) this.processAppendThread(id);
        });
      }
      for (const { id, applyWork } of copies) {
        if (applyWork.length === 0) continue;
        quiet = false;
        transcript.section(`> ${id} processing apply thread`, () => {
          while (applyWork.length > 0) this.processApplyThread(id);
        });
      }
      if (quiet) return;
    }
    throw new Error(`the copies do not come to rest within ${roundsMaxCount} rounds`);
  }

  /** Hands out what is on its way to each recipient, in the order in which it was sent; `type` leaves all other types where they are. Returns how many. */
  deliver(recipients: readonly Recipient[], type?: string): number {
    let handled = 0;
    for (const { id, drop } of recipients) {
      const taken = (letter: Letter): boolean =>
        addressee(letter) === id &&
        !(drop && isLocal(letter)) &&
        (type === undefined || letterType(letter) === type);
      const letters = this.#letters.filter(taken);
      this.#letters = this.#letters.filter((letter) => !taken(letter));
      for (const letter of letters) {
        this.transcript.write(`${drop ? "dropped: " : ""}${describeLetter(letter)}\n`);
        if (!drop) this.#hand(letter);
      }
      handled += letters.length;
    }
    return handled;
  }

  processReady(id: ReplicaId): void {
    const copy = this.copy(id);
    const ready = copy.raft.ready();
    if (copy.options.async) this.#startStorageWork(copy, ready);
    else this.#storeAtOnce(copy, ready);
    for (const fetch of ready.fetches) {
      const { from, to, maxBytes } = fetch;
      copy.raft.entriesFetched(fetch, copy.storage.read(from, to, maxBytes));
    }
  }

  processAppendThread(id: ReplicaId): void {
    const copy = this.copy(id);
    const work = copy.appendWork.shift();
    if (work === undefined) {
      this.transcript.write("no append work to perform\n");
      return;
    }
    this.transcript.write(`Processing:\n${describeAppendWork(work, [])}\n`);
    write(copy.storage, work);
    const responses = work.responses.map((response) => `${describeLetter(response)}\n`);
    this.transcript.write(`Responses:\n${responses.join("")}`);
    this.#letters.push(...work.responses);
  }

  processApplyThread(id: ReplicaId): void {
    const copy = this.copy(id);
    const work = copy.applyWork.shift();
    if (work === undefined) {
      this.transcript.write("no apply work to perform\n");
      return;
    }
    this.transcript.write(`Processing:\n${describeApplyWork(work, [])}\n`);
    this.#apply(copy, work.entries);
    const response = appliedLetter(work);
    this.transcript.write(`Responses:\n${describeLetter(response)}\n`);
    this.#letters.push(response);
  }

  /** All of it is durable and applied before anything else happens to this copy. */
  #storeAtOnce(copy: Copy, ready: Ready): void {
    const { id, raft, storage } = copy;
    const own = ready.afterAppend.filter(({ to }) => to === id);
    const others = ready.afterAppend.filter(({ to }) => to !== id);
    const letters = [...ready.messages, ...others].map(peerLetter);
    this.transcript.write(
      describeReady(
        ready,
        letters.map((letter) => describeLetter(letter)),
      ),
    );
    write(storage, ready);
    this.#apply(copy, ready.committed);
    this.#letters.push(...letters);
    for (const message of own) raft.step(message);
    if (ready.ack !== undefined) raft.appendDone(ready.ack);
    this.#applied(copy, ready.committed);
  }

  #startStorageWork(copy: Copy, ready: Ready): void {
    const { id } = copy;
    const { hard, entries, snapshot, afterAppend, ack, committed } = ready;
    const letters = ready.messages.map(peerLetter);
    const lines = letters.map((letter) => describeLetter(letter));
    if (
      entries.length > 0 ||
      hard !== undefined ||
      snapshot !== undefined ||
      afterAppend.length > 0
    ) {
      const responses: Letter[] = afterAppend.map(peerLetter);
      if (ack !== undefined) responses.push({ kind: "appended", to: id, ack, snapshot });
      const work: AppendWork = { by: id, hard, entries, snapshot, responses };
      copy.appendWork.push(work);
      lines.push(describeAppendWork(work, responses));
    }
    if (committed.length > 0) {
      const work: ApplyWork = { by: id, entries: committed };
      copy.applyWork.push(work);
      lines.push(describeApplyWork(work, [appliedLetter(work)]));
    }
    this.transcript.write(describeReady(ready, lines));
    this.#letters.push(...letters);
  }

  #apply({ id, raft, storage }: Copy, entries: readonly Entry[]): void {
    for (const entry of entries) {
      // A snapshot that was installed while they waited has these in it.
      if (entry.index <= storage.snapshot.index) continue;
      this.#agree(id, entry);
      if (entry.kind === entryKinds.configuration) {
        const configuration = raft.applyChange(entry.index, decodeChange(entry.data));
        storage.apply(entry, { configuration, configurationIndex: raft.configurationIndex });
      } else storage.apply(entry);
      raft.snapshotAvailable(storage.snapshot);
    }
  }

  #agree(by: ReplicaId, entry: Entry): void {
    const text = describeEntry(entry);
    const first = this.#agreed.get(entry.index);
    if (first === undefined) this.#agreed.set(entry.index, { text, by });
    else
      assert(first.text === text, `${by} applies ${text} where ${first.by} applied ${first.text}`);
  }

  #applied({ raft }: Copy, entries: readonly Entry[]): void {
    const last = entries.at(-1);
    if (last === undefined) return;
    raft.applyDone(last.index);
  }

  #hand(letter: Letter): void {
    const copy = this.copy(addressee(letter));
    switch (letter.kind) {
      case "peer": {
        const problem = step(copy.raft, letter.message);
        if (problem !== undefined) this.transcript.write(`${problem}\n`);
        return;
      }
      case "appended":
        copy.raft.appendDone(letter.ack);
        return;
      case "applied":
        this.#applied(copy, letter.entries);
        return;
    }
  }
}

function startCopy(id: ReplicaId, options: CopyOptions, storage: ScenarioStorage): Copy {
  const { core, async } = options;
  const { start, snapshot } = storage;
  const random = new SeededRandom(id);
  const raft = new Raft({ ...core, id, random, applyUnstable: !async, start });
  if (snapshot.index > 0) raft.snapshotAvailable(snapshot);
  return { id, raft, storage, options, appendWork: [], applyWork: [] };
}

/** What the published core answers to a proposal that it does not take. */
export const proposalDropped = "raft proposal dropped";

const peerResponses: ReadonlySet<MessageType> = new Set([
  messageTypes.appendResponse,
  messageTypes.voteResponse,
  messageTypes.preVoteResponse,
  messageTypes.heartbeatResponse,
  messageTypes.readIndexResponse,
]);

/** Returns what the published core would answer if it refused the message. Ours refuses in silence, but it gets to see the message all the same. */
function step(raft: Raft, message: Message): string | undefined {
  const stranger = !isMember(raft.configuration, message.from);
  const { leader, lastIndex } = raft;
  raft.step(message);
  if (peerResponses.has(message.type) && stranger) return "raft: cannot step as peer not found";
  if (message.type !== messageTypes.propose) return undefined;
  const taken = raft.role === roles.leader ? raft.lastIndex > lastIndex : leader !== nobody;
  return taken ? undefined : proposalDropped;
}

function isMember({ voters, outgoing, learners }: Configuration, id: ReplicaId): boolean {
  return voters.includes(id) || outgoing.includes(id) || learners.includes(id);
}

function write(
  storage: ScenarioStorage,
  { hard, snapshot, entries }: Pick<Ready, "hard" | "snapshot" | "entries">,
): void {
  if (hard !== undefined) storage.hard = hard;
  if (snapshot !== undefined) storage.install(snapshot);
  storage.append(entries);
}

function addressee(letter: Letter): ReplicaId {
  return letter.kind === "peer" ? letter.message.to : letter.to;
}

/** What a copy says to itself is never lost. */
function isLocal(letter: Letter): boolean {
  return letter.kind !== "peer" || letter.message.from === letter.message.to;
}

function peerLetter(message: Message): Letter {
  return { kind: "peer", message };
}

function appliedLetter({ by, entries }: ApplyWork): Letter {
  return { kind: "applied", to: by, entries };
}
