/**
 * A broker of tasks as the benchmark uses it, through the client that its users would take, in a process of its own. The same shape of load for all: what is in
 * flight, how much is sent at once and how much is fetched ahead stands here.
 */

/** Pushes without an answer, one connection. */
export const IN_FLIGHT = 64;
/** Tasks that a bulk push carries, and bulks without an answer. */
export const BULK = 100;
export const BULKS_IN_FLIGHT = 8;
/** Tasks that a consumer holds. */
export const PREFETCH = 256;
/** Handlers that a worker runs at a time. */
export const HANDLERS = 64;

export interface Tasks {
  readonly queue: string;
  readonly count: number;
  /** Of each payload. */
  readonly bytes: number;
  /** Priorities are drawn from this seed; without it there are none. */
  readonly seed?: number;
}

/** All but `make`, `close` and `popOne` resolve to the milliseconds that the load took, connections and preparations not counted. */
export interface Broker {
  /** Makes a queue; with priorities, any of 32 bits. */
  make(queue: string, priorities: boolean): Promise<void>;
  /** Pushes tasks one by one, {@link IN_FLIGHT} at a time. Each is durable when it is answered. */
  push(tasks: Tasks): Promise<number>;
  /** Pushes tasks {@link BULK} by {@link BULK}, {@link BULKS_IN_FLIGHT} bulks at a time. */
  pushBulk(tasks: Tasks): Promise<number>;
  /** Takes and acknowledges `count` tasks that wait, {@link PREFETCH} in hand; what it resolves behind is durable. */
  consume(queue: string, count: number): Promise<number>;
  /** The same by the client's worker, with {@link HANDLERS} handlers that do nothing. */
  work?(queue: string, count: number): Promise<number>;
  /** Opens, appends to and deletes `count` sessions, {@link IN_FLIGHT} at a time. */
  sessions?(count: number, bytes: number): Promise<number>;
  /** Takes one task and acknowledges it; rejects if there is none. */
  popOne?(queue: string): Promise<void>;
  close(): Promise<void>;
}

/** Does `count` things, at most `width` at a time, and resolves to the milliseconds until all are done. */
export async function inFlight(
  count: number,
  width: number,
  one: (index: number) => Promise<unknown>,
): Promise<number> {
  const start = performance.now();
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < count) await one(next++);
  };
  await Promise.all(Array.from({ length: Math.min(width, count) }, lane));
  return performance.now() - start;
}

/** As {@link inFlight}, for bulks: `bulk` is told where it begins and how many things it has. */
export function bulksInFlight(
  count: number,
  bulk: (from: number, size: number) => Promise<unknown>,
): Promise<number> {
  return inFlight(Math.ceil(count / BULK), BULKS_IN_FLIGHT, (index) =>
    bulk(index * BULK, Math.min(BULK, count - index * BULK)),
  );
}

/** Letters and digits without a pattern. */
export function payloadText(bytes: number): string {
  let text = "";
  for (
    let state = 1;
    text.length < bytes;
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
  )
    text += state.toString(36);
  return text.slice(0, bytes);
}
