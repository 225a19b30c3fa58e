/** The documents of a node: opened with it, served by its turns, refused and stopped as everything of it. */
import type { Environment } from "../base/environment.ts";
import { TrubaError } from "../base/errors.ts";
import { Documents } from "../documents/documents.ts";
import type { ErrorOutcome } from "../machines/outcome.ts";
import type { OpenedDirectory } from "./node-start.ts";

/** Throws TrubaError DATADAMAGED or DATAVERSION when their journal cannot be read. */
export function openDocuments(
  { files, clock, random, logger }: Environment,
  { path, wal, identity, entryMaxBytes, historyDays }: OpenedDirectory,
  wake: () => void,
): Promise<Documents> {
  return Documents.open({
    files,
    clock,
    random,
    logger,
    wal,
    directory: `${path}/documents`,
    source: identity.name,
    nodeId: identity.nodeId,
    entryMaxBytes,
    wake,
    historyDays,
  });
}

/** Why documents are not written, from why operations are not. */
export function refusalOf(outcome: ErrorOutcome | undefined): TrubaError | undefined {
  if (outcome === undefined) return undefined;
  const { code, text, retryAfterMs } = outcome;
  return new TrubaError(code, text, retryAfterMs === undefined ? {} : { retryAfterMs });
}
