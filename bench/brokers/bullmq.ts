/** BullMQ on a Redis that syncs its file before it answers, by the driver that BullMQ's users take. Done jobs are removed, as everywhere else here. */

import { Queue, Worker } from "bullmq";
import { Redis } from "ioredis6";

import {
  type Broker,
  HANDLERS,
  IN_FLIGHT,
  type Tasks,
  bulksInFlight,
  inFlight,
  payloadText,
} from "./broker.ts";

/** An option of the worker: as one of each job it would be stored with each job. */
const keepNothing = { removeOnComplete: { count: 0 }, removeOnFail: { count: 0 } } as const;

export class BullMqBroker implements Broker {
  readonly #port: number;
  readonly #connection: Redis;
  readonly #queues = new Map<string, Queue>();

  private constructor(port: number) {
    this.#port = port;
    this.#connection = this.#open();
  }

  static async connect(port: number): Promise<BullMqBroker> {
    const broker = new BullMqBroker(port);
    await broker.#connection.ping();
    return broker;
  }

  async make(queue: string): Promise<void> {
    await this.#queue(queue).waitUntilReady();
  }

  push({ queue, count, bytes }: Tasks): Promise<number> {
    const jobs = this.#queue(queue);
    const data = { payload: payloadText(bytes) };
    return inFlight(count, IN_FLIGHT, () => jobs.add("task", data));
  }

  pushBulk({ queue, count, bytes }: Tasks): Promise<number> {
    const jobs = this.#queue(queue);
    const job = { name: "task", data: { payload: payloadText(bytes) } };
    return bulksInFlight(count, (_from, size) =>
      jobs.addBulk(Array.from({ length: size }, () => job)),
    );
  }

  /** BullMQ consumes by workers only. */
  consume(queue: string, count: number): Promise<number> {
    return this.work(queue, count);
  }

  async work(queue: string, count: number): Promise<number> {
    const connection = this.#open();
    const worker = new Worker(queue, async () => {}, {
      connection,
      concurrency: HANDLERS,
      autorun: false,
      ...keepNothing,
    });
    await worker.waitUntilReady();
    const start = performance.now();
    await new Promise<void>((resolve, reject) => {
      let completed = 0;
      worker.on("completed", () => {
        if (++completed === count) resolve();
      });
      worker.on("failed", (_job, error) => reject(error));
      worker.on("error", reject);
      worker.run().catch(reject);
    });
    const ms = performance.now() - start;
    await worker.close();
    connection.disconnect();
    return ms;
  }

  async popOne(queue: string): Promise<void> {
    const worker = new Worker(queue, undefined, { connection: this.#connection, autorun: false });
    const job = await worker.getNextJob("bench");
    if (job === undefined) throw new Error(`queue ${queue} is empty`);
    await job.moveToCompleted(undefined, "bench", false);
    await worker.close();
  }

  async close(): Promise<void> {
    for (const queue of this.#queues.values()) await queue.close();
    this.#connection.disconnect();
  }

  #open(): Redis {
    // A worker's connection must not give up by itself.
    return new Redis({ port: this.#port, host: "127.0.0.1", maxRetriesPerRequest: null });
  }

  #queue(name: string): Queue {
    let queue = this.#queues.get(name);
    if (queue === undefined) {
      queue = new Queue(name, { connection: this.#connection });
      this.#queues.set(name, queue);
    }
    return queue;
  }
}
