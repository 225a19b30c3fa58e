/** The three ways to a database: in this process, over a connection, over HTTP. What the client promises is tested over each, against a real node. */
import { connect as connectHttp } from "../../src/client/connect-http.ts";
import { connect } from "../../src/client/connect.ts";
import type { SessionDefinition } from "../../src/client/definitions.ts";
import type { Truba, TrubaOptions } from "../../src/client/truba.ts";
import { open } from "../../src/node/open.ts";
import { TestNode } from "./test-node.ts";

export type Way = "in process" | "over RESP" | "over HTTP";

export const ways: readonly Way[] = ["in process", "over RESP", "over HTTP"];

export interface World extends AsyncDisposable {
  readonly db: Truba;
  /** A second client of the same database; in process there is but one. */
  other(): Promise<Truba>;
}

export interface WorldOptions extends TrubaOptions {
  readonly sessions?: readonly SessionDefinition<never, unknown>[];
}

/** A database that nobody has used, reached in one of the ways. */
export async function world(way: Way, options: WorldOptions = {}): Promise<World> {
  const { sessions = [], ...rest } = options;
  if (way === "in process") {
    const db = await open({ memory: true, sessions, ...rest });
    // A database in memory does not keep the process alive, and a test that waits for one of its timers would end.
    const alive = setInterval(() => {}, 1_000);
    return {
      db,
      other: () => Promise.resolve(db),
      async [Symbol.asyncDispose]() {
        clearInterval(alive);
        await db.close();
      },
    };
  }
  const node = await TestNode.start({ sessions });
  const clients: Truba[] = [];
  const client = async (): Promise<Truba> => {
    const made =
      way === "over RESP"
        ? await connect(node.address, rest)
        : await connectHttp(await node.httpUrl(), rest);
    clients.push(made);
    return made;
  };
  return {
    db: await client(),
    other: client,
    async [Symbol.asyncDispose]() {
      for (const made of clients) await made.close();
      await node.stop();
    },
  };
}

/** Resolves when `condition` holds; rejects after five seconds. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  what: string,
): Promise<void> {
  const endMs = Date.now() + 5_000;
  while (!(await condition())) {
    if (Date.now() > endMs) throw new Error(`waited in vain until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

/** The same definition under a name that no other test uses. */
export function fresh<Definition extends { readonly name: string }>(
  definition: Definition,
): Definition {
  return { ...definition, name: `${definition.name}-${Math.random().toString(36).slice(2)}` };
}
