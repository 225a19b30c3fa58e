/**
 * `truba repl`: a client of a cluster for people. At a terminal it greets, prompts and tells when it has changed nodes; from a pipe and with `-c` it prints
 * answers only, one per command, and its exit code says how they went.
 */
import { once } from "node:events";
import { errorText } from "../../base/errors.ts";
import type { Address, Network } from "../../base/network.ts";
import { limits } from "../../base/limits.ts";
import { SystemRandom } from "../../base/system-random.ts";
import { LineDecoder } from "../../protocol/line-decoder.ts";
import { CommandFailure } from "../command-failure.ts";
import { cellText } from "../output.ts";
import { errorAnswer } from "./answer-text.ts";
import { ClusterClient, type ClusterView } from "./cluster-client.ts";
import { Completer } from "./completer.ts";
import { historyPath, LineHistory } from "./line-history.ts";
import { LineRunner } from "./line-runner.ts";
import { NodeRefusal } from "./node-link.ts";
import { Terminal } from "./terminal.ts";
import { timings } from "./timings.ts";

/** A command failed. */
const failedExitCode = 1;
/** No node answered, at the start or to a command; or it did not want us. */
const noConnectionExitCode = 3;

export interface ReplRun {
  readonly network: Network;
  readonly address: Address;
  /** As the user wrote it. */
  readonly addressText: string;
  readonly token: string | undefined;
  /** One command instead of those of standard input. */
  readonly command: string | undefined;
}

/** Runs until the person leaves or the input ends; sets the exit code. Throws CommandFailure when the first node does not answer. */
export async function runRepl(run: ReplRun): Promise<void> {
  const isTerminal = run.command === undefined && process.stdin.isTTY && process.stdout.isTTY;
  const news = new News();
  const client = new ClusterClient({
    network: run.network,
    random: new SystemRandom(),
    first: run.address,
    token: run.token,
    timings,
    listener: news,
  });
  try {
    const view = await connected(client, run);
    if (isTerminal) await atTerminal(client, view, news);
    else process.exitCode = await fromPipe(client, run.command);
  } finally {
    client.close();
  }
}

async function connected(client: ClusterClient, run: ReplRun): Promise<ClusterView> {
  try {
    return await client.connect();
  } catch (error) {
    const text =
      error instanceof NodeRefusal
        ? `the node at ${run.addressText} refuses: ${cellText(error.message)}`
        : `no node answers at ${run.addressText}: ${cellText(errorText(error))}\nIs a node running there? Start one with: truba serve`;
    throw new CommandFailure(text, noConnectionExitCode);
  }
}

/** What the client tells unasked: for the terminal, once there is one. */
class News {
  print: (text: string) => void = () => {};

  reconnected(view: ClusterView): void {
    this.print(viewText("Reconnected", view));
  }

  warned(warning: string): void {
    this.print(warningText(warning));
  }
}

async function atTerminal(client: ClusterClient, view: ClusterView, news: News): Promise<void> {
  // https://no-color.org: an empty one does not count, which Node does not know.
  const { NO_COLOR: noColor, ...environment } = process.env;
  const hasColors = (noColor ?? "") === "" && process.stdout.hasColors(environment);
  const runner = new LineRunner(client, { isTerminal: true, hasColors });
  const terminal: Terminal = new Terminal({
    input: process.stdin,
    output: process.stdout,
    history: LineHistory.open(historyPath(process.env)),
    completer: new Completer((words) => client.ask(words)),
    onInterrupt: () => runner.interrupt(),
    async onLine(line) {
      const result = await runner.run(Buffer.from(line, "utf8"));
      if (result.kind === "exit") terminal.close();
      else if (result.kind !== "nothing") terminal.print(String(result.answer.text));
    },
  });
  news.print = (text) => terminal.print(text);
  terminal.print(viewText("Connected", view));
  terminal.prompt();
  await terminal.closed;
}

function viewText(done: "Connected" | "Reconnected", view: ClusterView): string {
  return [
    `${done} to a database of ${cellText(view.cluster)} at ${cellText(view.address)}`,
    "Known nodes:",
    ...view.nodes.map(cellText),
    ...(view.warning === undefined ? [] : [warningText(view.warning)]),
  ].join("\n");
}

function warningText(warning: string): string {
  return `WARNING: ${cellText(warning)}`;
}

/** The exit code. */
async function fromPipe(client: ClusterClient, command: string | undefined): Promise<number> {
  const runner = new LineRunner(client, { isTerminal: false, hasColors: false });
  let code = 0;
  for await (const line of command === undefined ? inputLines() : [Buffer.from(command, "utf8")]) {
    const result = line === "toolong" ? tooLong : await runner.run(line);
    if (result.kind === "exit") break;
    if (result.kind === "nothing") continue;
    const { text, succeeded } = result.answer;
    await print(text);
    if (result.kind === "unreachable") code = noConnectionExitCode;
    else if (!succeeded && code === 0) code = failedExitCode;
  }
  return code;
}

const tooLong = {
  kind: "answered",
  answer: errorAnswer(`the line is longer than ${limits.lineMaxBytes} bytes`),
} as const;

async function print(text: string | Buffer): Promise<void> {
  const bytes = Buffer.concat([Buffer.from(text), Buffer.from("\n")]);
  if (!process.stdout.write(bytes)) await once(process.stdout, "drain");
}

/** The lines of standard input, the last one also without its end. */
async function* inputLines(): AsyncGenerator<Buffer | "toolong"> {
  const decoder = new LineDecoder();
  for await (const chunk of process.stdin) {
    decoder.push(chunk);
    yield* decodedLines(decoder);
  }
  if (!decoder.partial) return;
  decoder.push(Buffer.from("\n"));
  yield* decodedLines(decoder);
}

function* decodedLines(decoder: LineDecoder): Generator<Buffer | "toolong"> {
  for (;;) {
    const event = decoder.next();
    if (event === "none") return;
    yield event === "toolong"
      ? event
      : Buffer.from(decoder.buffer.subarray(decoder.start, decoder.end));
  }
}
