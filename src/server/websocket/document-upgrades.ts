/**
 * Where other nodes, plain peers and pages get the transactions of documents:
 *
 *     /ws              the document `default`; /d/NAME/ws another one: whole log, then live
 *     ?since={"a":3}   URL-encoded: what is behind that only
 *     ?truba=1         the asker is a Truba node: both directions, all documents
 */
import { TrubaError } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import { shown } from "../../base/shown-value.ts";
import type { Links } from "../../documents/links/links.ts";
import { defaultDocument, isDocumentName } from "../../documents/document-name.ts";
import { protocolVersion, vclockOf } from "../../documents/links/wire.ts";
import type { VectorClock } from "../../documents/vocabulary.ts";
import type { UpgradeCall, UpgradeRoute } from "./upgrades.ts";
import { versionHeader } from "./web-socket-dialer.ts";

/** Of those that are only to listen. */
const listenerMessageMaxBytes = 65_536;

export function documentUpgrades(links: Links): readonly UpgradeRoute[] {
  return ["/ws", "/d/{name}/ws"].map((path) => ({
    path,
    exercise: true,
    role: (query) => (query.has("truba") ? "peer" : "read"),
    open: (call) => open(call, links),
  }));
}

function open(call: UpgradeCall, links: Links): void {
  if (links.stopped)
    throw new TrubaError("SHUTTINGDOWN", "the node is stopping", { retryAfterMs: 1_000 });
  if (links.acceptedCount >= limits.documentLinksMaxCount)
    throw new TrubaError(
      "MAXCONNECTIONS",
      `${links.acceptedCount} links are open; the limit is ${limits.documentLinksMaxCount}`,
      { retryAfterMs: limits.documentRedialMaxMs },
    );
  const given = call.query.get("truba");
  if (given !== null) return openTruba(call, links, given);
  const document = call.parameters.get("name") ?? defaultDocument;
  if (!isDocumentName(document))
    throw new TrubaError(
      "BADDOCUMENTNAME",
      `the name is ${shown(document)}; it must be 1 to ${limits.documentNameMaxBytes} of A-Z a-z 0-9 . _ ~ -`,
    );
  const since = sinceOf(call.query.get("since"));
  const link = call.accept({ maxMessageBytes: listenerMessageMaxBytes, compress: false });
  if (link !== undefined) links.acceptPlain(link, document, since);
}

function openTruba(call: UpgradeCall, links: Links, given: string): void {
  const version = Number(given);
  if (!Number.isSafeInteger(version) || version < 1)
    throw new TrubaError(
      "BADVALUE",
      `truba is ${shown(given)}; it must be a version of the links' protocol, a whole number from 1`,
    );
  const link = call.accept({
    maxMessageBytes: limits.documentMessageMaxBytes,
    compress: true,
    headers: { [versionHeader]: String(Math.min(version, protocolVersion)) },
  });
  if (link !== undefined) links.acceptTruba(link);
}

function sinceOf(given: string | null): VectorClock {
  if (given === null) return {};
  let parsed: unknown;
  try {
    parsed = JSON.parse(given);
  } catch {
    parsed = undefined;
  }
  const since = vclockOf(parsed);
  if (since !== undefined) return since;
  throw new TrubaError(
    "BADVALUE",
    `since is ${shown(given)}; it must be a JSON object with a count for each source, as /vclock answers`,
  );
}
