/** What /metrics tells of documents and of the links that carry them. */
import type { DocumentCounters } from "../../documents/document-counters.ts";
import type { Documents } from "../../documents/documents.ts";
import type { LinkStatus } from "../../documents/vocabulary.ts";
import type { Metric, Sample } from "./metrics-registry.ts";
import { one, sum } from "./surface-metrics.ts";

type Counted = Pick<Documents, "names" | "head" | "links" | "counters" | "watchers">;

export function documentMetrics(documents: Counted): readonly Metric[] {
  return [...stateMetrics(documents), ...changeMetrics(documents), ...linkMetrics(documents)];
}

function stateMetrics(documents: Counted): readonly Metric[] {
  return [
    {
      name: "truba_documents",
      help: "Documents.",
      kind: "gauge",
      read: () => one([...documents.names()].length),
    },
    {
      name: "truba_documents_tentative",
      help: "Documents of which something is not final.",
      kind: "gauge",
      read: () => one(sum(headsOf(documents).map(({ tentative }) => (tentative ? 1 : 0)))),
    },
    {
      name: "truba_document_transactions_held",
      help: "Transactions that all documents hold.",
      kind: "gauge",
      read: () => one(sum(headsOf(documents).map(({ vclock }) => sum(Object.values(vclock))))),
    },
    {
      name: "truba_document_watchers",
      help: "Clients that follow documents.",
      kind: "gauge",
      read: () => one(documents.watchers),
    },
  ];
}

function changeMetrics({ counters }: Counted): readonly Metric[] {
  const counter = (name: string, help: string, read: (of: DocumentCounters) => number): Metric => ({
    name: `truba_document_${name}_total`,
    help,
    kind: "counter",
    read: () => one(read(counters)),
  });
  return [
    {
      name: "truba_document_transactions_total",
      help: "Transactions whose verdict became final since the start, by verdict.",
      kind: "counter",
      labels: ["verdict"],
      read: () =>
        (["ok", "rejected"] as const).map((verdict) => ({
          labels: { verdict },
          value: counters[verdict],
        })),
    },
    {
      name: "truba_document_refused_total",
      help: "What came from peers and was refused: other payloads under a known Id, Ids above the cut of an eviction, what is no transaction.",
      kind: "counter",
      labels: ["reason"],
      read: () =>
        (["forged", "evicted", "malformed"] as const).map((reason) => ({
          labels: { reason },
          value: counters[reason],
        })),
    },
    counter("redone", "Transactions that were undone and done again.", ({ redone }) => redone),
    counter(
      "late",
      "Transactions that came to stand before final ones, because their author was not known.",
      ({ late }) => late,
    ),
    counter(
      "divergences",
      "Members that said another hash for the same vector clock. More than 0 is an alarm.",
      ({ divergences }) => divergences,
    ),
    {
      name: "truba_document_redone_longest",
      help: "The longest run of transactions that was undone and done again at one time.",
      kind: "gauge",
      read: () => one(counters.redoneLongest),
    },
  ];
}

function linkMetrics(documents: Counted): readonly Metric[] {
  const each = (name: string, help: string, read: (link: LinkStatus) => number): Metric => ({
    name: `truba_document_link_${name}`,
    help,
    kind: "gauge",
    read: () => one(sum(documents.links().map(read))),
  });
  return [
    {
      name: "truba_document_links",
      help: "Links to other nodes, by state and kind.",
      kind: "gauge",
      labels: ["state", "kind"],
      read: () => linksByState(documents.links()),
    },
    each("backlog", "Transactions that links have not sent yet.", ({ backlog }) => backlog),
    each("troubled", "Links with something wrong.", ({ trouble }) => (trouble === "" ? 0 : 1)),
    each(
      "sent_bytes",
      "What the links that are open now have sent, in bytes.",
      ({ bytesSent }) => bytesSent,
    ),
    each(
      "received_bytes",
      "What the links that are open now have received, in bytes.",
      ({ bytesReceived }) => bytesReceived,
    ),
  ];
}

const states = ["up", "connecting", "waiting"] as const;
const kinds = ["truba", "plain", "unknown"] as const;

function linksByState(links: readonly LinkStatus[]): readonly Sample[] {
  return states.flatMap((state) =>
    kinds.map((kind) => ({
      labels: { state, kind },
      value: links.filter((link) => link.state === state && link.kind === kind).length,
    })),
  );
}

function headsOf(documents: Counted) {
  return [...documents.names()].flatMap((name) => documents.head(name) ?? []);
}
