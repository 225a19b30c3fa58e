/** Does requests about documents, for the surfaces that have them as plain objects. */
import type { Clock } from "../base/clock.ts";
import type { ChangeOptions, DocumentService } from "../documents/vocabulary.ts";
import type {
  AnyDocumentRequest,
  DocumentRequestOf,
  DocumentResponseOf,
} from "../protocol/document-requests.ts";
import { momentOf } from "../protocol/moment.ts";

/** The node, as requests about documents see it. */
export interface DocumentNode {
  readonly documents: DocumentService;
  readonly clock: Clock;
}

/** A day: timers go no further than some weeks. */
const waitMaxMs = 86_400_000;

/** Rejects with TrubaError, or with the signal's reason. What was begun then may still be done. */
export async function callDocument(
  { documents, clock }: DocumentNode,
  asked: AnyDocumentRequest,
  signal?: AbortSignal,
): Promise<object> {
  signal?.throwIfAborted();
  switch (asked.verb) {
    case "doc.get": {
      const { document, at } = asked.request;
      return documents.read(document, at === undefined ? undefined : momentOf(at));
    }
    case "doc.put": {
      const { document, value, ...options } = asked.request;
      return documents.put(document, value, heeding(options, signal));
    }
    case "doc.patch": {
      const { document, patch, ...options } = asked.request;
      return documents.patch(document, patch, heeding(options, signal));
    }
    case "doc.history": {
      const { document, ...query } = asked.request;
      return documents.history(document, query);
    }
    case "doc.conflicts": {
      const { document, count } = asked.request;
      return { conflicts: await documents.conflicts(document, count) };
    }
    case "doc.status":
      return documents.status(asked.request.document);
    case "doc.list":
      return { names: documents.list(asked.request.after, asked.request.count) };
    case "doc.evict":
      return evict({ documents, clock }, asked.request, signal);
    default:
      return asked satisfies never;
  }
}

/** Waits only so long; what was asked for goes on. */
async function evict(
  { documents, clock }: DocumentNode,
  { document, source, waitMs = 0 }: DocumentRequestOf<"doc.evict">,
  signal: AbortSignal | undefined,
): Promise<DocumentResponseOf<"doc.evict">> {
  const waiting = new AbortController();
  const timer = clock.after(Math.min(waitMs, waitMaxMs), () => waiting.abort());
  const abort = (): void => waiting.abort(signal?.reason);
  signal?.addEventListener("abort", abort, { once: true });
  try {
    return { cut: await documents.evict(document, source, waiting.signal) };
  } catch (error) {
    if (error === waiting.signal.reason && signal?.aborted !== true) return { cut: null };
    throw error;
  } finally {
    timer.cancel();
    signal?.removeEventListener("abort", abort);
  }
}

function heeding(options: ChangeOptions, signal: AbortSignal | undefined): ChangeOptions {
  return signal === undefined ? options : { ...options, signal };
}
