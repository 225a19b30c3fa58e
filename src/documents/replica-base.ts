/**
 * A document as of a settled place in its order, as plain JSON for a checkpoint: from it and from what came behind it the same replica comes to be again. Sources stand in lists, not as member names, so
 * that no name is special.
 */
import type { Json } from "../patch/json.ts";
import type { Source } from "./vocabulary.ts";

/** `[ms, counter]` */
export type StampJson = readonly [number, number];

export interface ReplicaBase {
  readonly version: 1;
  /** The document behind the settled transactions. */
  readonly value: Json;
  /** Order key of the last settled transaction: `[ms, counter, source, id]`; `null`: there is none. */
  readonly key: readonly [number, number, Source, number] | null;
  /** How many are settled, how many of these were rejected, and how many of them are final. */
  readonly transactions: number;
  readonly rejected: number;
  readonly final: number;
  readonly frontier: StampJson;
  readonly sources: readonly SourceBase[];
  /** Adoptions of what is not settled: `[source, first id, last id, ms, counter, adopter]`. */
  readonly adoptions: readonly (readonly [Source, number, number, number, number, Source])[];
  /** Members that were named by others. */
  readonly joined: readonly Source[];
  readonly evictions: readonly EvictionBase[];
}

export interface SourceBase {
  readonly source: Source;
  /** Its first so many transactions are settled. What is to be restored: those above. */
  readonly count: number;
  /** Ids above `count` that are settled as well: only of a source whose stamps go back. */
  readonly ahead?: readonly number[];
  /** Its last stamp among the first `count`; absent: a plain peer. */
  readonly stamp?: StampJson;
  /** It counts from 0: on the wire its Ids are one less. */
  readonly zeroBased?: true;
  /** What it had seen of others. */
  readonly seen?: readonly (readonly [Source, number])[];
}

export interface EvictionBase {
  readonly source: Source;
  /** Lists of members who must answer, one for each time it was asked. */
  readonly asked: readonly (readonly Source[])[];
  /** Who has answered, and how many transactions of `source` it holds. */
  readonly frozen: readonly (readonly [Source, number])[];
  /** Once known it never gets less. */
  readonly cut?: number;
}
