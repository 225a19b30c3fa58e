/** What `truba doc …` does: each command is a client of one node for as long as it runs. */
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { text as textOfStream } from "node:stream/consumers";
import { errorText, TrubaError } from "../base/errors.ts";
import { shown } from "../base/shown-value.ts";
import { SystemClock } from "../base/system-clock.ts";
import { SystemRandom } from "../base/system-random.ts";
import type { DocumentChangeOptions } from "../client/document.ts";
import { RespChannel } from "../client/resp-channel.ts";
import { Truba } from "../client/truba.ts";
import type { Json } from "../base/json.ts";
import { inexactNumber, parseJson } from "../patch/json-text.ts";
import { parseAddress } from "./address.ts";
import { badUsageExitCode, CommandFailure } from "./command-failure.ts";
import {
  acceptedText,
  conflictsText,
  documentStatusText,
  documentText,
  historyText,
  updateText,
} from "./doc-text.ts";
import { cellText, jsonLine } from "./output.ts";
import { networkOf, tokenOf } from "./reach.ts";
import type { ReachFlags } from "./reach-flags.ts";

/** No node answered, or it did not want us. */
const noConnectionExitCode = 3;

interface DocFlags extends ReachFlags {
  readonly address: string;
  readonly json: boolean;
}

interface ChangeFlags extends DocFlags {
  readonly file?: string | undefined;
  readonly ifHash?: string | undefined;
  readonly final: boolean;
  readonly dryRun: boolean;
}

export async function runGet(
  name: string,
  flags: DocFlags & { readonly at?: string | undefined },
): Promise<void> {
  const { at } = flags;
  await withNode(flags, async (db) => {
    const state = await db.document(name).get(at === undefined ? {} : { at });
    await print(flags.json ? jsonLine({ name, ...state }) : documentText(state.value, isWatched()));
  });
}

export async function runList(flags: DocFlags): Promise<void> {
  await withNode(flags, async (db) => {
    const names: string[] = [];
    for (;;) {
      const after = names.at(-1);
      const page = await db.documents({ count: 1_000, ...(after === undefined ? {} : { after }) });
      names.push(...page);
      if (page.length < 1_000) break;
    }
    await print(flags.json ? jsonLine({ names }) : names.map((name) => `${name}\n`).join(""));
  });
}

/** Throws CommandFailure when there is no JSON, or it is none. */
export async function runChange(
  kind: "patch" | "put",
  { name, text }: { readonly name: string; readonly text: string | undefined },
  flags: ChangeFlags,
): Promise<void> {
  const json = await jsonGiven(kind, text, flags.file);
  const options: DocumentChangeOptions = {
    until: flags.final ? "final" : "durable",
    ...(flags.ifHash === undefined ? {} : { ifHash: flags.ifHash }),
    ...(flags.dryRun ? { dryRun: true } : {}),
  };
  await withNode(flags, async (db) => {
    const document = db.document(name);
    const accepted =
      kind === "patch"
        ? await document.patch(json, options)
        : await document.put(exactValue(json), options);
    if (flags.json) await print(jsonLine(accepted));
    else if (accepted.text !== undefined)
      await print(documentText(parseJson(accepted.text, "the document"), isWatched()));
    else await print(acceptedText(accepted));
    if (accepted.verdict.kind === "rejected") process.exitCode = 1;
  });
}

export async function runHistory(
  name: string,
  flags: DocFlags & {
    readonly from: number;
    readonly count: number;
    readonly source?: string | undefined;
    readonly rejected: boolean;
  },
): Promise<void> {
  const { from, count, source, rejected } = flags;
  await withNode(flags, async (db) => {
    const page = await db.document(name).history({
      from,
      count,
      ...(source === undefined ? {} : { source }),
      ...(rejected ? { verdict: "rejected" } : {}),
    });
    await print(flags.json ? page.transactions.map(jsonLine).join("") : historyText(page));
  });
}

export async function runConflicts(
  name: string,
  flags: DocFlags & { readonly count: number },
): Promise<void> {
  await withNode(flags, async (db) => {
    const conflicts = await db.document(name).conflicts({ count: flags.count });
    await print(flags.json ? conflicts.map(jsonLine).join("") : conflictsText(conflicts));
  });
}

export async function runDocStatus(name: string, flags: DocFlags): Promise<void> {
  await withNode(flags, async (db) => {
    const status = await db.document(name).status();
    await print(flags.json ? jsonLine(status) : documentStatusText(status));
  });
}

