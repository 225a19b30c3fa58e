/** Truba by its own client, over one connection. As the server, the client is measured as it ships: compiled, not translated while it is loaded. */

import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";

import { SeededRandom } from "../../src/base/seeded-random.ts";
import type * as library from "../../src/index.ts";
import {
  type Broker,
  HANDLERS,
  IN_FLIGHT,
  PREFETCH,
  type Tasks,
  bulksInFlight,
  inFlight,
  payloadText,
} from "./broker.ts";

type Library = typeof library;

export class TrubaBroker implements Broker {
  readonly #library: Library;
  readonly #db: library.Truba;

  private constructor(library: Library, db: library.Truba) {
    this.#library = library;
    this.#db = db;
  }

  /** `program` is the server's: the client is that of the same build. */
  static async connect(port: number, program: string): Promise<TrubaBroker> {
    const door = pathToFileURL(join(dirname(program), "../index.js"));
    const shipped = (await import(door.href)) as Library;
    return new TrubaBroker(shipped, await shipped.connect(`127.0.0.1:${port}`));
  }

  async make(queue: string, priorities: boolean): Promise<void> {
    const options = priorities ? { priorities: "any" as const } : {};
    await this.#db.queue(this.#library.queue(queue, options)).create();
  }

  push(tasks: Tasks): Promise<number> {
    const one = this.#pusher(tasks);
    return inFlight(tasks.count, IN_FLIGHT, one);
  }

  /** A bulk of ours is nothing but pushes of one turn. */
  pushBulk(tasks: Tasks): Promise<number> {
    const one = this.#pusher(tasks);
    return bulksInFlight(tasks.count, (_from, size) =>
      Promise.all(Array.from({ length: size }, one)),
    );
  }

  async consume(queue: string, count: number): Promise<number> {
    const start = performance.now();
    const consumer = this.#db.queue(queue).consume({ prefetch: PREFETCH });
    let taken = 0;
    let acknowledged = 0;
    await new Promise<void>((resolve, reject) => {
      const done = (): void => {
        if (++acknowledged === count) resolve();
      };
      const take = async (): Promise<void> => {
        for await (const task of consumer) {
          task.ack().then(done, reject);
          if (++taken === count) break;
        }
      };
      take().catch(reject);
    });
    return performance.now() - start;
  }

  async work(queue: string, count: number): Promise<number> {
    const start = performance.now();
    const worker = await new Promise<library.Worker<Uint8Array>>((resolve, reject) => {
      let handled = 0;
      const started = this.#db
        .queue(queue)
        .work({ concurrency: HANDLERS, onError: reject }, async () => {
          if (++handled === count) resolve(started);
        });
    });
    // Resolves when the last acknowledgement is answered.
    await worker.stop();
    return performance.now() - start;
  }

  async sessions(count: number, bytes: number): Promise<number> {
    const sessions = this.#db.sessions("bench");
    const record = Buffer.from(payloadText(bytes));
    return inFlight(count, IN_FLIGHT, async () => {
      const session = await sessions.new();
      await session.append(record);
      await session.delete();
    });
  }

  async popOne(queue: string): Promise<void> {
    const task = await this.#db.queue(queue).pop();
    if (task === undefined) throw new Error(`queue ${queue} is empty`);
    await task.ack();
  }

  close(): Promise<void> {
    return this.#db.close();
  }

  #pusher({ queue, bytes, seed }: Tasks): () => Promise<unknown> {
    const payload = Buffer.from(payloadText(bytes));
    if (seed === undefined) {
      const plain = this.#db.queue(queue);
      return () => plain.push(payload);
    }
    const random = new SeededRandom(seed);
    const prioritized = this.#db.queue(this.#library.queue(queue, { priorities: "any" }));
    return () => prioritized.push(payload, { priority: random.u32() });
  }
}
