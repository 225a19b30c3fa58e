/**
 * What a caller can ask of documents. They have no partition and take no request id: a request is done by the node that is asked, and takes no part in an atomic group.
 */
import type {
  Accepted,
  Conflict,
  DocumentStatus,
  DocumentView,
  HistoryPage,
  Source,
} from "./documents.ts";

interface DocumentName {
  readonly document: string;
}

interface ChangeConditions {
  /** Hash that the document must have, or `*`: it must exist, or `none`: it must not. */
  readonly ifHash?: string;
  /** Answered when the verdict is final. Default: when it is durable. */
  readonly untilFinal?: boolean;
  /** Nothing is made. */
  readonly dryRun?: boolean;
}

/** Every verb of documents with what it takes and what it answers. */
export interface DocumentRequests {
  "doc.get": {
    request: DocumentName & {
      /** Behind so many transactions of the order, or a time as RFC 3339 has it; see `momentOf`. */
      readonly at?: string;
    };
    response: DocumentView;
  };
  "doc.put": {
    request: DocumentName & ChangeConditions & { /** JSON. */ readonly value: string };
    response: Accepted;
  };
  "doc.patch": {
    request: DocumentName &
      ChangeConditions & {
        /** A JSON Patch (RFC 6902). */
        readonly patch: string;
      };
    response: Accepted;
  };
  "doc.history": {
    request: DocumentName & {
      /** First place, from 1; negative: so many from the end. */
      readonly from?: number;
      readonly count?: number;
      readonly source?: Source;
      readonly verdict?: "ok" | "rejected";
    };
    response: HistoryPage;
  };
  "doc.conflicts": {
    request: DocumentName & { /** Among so many last transactions. */ readonly count?: number };
    response: { readonly conflicts: readonly Conflict[] };
  };
  "doc.status": { request: DocumentName; response: DocumentStatus };
  "doc.list": {
    request: { readonly after?: string; readonly count?: number };
    response: { readonly names: readonly string[] };
  };
  "doc.evict": {
    request: DocumentName & {
      readonly source: Source;
      /** How long to wait for the agreement. Default 0. To ask again does no harm. */
      readonly waitMs?: number;
    };
    /** `null`: not agreed yet. */
    response: { readonly cut: number | null };
  };
}

export type DocumentVerb = keyof DocumentRequests;
export type DocumentRequestOf<V extends DocumentVerb> = DocumentRequests[V]["request"];
export type DocumentResponseOf<V extends DocumentVerb> = DocumentRequests[V]["response"];

/** A verb with its request. */
export type AnyDocumentRequest = {
  readonly [V in DocumentVerb]: { readonly verb: V; readonly request: DocumentRequestOf<V> };
}[DocumentVerb];
