/** When the client asks, waits, tries again and gives up. Milliseconds. */
export interface Timings {
  /** Between two heartbeats of the node that is connected. */
  readonly heartbeatEveryMs: number;
  /** Without an answer to a heartbeat for so long, the node is lost. */
  readonly silenceMaxMs: number;
  /** For connecting to a node and its first answer. */
  readonly connectMaxMs: number;
  /** A command fails when no known node has answered for so long, or all that answered had something that passes. */
  readonly unreachableMaxMs: number;
  /** The same for a write that was sent: what became of it is worth more patience. */
  readonly outcomeMaxMs: number;
  /** The pause after the first round in which no node answered; it doubles from round to round. */
  readonly pauseFirstMs: number;
  readonly pauseMaxMs: number;
  /** A node that was lost and that others still list is left out of the list for so long: they find out after ten seconds. */
  readonly lostForMs: number;
}

export const timings: Timings = {
  heartbeatEveryMs: 1_000,
  silenceMaxMs: 3_000,
  connectMaxMs: 2_000,
  unreachableMaxMs: 3_000,
  outcomeMaxMs: 10_000,
  pauseFirstMs: 100,
  pauseMaxMs: 1_000,
  lostForMs: 15_000,
};
