/**
 * Golden transcripts: what clients send and what exactly comes back, byte by byte, readable as a story.
 *
 *     # text              a comment
 *     @resp @line @raw    how requests that follow are written: RESP arrays of the words, lines, or bytes in a JSON string
 *     @values             from here on answers of RESP stand as values, one to a line: {task: 2, duplicate: #f}
 *     @advance 1000       so many ms pass
 *     @hangup b           the client of this connection is gone
 *     @restart            the node stops and starts on the same disk; connections are gone
 *     > SET key value     a request; `b> …` is on another connection
 *     < +OK               what was answered: a line of it, control characters escaped
 *     < >[…]              what was pushed
 *     < (closed)          the server has closed the connection
 *
 * TRUBA_REWRITE_TRANSCRIPTS=1 writes down what comes back; review the difference.
 */
import { must } from "../../src/base/assert.ts";
import { RespError, RespPush, type RespReply } from "../../src/protocol/resp-reply.ts";
import { RespReplyDecoder } from "../../src/protocol/resp-reply-decoder.ts";
import { request, type TestServer, type Wire } from "./test-server.ts";

type Mode = "resp" | "line" | "raw";

export interface Play {
  /** Sends requests that follow each other on one connection, with no comment or order between them, as one pipeline. */
  readonly pipelined: boolean;
  /** Cuts what is sent: how it arrives. */
  readonly pieces: (bytes: string) => Iterable<string>;
}

export interface TranscriptRun {
  /** The transcript with the answers that came. */
  readonly text: string;
  /** Only the answers. */
  readonly answers: readonly string[];
}

export async function playTranscript(
  transcript: string,
  server: TestServer,
  { pipelined, pieces }: Play,
): Promise<TranscriptRun> {
  const lines: string[] = [];
  const wires = new Map<string, Wire>();
  let mode: Mode = "resp";
  let show = answerLines;
  let pending = { name: "", bytes: "" };
  const tell = (name: string, wire: Wire): void => {
    lines.push(...show(wire.take()).map((line) => `${name}< ${line}`));
  };
  const finish = async (): Promise<void> => {
    const { name, bytes } = pending;
    if (bytes === "") return;
    pending = { name: "", bytes: "" };
    const wire = wires.get(name) ?? server.connect();
    wires.set(name, wire);
    for (const piece of pieces(bytes)) wire.send(piece);
    await server.clock.settle();
    tell(name, wire);
    if (wire.state !== "open") {
      lines.push(`${name}< (closed)`);
      wires.delete(name);
    }
    for (const [other, waiting] of wires) tell(other, waiting);
  };
  const order = async (line: string): Promise<void> => {
    const [word, argument] = line.split(" ");
    if (word === "@resp" || word === "@line" || word === "@raw") mode = word.slice(1) as Mode;
    else if (word === "@values") show = valueLines;
    else if (word === "@hangup") {
      must(wires.get(argument ?? "")).hangUp();
      wires.delete(argument ?? "");
      await server.clock.settle();
      for (const [name, wire] of wires) tell(name, wire);
    } else if (word === "@advance") {
      await server.clock.advanceSettled(Number(argument));
      for (const [name, wire] of wires) tell(name, wire);
    } else if (word === "@restart") {
      wires.clear();
      await server.restart();
    } else throw new Error(`a transcript has no ${word}`);
  };
  for (const line of transcript.split("\n")) {
    const [, name = "", direction, rest = ""] = /^([a-z]*)([<>]) (.*)$/.exec(line) ?? [];
    if (direction === "<") continue;
    if (!pipelined || direction === undefined || pending.name !== name) await finish();
    lines.push(line);
    if (direction === ">") pending = { name, bytes: pending.bytes + requestBytes(rest, mode) };
    else if (line.startsWith("@")) await order(line);
  }
  await finish();
  const answers = lines.filter((line) => /^[a-z]*< /.test(line));
  return { text: lines.join("\n"), answers };
}

function requestBytes(text: string, mode: Mode): string {
  if (mode === "line") return `${text}\n`;
  if (mode === "raw") return JSON.parse(text) as string;
  const words = text.match(/"(?:[^"\\]|\\.)*"|\S+/g) ?? [];
  return request(
    ...words.map((word) => (word.startsWith('"') ? (JSON.parse(word) as string) : word)),
  );
}

function answerLines(text: string): readonly string[] {
  if (text === "") return [];
  const lines = text.split(text.includes("\r\n") ? "\r\n" : "\n");
  const shown = lines.map((line) =>
    line.replace(/[^\x20-\x7e]/g, (character) => {
      if (character === "\n") return "\\n";
      if (character === "\r") return "\\r";
      return `\\x${character.charCodeAt(0).toString(16).padStart(2, "0")}`;
    }),
  );
  if (shown.at(-1) === "") shown.pop();
  else shown.push("(the answer is cut)");
  return shown;
}

/** Answers as values: a name in a map stands bare, a bulk in quotation marks, what was simple as it came. */
function valueLines(text: string): readonly string[] {
  const decoder = new RespReplyDecoder();
  decoder.push(Buffer.from(`${text}+(end)\r\n`, "latin1"));
  const lines: string[] = [];
  for (let event = decoder.next(); event !== "none"; event = decoder.next()) {
    if (event === "error") return [...lines, `(no answer: ${decoder.errorText})`];
    lines.push(valueText(decoder.value));
  }
  return lines.pop() === "+(end)" ? lines : [...lines, "(the answer is cut)"];
}

function valueText(value: RespReply): string {
  if (value === null) return "nil";
  if (typeof value === "boolean") return value ? "#t" : "#f";
  if (typeof value === "string") return `+${value}`;
  if (Buffer.isBuffer(value)) return JSON.stringify(value.toString("utf8"));
  if (value instanceof RespError) return `-${value.code} ${value.text}`;
  if (value instanceof RespPush) return `>[${value.items.map(valueText).join(", ")}]`;
  if (Array.isArray(value)) return `[${value.map(valueText).join(", ")}]`;
  if (value instanceof Map) {
    const fields = [...value].map(
      ([name, field]) =>
        `${Buffer.isBuffer(name) ? name.toString("utf8") : valueText(name)}: ${valueText(field)}`,
    );
    return `{${fields.join(", ")}}`;
  }
  return String(value);
}
