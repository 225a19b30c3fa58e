/** A node, and a client of it in each of the three ways; the node is at hand, to play what other nodes do. */
import { SystemClock } from "../../src/base/system-clock.ts";
import { SystemRandom } from "../../src/base/system-random.ts";
import { connect as connectHttp } from "../../src/client/connect-http.ts";
import { connect } from "../../src/client/connect.ts";
import { Truba } from "../../src/client/truba.ts";
import type { Documents } from "../../src/documents/documents.ts";
import { LocalChannel } from "../../src/node/local-channel.ts";
import { TestNode } from "./test-node.ts";
import type { Way } from "./ways.ts";

export interface DocumentWorld extends AsyncDisposable {
  readonly db: Truba;
  readonly node: TestNode;
  readonly documents: Documents;
  /** How many follow a document of the node now. */
  watching(): number;
}

export async function documentWorld(way: Way): Promise<DocumentWorld> {
  const node = await TestNode.start();
  const { documents } = node.node;
  let watching = 0;
  const watch = documents.watch.bind(documents);
  documents.watch = (name, listener) => {
    const begun = watch(name, listener);
    watching++;
    return {
      resume: () => begun.resume(),
      close() {
        watching--;
        begun.close();
      },
    };
  };
  const db = await clientOf(node, way);
  // A database in process does not keep the process alive.
  const alive = setInterval(() => {}, 1_000);
  return {
    db,
    node,
    documents,
    watching: () => watching,
    async [Symbol.asyncDispose]() {
      clearInterval(alive);
      await db.close();
      await node.stop();
    },
  };
}

async function clientOf(node: TestNode, way: Way): Promise<Truba> {
  if (way === "over RESP") return connect(node.address);
  if (way === "over HTTP") return connectHttp(await node.httpUrl());
  const clock = new SystemClock();
  return new Truba(new LocalChannel(node.node, clock, () => Promise.resolve()), {
    clock,
    random: new SystemRandom(),
  });
}

/** What a plain peer sends. */
export function fromPeer(documents: Documents, id: number, ...operations: readonly object[]) {
  const transaction = { source: "peer", id, payload: JSON.stringify(operations) };
  return documents.receive("default", [transaction], { source: null, kind: "plain" });
}
