/**
 * Time, as everything below the surfaces sees it. The real one is `SystemClock`; the simulator brings one whose time
 * moves only when nothing is left to run.
 */
export interface Clock {
  /** Milliseconds since 1970-01-01 UTC, whole. May jump either way. */
  wallMs(): number;
  /** Milliseconds since an arbitrary start, with a fraction. Never goes back. */
  monotonicMs(): number;
  /** Runs `task` once, not before `delayMs` milliseconds from now. The timer does not keep a process alive. */
  after(delayMs: number, task: () => void): Timer;
  /** Runs `task` once, after the input that is ready now has been read: one turn of the event loop later. */
  soon(task: () => void): void;
}

/** What `Clock.after` answers. */
export interface Timer {
  /** The task will not run; nothing happens if it has run. */
  cancel(): void;
}

/** Resolves one turn of the event loop later: how long work in slices lets others run. */
export function nextTurn(clock: Clock): Promise<void> {
  return new Promise((resolve) => {
    clock.soon(resolve);
  });
}

/** Resolves after `delayMs` milliseconds. */
export function delay(clock: Clock, delayMs: number): Promise<void> {
  return new Promise((resolve) => {
    clock.after(delayMs, resolve);
  });
}
