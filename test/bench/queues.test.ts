import { suite, test } from "node:test";
import assert from "node:assert/strict";

import { BeanstalkdDecoder } from "../../bench/brokers/beanstalkd.ts";
import { BULK, bulksInFlight, inFlight, payloadText } from "../../bench/brokers/broker.ts";
import {
  DEPTH_TARGET,
  IDLE_TARGET,
  MEMORY_TARGET,
  QUEUE_TARGETS,
  queueCells,
  SESSIONS_TARGET,
} from "../../bench/queue-cells.ts";
import type { QueueMemoryResult } from "../../bench/queue-memory.ts";
import { type Finding, findings, type QueueResults } from "../../bench/queue-report.ts";
import { BROKERS, type BrokerName, chooseServers, STORES } from "../../bench/servers.ts";
import type { Run } from "../../bench/table.ts";

const nothing: QueueResults = { cells: [], depth: undefined, memory: [], idle: undefined };

function run(perSecond: number, other = 0): Run {
  return { perSecond, cpu: { server: 90, client: 70, other } };
}

function memoryOf(broker: "truba" | "bullmq", megabytes: number, tasks: number): QueueMemoryResult {
  return {
    broker,
    tasks,
    emptyBytes: 0,
    loadSeconds: 1,
    loadedBytes: megabytes * 2 ** 20,
    peakBytes: 0,
    diskBytes: 0,
    restartSeconds: 2,
    restartNoisy: false,
    restartedBytes: 0,
  };
}

function found(results: Partial<QueueResults>, word: string): Finding {
  const finding = findings({ ...nothing, ...results }, QUEUE_TARGETS).find(({ what }) =>
    what.includes(word),
  );
  assert.ok(finding, word);
  return finding;
}

function depthVerdict(ratio: number, waiting: number, noisy = false): string {
  const depth = { waiting, deepPerSecond: 1, emptyPerSecond: 1, ratio, noisy };
  return found({ depth }, "priority queue").verdict;
}

function idleVerdict(percent: number, consumers: number): string {
  const idle = { consumers, seconds: 10, percent, basePercent: 0, wakeMs: 1 };
  return found({ idle }, "consumers waiting").verdict;
}

function sessionsVerdict(...runs: Run[]): string {
  const cells = queueCells().filter(({ name }) => name === SESSIONS_TARGET.cell);
  const [cell] = cells;
  if (cell !== undefined) cell.samples.truba = runs;
  return found({ cells }, SESSIONS_TARGET.cell).verdict;
}

function bothMemories(trubaMegabytes: number): QueueMemoryResult[] {
  const { tasks } = MEMORY_TARGET;
  return [memoryOf("truba", trubaMegabytes, tasks), memoryOf("bullmq", 600, tasks)];
}

const silent = (): void => {};

suite("cells of the benchmark of queues", () => {
  test("every target names a cell that is run, by both that it compares", () => {
    const cells = queueCells();
    const brokersOf = (name: string): readonly BrokerName[] | undefined =>
      cells.find((cell) => cell.name === name)?.brokers;
    for (const { cell, of, to } of QUEUE_TARGETS)
      for (const name of [of, to])
        assert.ok(
          brokersOf(cell)?.some((one) => one === name),
          cell,
        );
    assert.ok(brokersOf(SESSIONS_TARGET.cell)?.includes("truba"));
  });

  test("records are not measured against brokers, nor the other way round", () => {
    assert.throws(() => chooseServers("rabbitmq", STORES, silent), /no server "rabbitmq"/);
    assert.throws(() => chooseServers("truba,bare", BROKERS, silent), /no server "bare"/);
  });
});

