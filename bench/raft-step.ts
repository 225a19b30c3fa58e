/**
 * The core alone: three voters in memory, entries of 128 bytes proposed to the leader in batches, each message stepped at its receiver and each write durable at
 * once, until all three have applied all. Beside it, in turns in the same run, what the machine needs for the entries themselves: making each one and putting it
 * into three arrays.
 *
 *     node --import tsx bench/raft-step.ts [--batch 64] [--rounds 10]
 */
import { parseArgs } from "node:util";
import { must } from "../src/base/assert.ts";
import { SeededRandom } from "../src/base/seeded-random.ts";
import { Raft } from "../src/raft/raft.ts";
import { type Entry, type Message, type Proposal, entryKinds } from "../src/raft/vocabulary.ts";

const entriesPerRound = 200_000;
const targetPerSecond = 400_000;
const data = Buffer.alloc(128, 120);
const voters = [1, 2, 3];

function core(id: number): Raft {
  return new Raft({
    id,
    random: new SeededRandom(id),
    electionTicks: 10,
    heartbeatTicks: 2,
    preVote: true,
    checkQuorum: true,
    maxMessageBytes: 1_048_576,
    maxInflightMessages: 256,
    maxInflightBytes: 8_388_608,
    maxUncommittedBytes: 67_108_864,
    maxApplyingBytes: 8_388_608,
    cacheBytes: 1_048_576,
    priority: 0,
    readMode: "safe",
    stepDownOnRemoval: true,
    votesTellCommit: true,
    validateChanges: true,
    forwardProposals: false,
    applyUnstable: false,
    start: {
      configuration: {
        voters,
        outgoing: [],
        learners: [],
        learnersNext: [],
        witnesses: [],
        autoLeave: false,
      },
      configurationIndex: 0,
      hardState: { term: 0, vote: 0, commit: 0 },
      base: 0,
      runs: [{ first: 0, term: 0 }],
      last: 0,
      applied: 0,
    },
  });
}

/** Three cores and the wire between them. */
class Group {
  readonly #cores = voters.map(core);
  #wire: Message[] = [];
  messages = 0;

  get leader(): Raft {
    return must(this.#cores[0]);
  }

  get applied(): number {
    return Math.min(...this.#cores.map(({ applied }) => applied));
  }

  settle(): void {
    for (;;) {
      let busy = false;
      for (const raft of this.#cores) busy = this.#turn(raft) || busy;
      const arrived = this.#wire;
      this.#wire = [];
      this.messages += arrived.length;
      for (const message of arrived) must(this.#cores[message.to - 1]).step(message);
      if (!busy && arrived.length === 0) return;
    }
  }

  #turn(raft: Raft): boolean {
    if (!raft.hasReady()) return false;
    const { messages, afterAppend, ack, committed } = raft.ready();
    this.#wire.push(...messages);
    for (const message of afterAppend) {
      if (message.to === raft.id) raft.step(message);
      else this.#wire.push(message);
    }
    if (ack !== undefined) raft.appendDone(ack);
    const last = committed.at(-1);
    if (last === undefined) return true;
    raft.applyDone(last.index);
    raft.compact(last.index - Math.min(last.index, 100));
    return true;
  }
}

function throughRaft(group: Group, batch: number): number {
  const proposals: Proposal[] = Array.from({ length: batch }, () => ({
    kind: entryKinds.normal,
    data,
  }));
  const started = performance.now();
  const goal = group.leader.lastIndex + entriesPerRound;
  while (group.leader.lastIndex < goal) {
    const refusal = group.leader.propose(proposals);
    if (refusal !== undefined) throw new Error(`a proposal was refused: ${refusal}`);
    group.settle();
  }
  if (group.applied < goal)
    throw new Error(`only ${group.applied} of ${goal} entries were applied`);
  return entriesPerRound / ((performance.now() - started) / 1_000);
}

function bare(batch: number): number {
  const started = performance.now();
  let logs: Entry[][] = [[], [], []];
  for (let index = 1; index <= entriesPerRound; index++) {
    const entry = { index, term: 1, kind: entryKinds.normal, data };
    for (const log of logs) log.push(entry);
    if (index % batch === 0) logs = [[], [], []];
  }
  return entriesPerRound / ((performance.now() - started) / 1_000);
}

const median = (values: number[]): number =>
  must(values.sort((a, b) => a - b)[Math.floor(values.length / 2)]);

const { values } = parseArgs({
  options: { batch: { type: "string", default: "64" }, rounds: { type: "string", default: "10" } },
});
const batch = Number(values.batch);
const rounds = Number(values.rounds);
const group = new Group();
group.leader.campaign();
group.settle();
throughRaft(group, batch);
bare(batch);
const raft: number[] = [];
const arrays: number[] = [];
for (let round = 0; round < rounds; round++) {
  raft.push(throughRaft(group, batch));
  arrays.push(bare(batch));
}
const perSecond = median(raft);
process.stdout.write(
  `${Math.round(perSecond).toLocaleString("en")} entries/s through three cores in batches of ${batch} ` +
    `(target ${targetPerSecond.toLocaleString("en")}: ${perSecond >= targetPerSecond ? "met" : "MISSED"}), ` +
    `${(perSecond / median(arrays)).toFixed(3)} of putting them into three arrays; ` +
    `from ${Math.round(Math.min(...raft)).toLocaleString("en")} to ${Math.round(Math.max(...raft)).toLocaleString("en")}\n`,
);
