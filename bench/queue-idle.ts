/**
 * What waiting costs: a thousand connections that each wait for a task, and one with subscriptions. Before and after the time that counts it is checked that they
 * do wait: a task that is pushed reaches exactly one of them, at once.
 */

import { setTimeout as sleep } from "node:timers/promises";

import { connect, type Truba } from "../src/index.ts";
import { processorSeconds } from "./measure.ts";
import { RespClient } from "./resp-client.ts";
import type { Arena } from "./servers.ts";

const SUBSCRIPTIONS = 10;
/** Longer than the measurement, within what the server allows. */
const WAIT_SECONDS = 60;
const WAKE_TIMEOUT_MS = 1_000;

export interface IdleResult {
  readonly consumers: number;
  readonly seconds: number;
  /** Processor use of the server in percent of one core, with the consumers and before they came. */
  readonly percent: number;
  readonly basePercent: number;
  /** From a push to the consumer that was waiting. */
  readonly wakeMs: number;
}

export interface IdleOptions {
  readonly consumers: number;
  readonly seconds: number;
  /** Until what the start and the connections left behind is done: some seconds after them Node collects garbage once more. */
  readonly settleMs: number;
}

export async function measureIdle(
  arena: Arena,
  { consumers, seconds, settleMs }: IdleOptions,
): Promise<IdleResult> {
  const server = await arena.start("truba");
  await sleep(settleMs);
  const base = await useOver(server.pid, seconds / 2);
  const db = await connect(`127.0.0.1:${server.port}`);
  const waiting: RespClient[] = [];
  try {
    await subscribe(db);
    await db.queue("idle").create();
    for (let i = 0; i < consumers; i++) {
      const client = await RespClient.connect(server.port);
      waiting.push(client);
    }
    const waiters = new Waiters(waiting);
    await waiters.wake(db);
    await sleep(settleMs);
    const percent = await useOver(server.pid, seconds);
    if (waiters.answered !== 1)
      throw new Error(`${waiters.answered - 1} consumers stopped waiting`);
    const wakeMs = await waiters.wake(db);
    return { consumers, seconds, percent, basePercent: base, wakeMs };
  } finally {
    for (const client of waiting) client.close();
    await db.close();
    await arena.remove(server);
  }
}

async function subscribe(db: Truba): Promise<void> {
  for (let i = 0; i < SUBSCRIPTIONS; i++) {
    const queue = db.queue(`subscribed${i}`);
    await queue.create();
    const consumer = queue.consume({ prefetch: 256 });
    // Its database is closed under it in the end.
    consumer.next().catch(() => {});
  }
}

/** Connections that each wait for one task of the queue `idle`. */
class Waiters {
  /** How many got one, or stopped waiting without. */
  answered = 0;
  #woken: (() => void) | undefined;

  constructor(clients: readonly RespClient[]) {
    const answered = (): void => {
      this.answered++;
      this.#woken?.();
    };
    for (const client of clients) {
      // One that is closed while it waits is rejected.
      client.ask("QUEUE.POP", "idle", "WAIT", String(WAIT_SECONDS)).then(answered, () => {});
    }
  }

  /** Pushes one task and resolves to the milliseconds until somebody has it. Rejects unless exactly one has. */
  async wake(db: Truba): Promise<number> {
    const before = this.answered;
    const start = performance.now();
    const ms = await new Promise<number>((resolve, reject) => {
      const tooLate = setTimeout(
        () => reject(new Error(`no consumer got the task within ${WAKE_TIMEOUT_MS} ms`)),
        WAKE_TIMEOUT_MS,
      );
      this.#woken = () => {
        clearTimeout(tooLate);
        resolve(performance.now() - start);
      };
      db.queue("idle").push("wake up").catch(reject);
    });
    await sleep(100);
    if (this.answered !== before + 1)
      throw new Error(`${this.answered - before} consumers were answered for one task`);
    return ms;
  }
}

/** Percent of one core. */
async function useOver(pid: number, seconds: number): Promise<number> {
  const before = processorSeconds(pid);
  const start = performance.now();
  await sleep(seconds * 1_000);
  return ((processorSeconds(pid) - before) / (performance.now() - start)) * 100_000;
}