suite("the load of the benchmark of queues", () => {
  test("no more than the width is in flight, and each thing is done once", async () => {
    const seen: number[] = [];
    let now = 0;
    let most = 0;
    await inFlight(100, 7, async (index) => {
      most = Math.max(most, ++now);
      seen.push(index);
      await new Promise((resolve) => setImmediate(resolve));
      now--;
    });
    assert.equal(most, 7);
    assert.deepEqual(
      seen.toSorted((a, b) => a - b),
      Array.from({ length: 100 }, (_, i) => i),
    );
  });

  test("bulks cover the count without a gap, the last one smaller", async () => {
    const bulks: [number, number][] = [];
    await bulksInFlight(2 * BULK + 1, async (from, size) => bulks.push([from, size]));
    assert.deepEqual(bulks, [
      [0, BULK],
      [BULK, BULK],
      [2 * BULK, 1],
    ]);
  });

  test("a failure ends the load", async () => {
    const failing = inFlight(10, 2, async (index) => {
      if (index === 3) throw new Error("lost");
    });
    await assert.rejects(failing, /lost/);
  });

  test("payloads have their length in bytes", () => {
    for (const bytes of [1, 100, 128]) assert.equal(Buffer.byteLength(payloadText(bytes)), bytes);
  });
});

suite("replies of beanstalkd", () => {
  test("they are decoded however the bytes are cut, bodies with line ends too", () => {
    const bytes = Buffer.from(
      "USING bench\r\nINSERTED 12\r\nRESERVED 12 6\r\na\r\nb\r\n\r\nDELETED\r\nOK 0\r\n\r\n",
    );
    for (const size of [1, 2, 3, 7, bytes.length]) {
      const decoder = new BeanstalkdDecoder();
      const replies = [];
      for (let at = 0; at < bytes.length; at += size)
        replies.push(...decoder.push(Buffer.from(bytes.subarray(at, at + size))));
      assert.deepEqual(
        replies.map(({ words, body }) => [words.join(" "), body?.toString()]),
        [
          ["USING bench", undefined],
          ["INSERTED 12", undefined],
          ["RESERVED 12 6", "a\r\nb\r\n"],
          ["DELETED", undefined],
          ["OK 0", ""],
        ],
      );
    }
  });

  test("a body without a length is refused", () => {
    assert.throws(() => new BeanstalkdDecoder().push(Buffer.from("RESERVED 1 x\r\n")), /no reply/);
  });
});

suite("verdicts on queues", () => {
  test("what was not measured is said to be so", () => {
    for (const { verdict } of findings(nothing, QUEUE_TARGETS))
      assert.equal(verdict, "not measured");
  });

  test("sessions are held against an absolute rate, quiet rounds only", () => {
    assert.equal(sessionsVerdict(run(15_000), run(1, 31)), "met");
    assert.equal(sessionsVerdict(run(14_999)), "missed");
    assert.equal(sessionsVerdict(run(99_000, 31)), "disturbed");
  });

  test("a push into a deep queue may cost half as much again, and the queue must be deep", () => {
    const { waiting, atMost } = DEPTH_TARGET;
    assert.equal(depthVerdict(atMost, waiting), "met");
    assert.equal(depthVerdict(atMost + 0.01, waiting), "missed");
    assert.equal(depthVerdict(1, waiting, true), "disturbed");
    assert.equal(depthVerdict(1, waiting - 1), "not measured");
  });

  test("memory is held against BullMQ of the same run, or of an earlier one", () => {
    const { tasks } = MEMORY_TARGET;
    assert.equal(found({ memory: bothMemories(300) }, "RSS").verdict, "met");
    assert.equal(found({ memory: bothMemories(301) }, "RSS").verdict, "missed");
    const alone = found({ memory: [memoryOf("truba", 346, tasks)] }, "RSS");
    assert.equal(alone.verdict, "met");
    assert.match(alone.measured, /measured earlier/);
    const few = found({ memory: [memoryOf("truba", 1, tasks - 1)] }, "RSS");
    assert.equal(few.verdict, "not measured");
    assert.equal(found({ memory: bothMemories(1) }, "kill -9").verdict, "met");
    const disturbed = { ...memoryOf("truba", 1, tasks), restartNoisy: true };
    assert.equal(found({ memory: [disturbed] }, "kill -9").verdict, "disturbed");
  });

  test("waiting consumers may use a hundredth of a core", () => {
    assert.equal(idleVerdict(1, IDLE_TARGET.consumers), "met");
    assert.equal(idleVerdict(1.1, IDLE_TARGET.consumers), "missed");
    assert.equal(idleVerdict(0, 10), "not measured");
  });
});