export async function runEvict(name: string, source: string, flags: DocFlags): Promise<void> {
  await withNode(flags, async (db) => {
    const cut = await interruptible((signal) => db.document(name).evict(source, { signal }));
    if (cut === undefined) {
      process.stderr.write(
        "truba: interrupted; the eviction is asked for, and holds when the members agree\n",
      );
      return;
    }
    const text = `${cellText(source)} is evicted from ${cellText(name)}; ${cut} of its transactions stay\n`;
    await print(flags.json ? jsonLine({ name, source, cut }) : text);
  });
}

export async function runWatch(name: string, flags: DocFlags): Promise<void> {
  await withNode(flags, (db) =>
    interruptible(async (signal) => {
      for await (const update of db.document(name).subscribe({ signal })) {
        const { value, ...rest } = update;
        const told = update.kind === "snapshot" ? { ...rest, value } : rest;
        await print(flags.json ? jsonLine(told) : updateText(update));
      }
    }),
  );
}

/** Until Ctrl-C; `undefined` then. */
async function interruptible<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T | undefined> {
  const interrupted = new AbortController();
  const interrupt = (): void => interrupted.abort();
  process.once("SIGINT", interrupt);
  process.once("SIGTERM", interrupt);
  try {
    return await work(interrupted.signal);
  } catch (error) {
    if (error === interrupted.signal.reason) return undefined;
    throw error;
  } finally {
    process.off("SIGINT", interrupt);
    process.off("SIGTERM", interrupt);
  }
}

/** Throws CommandFailure for whatever goes wrong. */
async function withNode(flags: DocFlags, work: (db: Truba) => Promise<unknown>): Promise<void> {
  const address = parseAddress(flags.address);
  if (address === undefined || address.port === 0) {
    const text = `--address is ${shown(flags.address)}; it must be HOST:PORT, an IPv6 address in brackets`;
    throw new CommandFailure(text, badUsageExitCode);
  }
  const clock = new SystemClock({ keepsAlive: true });
  const random = new SystemRandom();
  const channel = new RespChannel({
    network: networkOf(flags),
    clock,
    random,
    addresses: [address],
    token: tokenOf(flags),
  });
  const db = new Truba(channel, { clock, random });
  try {
    await channel.ready();
    await work(db);
  } catch (error) {
    throw failureOf(error, flags.address);
  } finally {
    await db.close();
  }
}

const unwanted: ReadonlySet<string> = new Set(["NOAUTH", "WRONGPASS", "MAXCONNECTIONS"]);

function failureOf(error: unknown, address: string): Error {
  if (!(error instanceof TrubaError)) return error as Error;
  const text = cellText(errorText(error));
  if (error.code === "NOCONNECTION") {
    return new CommandFailure(
      `no node answers at ${text}\nIs a node running there? Start one with: truba serve`,
      noConnectionExitCode,
    );
  }
  if (unwanted.has(error.code))
    return new CommandFailure(`the node at ${address} refuses: ${text}`, noConnectionExitCode);
  return new CommandFailure(`${error.code} ${text}`);
}

async function jsonGiven(
  kind: string,
  text: string | undefined,
  file: string | undefined,
): Promise<string> {
  if (text !== undefined && file !== undefined)
    throw new CommandFailure("JSON is given twice: as an argument and by --file", badUsageExitCode);
  if (text !== undefined) return text;
  if (file !== undefined && file !== "-") {
    try {
      return await readFile(file, "utf8");
    } catch (error) {
      const problem = `--file ${shown(file)} cannot be read: ${errorText(error)}`;
      throw new CommandFailure(problem, badUsageExitCode);
    }
  }
  if (process.stdin.isTTY && file === undefined)
    throw new CommandFailure(
      `doc ${kind} needs JSON: as an argument, by --file, or on standard input`,
      badUsageExitCode,
    );
  return textOfStream(process.stdin);
}

/** Throws CommandFailure for what is not JSON, or not as it is written. */
function exactValue(text: string): Json {
  const inexact = inexactNumber(text);
  if (inexact !== undefined) {
    const problem = `the number ${inexact} would become ${Number(inexact)}; write it as a string`;
    throw new CommandFailure(problem, badUsageExitCode);
  }
  try {
    return parseJson(text, "the document");
  } catch (error) {
    throw new CommandFailure(cellText(errorText(error)), badUsageExitCode);
  }
}

/** Whether a person reads what is printed. */
function isWatched(): boolean {
  return process.stdout.isTTY;
}

async function print(text: string): Promise<void> {
  if (text !== "" && !process.stdout.write(text)) await once(process.stdout, "drain");
}
