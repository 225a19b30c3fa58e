/** Does one typed line and gives its answer: what the terminal, the pipe and `-c` have in common. */
import { unreachable } from "../../base/assert.ts";
import { RespError } from "../../protocol/resp-reply.ts";
import { type Answer, answerOf, errorAnswer, type Screen } from "./answer-text.ts";
import { type ClusterClient, Interrupted, NoNode } from "./cluster-client.ts";
import { helpAnswer } from "./help-text.ts";
import { readTypedLine, type TypedRequest } from "./typed-line.ts";

/** `unreachable`: no known node answered. `nothing`: an empty line. */
export type LineResult =
  | { readonly kind: "answered" | "unreachable"; readonly answer: Answer }
  | { readonly kind: "nothing" }
  | { readonly kind: "exit" };

export class LineRunner {
  readonly #client: ClusterClient;
  readonly #screen: Screen;
  #running: AbortController | undefined;

  constructor(client: ClusterClient, screen: Screen) {
    this.#client = client;
    this.#screen = screen;
  }

  /** The line has no end of line. Lines are done one at a time. */
  async run(line: Buffer): Promise<LineResult> {
    const typed = readTypedLine(line);
    switch (typed.kind) {
      case "nothing":
      case "exit":
        return { kind: typed.kind };
      case "help":
        return answered(helpAnswer(typed.topic, this.#screen));
      case "refused":
        return answered(errorAnswer(typed.text));
      case "auth":
        return this.#attempt(undefined, (signal) => this.#authenticate(typed.secret, signal));
      case "request":
        return this.#attempt(typed, async (signal) =>
          answerOf(typed, await this.#client.call(typed, signal), this.#screen),
        );
      default:
        return unreachable(typed);
    }
  }

  /** Gives up the line that is being done. */
  interrupt(): void {
    this.#running?.abort();
  }

  async #authenticate(secret: Uint8Array, signal: AbortSignal): Promise<Answer> {
    const reply = await this.#client.authenticate(secret, signal);
    return reply instanceof RespError ? errorAnswer(reply.text) : { text: "OK", succeeded: true };
  }

  async #attempt(
    request: TypedRequest | undefined,
    work: (signal: AbortSignal) => Promise<Answer>,
  ): Promise<LineResult> {
    this.#running = new AbortController();
    try {
      return answered(await work(this.#running.signal));
    } catch (error) {
      const isOpen = request?.writes === true;
      if (error instanceof Interrupted) {
        const text = isOpen && error.wasSent ? `interrupted${maybeDone}` : "interrupted";
        return answered(errorAnswer(text));
      }
      if (!(error instanceof NoNode)) throw error;
      const text = isOpen ? "Failed to write an entry" : "Failed to read an entry";
      const rest = isOpen && error.wasSent ? maybeDone : "";
      return { kind: "unreachable", answer: { text: text + rest, succeeded: false } };
    } finally {
      this.#running = undefined;
    }
  }
}

/** P7: an unknown outcome is told as unknown. */
const maybeDone = ": it was sent, and whether it was done is not known";

function answered(answer: Answer): LineResult {
  return { kind: "answered", answer };
}
