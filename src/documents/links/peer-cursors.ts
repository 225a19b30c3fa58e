/**
 * What one peer holds of each document, as far as it is known, and so what it is to be sent next: a count for each source, no queue.
 *
 *     said ≤ what the peer holds        it said so
 *     said ≤ sent ≤ what we hold        what is between said and sent is on its way, or was lost by the peer
 *
 * What was sent and is not confirmed, although the peer tells how it stands, is sent again after a while: after two heartbeats at first, then more and more rarely. A
 * source that the peer has a link to itself is left to that link, unless the peer lags for two heartbeats.
 */
import { limits } from "../../base/limits.ts";
import { countIn } from "../vector-clock.ts";
import type { Source, VectorClock } from "../vocabulary.ts";

interface SourceCursor {
  /** How many the peer said it holds. */
  said: number;
  /** How many it has been sent, or said to hold. */
  sent: number;
  /** When either went forward, or what was sent was sent again. */
  movedMs: number;
  /** How long what was sent may stay unconfirmed. */
  patienceMs: number;
  /** Since when something is left to another link; -1: nothing is. */
  leftSinceMs: number;
}

const patienceFirstMs = 2 * limits.documentHeartbeatMs;
const patienceLastMs = 64 * limits.documentHeartbeatMs;

/** A source of which there is something to send. */
export interface Behind {
  readonly source: Source;
  /** What it is to be sent comes behind the first so many. */
  readonly count: number;
}

export class PeerCursors {
  readonly #documents = new Map<string, Map<Source, SourceCursor>>();
  #direct: ReadonlySet<Source> = new Set();

  /** The sources to which the peer has links itself, and its own. */
  setDirect(sources: Iterable<Source>): void {
    this.#direct = new Set(sources);
  }

  /** The peer has said what it holds. Returns whether something is to be sent again. */
  said(document: string, vclock: VectorClock, nowMs: number): boolean {
    const cursors = this.#of(document);
    let again = false;
    for (const [source, cursor] of cursors) {
      const count = countIn(vclock, source);
      if (count > cursor.said) {
        cursor.said = count;
        cursor.movedMs = nowMs;
        cursor.patienceMs = patienceFirstMs;
        // It gets on, so what is left to its own link may go on being left.
        if (cursor.leftSinceMs >= 0) cursor.leftSinceMs = nowMs;
      }
      if (cursor.sent <= cursor.said) {
        cursor.sent = cursor.said;
        continue;
      }
      if (nowMs - cursor.movedMs < cursor.patienceMs) continue;
      cursor.sent = cursor.said;
      cursor.movedMs = nowMs;
      cursor.patienceMs = Math.min(2 * cursor.patienceMs, patienceLastMs);
      again = true;
    }
    for (const [source, count] of Object.entries(vclock)) {
      if (!cursors.has(source)) cursors.set(source, cursorAt(count, nowMs));
    }
    return again;
  }

  /** The peer has sent a transaction of the source under this Id, so it holds as many. */
  holds(document: string, source: Source, id: number, nowMs: number): void {
    const cursors = this.#of(document);
    const cursor = cursors.get(source);
    if (cursor === undefined) cursors.set(source, cursorAt(id, nowMs));
    else if (id > cursor.said) {
      cursor.said = id;
      cursor.sent = Math.max(cursor.sent, id);
    }
  }

  /** The peer wants to have again what is behind these counts. */
  wanted(document: string, from: VectorClock): void {
    const cursors = this.#of(document);
    for (const [source, count] of Object.entries(from)) {
      const cursor = cursors.get(source);
      if (cursor === undefined) continue;
      cursor.said = Math.min(cursor.said, count);
      cursor.sent = Math.min(cursor.sent, count);
      cursor.leftSinceMs = -1;
    }
  }

  /** What was sent of the document was not taken: it begins again where the peer said it was. */
  rewind(document: string): void {
    for (const cursor of this.#of(document).values()) cursor.sent = cursor.said;
  }

  /** Of a document of which this node holds `vclock`, the sources that are to be sent; those that are left to other links are told to `left`. */
  behind(
    document: string,
    vclock: VectorClock,
    own: Source,
    nowMs: number,
    left: () => void,
  ): readonly Behind[] {
    const cursors = this.#of(document);
    const behind: Behind[] = [];
    for (const [source, held] of Object.entries(vclock)) {
      let cursor = cursors.get(source);
      if (cursor === undefined) {
        cursor = cursorAt(0, nowMs);
        cursors.set(source, cursor);
      }
      if (cursor.sent >= held) {
        cursor.leftSinceMs = -1;
        continue;
      }
      if (source !== own && this.#direct.has(source)) {
        if (cursor.leftSinceMs < 0) cursor.leftSinceMs = nowMs;
        if (nowMs - cursor.leftSinceMs < patienceFirstMs) {
          left();
          continue;
        }
      }
      behind.push({ source, count: cursor.sent });
    }
    return behind;
  }

  /** So many more were sent behind the first `from`. Returns false, and nothing changes, if the cursor is no longer there. */
  sent(document: string, source: Source, from: number, more: number, nowMs: number): boolean {
    const cursor = this.#of(document).get(source);
    if (cursor === undefined || cursor.sent !== from) return false;
    cursor.sent += more;
    cursor.movedMs = nowMs;
    return true;
  }

  /** Whether the peer has been sent what it has not confirmed. */
  unconfirmed(document: string): boolean {
    for (const cursor of this.#of(document).values()) if (cursor.sent > cursor.said) return true;
    return false;
  }

  /** Whether the peer has said that it holds anything of the document. */
  holdsAny(document: string): boolean {
    for (const cursor of this.#of(document).values()) if (cursor.said > 0) return true;
    return false;
  }

  /** Transactions that the peer has not been sent. */
  backlog(document: string, vclock: VectorClock): number {
    const cursors = this.#of(document);
    let backlog = 0;
    for (const [source, held] of Object.entries(vclock))
      backlog += Math.max(0, held - (cursors.get(source)?.sent ?? 0));
    return backlog;
  }

  #of(document: string): Map<Source, SourceCursor> {
    let cursors = this.#documents.get(document);
    if (cursors === undefined) {
      cursors = new Map();
      this.#documents.set(document, cursors);
    }
    return cursors;
  }
}

function cursorAt(count: number, nowMs: number): SourceCursor {
  return {
    said: count,
    sent: count,
    movedMs: nowMs,
    patienceMs: patienceFirstMs,
    leftSinceMs: -1,
  };
}
