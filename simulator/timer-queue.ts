/**
 * Timers by (due, creation): a binary heap. A cancelled one stays until its time comes, or until half of the heap is cancelled:
 * heartbeats cancel far more timers than run.
 */
import { must } from "../src/base/assert.ts";
import type { Timer } from "../src/base/clock.ts";

export class TimerQueue {
  #heap: QueuedTimer[] = [];
  #created = 0;
  #cancelled = 0;

  get size(): number {
    return this.#heap.length - this.#cancelled;
  }

  add(dueMs: number, task: () => void): Timer {
    const timer = new QueuedTimer(dueMs, this.#created++, task, this);
    this.#heap.push(timer);
    this.#up(this.#heap.length - 1);
    return timer;
  }

  /** When the first timer is due; `undefined` without timers. */
  nextDueMs(): number | undefined {
    for (;;) {
      const first = this.#heap[0];
      if (first === undefined || first.task !== undefined) return first?.dueMs;
      this.#removeFirst();
      this.#cancelled--;
    }
  }

  /** Takes out the first timer's task if it is due at `nowMs`. */
  takeDue(nowMs: number): (() => void) | undefined {
    const due = this.nextDueMs();
    if (due === undefined || due > nowMs) return undefined;
    const first = this.#removeFirst();
    const { task } = first;
    first.task = undefined;
    return task;
  }

  /** Called by a timer of this queue when it is cancelled. */
  noteCancelled(): void {
    this.#cancelled++;
    if (this.#cancelled < 64 || this.#cancelled * 2 < this.#heap.length) return;
    // What is sorted is also a heap.
    this.#heap = this.#heap.filter((timer) => timer.task !== undefined).sort(compare);
    this.#cancelled = 0;
  }

  #removeFirst(): QueuedTimer {
    const first = must(this.#heap[0]);
    const last = must(this.#heap.pop());
    if (this.#heap.length > 0) {
      this.#heap[0] = last;
      this.#down();
    }
    return first;
  }

  #up(from: number): void {
    let index = from;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (compare(must(this.#heap[parent]), must(this.#heap[index])) <= 0) return;
      this.#swap(parent, index);
      index = parent;
    }
  }

  #down(): void {
    let index = 0;
    for (;;) {
      let least = index;
      for (let child = 2 * index + 1; child <= 2 * index + 2; child++) {
        const candidate = this.#heap[child];
        if (candidate !== undefined && compare(candidate, must(this.#heap[least])) < 0)
          least = child;
      }
      if (least === index) return;
      this.#swap(least, index);
      index = least;
    }
  }

  #swap(a: number, b: number): void {
    const kept = must(this.#heap[a]);
    this.#heap[a] = must(this.#heap[b]);
    this.#heap[b] = kept;
  }
}

class QueuedTimer implements Timer {
  readonly dueMs: number;
  readonly order: number;
  /** `undefined` once it has run or was cancelled. */
  task: (() => void) | undefined;
  readonly #queue: TimerQueue;

  constructor(dueMs: number, order: number, task: () => void, queue: TimerQueue) {
    this.dueMs = dueMs;
    this.order = order;
    this.task = task;
    this.#queue = queue;
  }

  cancel(): void {
    if (this.task === undefined) return;
    this.task = undefined;
    this.#queue.noteCancelled();
  }
}

function compare(a: QueuedTimer, b: QueuedTimer): number {
  return a.dueMs - b.dueMs || a.order - b.order;
}
