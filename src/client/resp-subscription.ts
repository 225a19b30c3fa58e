/** One subscription of a RESP channel: opened by a command, fed by pushes, closed by a command. */
import { TrubaError } from "../base/errors.ts";
import { RespError, type RespReply } from "../protocol/resp-reply.ts";
import type { Subscription, SubscriptionSink } from "./channel.ts";
import { fixedWord } from "./request-buffer.ts";
import { documentAnswerIn } from "./resp-documents.ts";
import type { ReplySink, RespLink } from "./resp-link.ts";
import { secondsText } from "./resp-requests.ts";
import { badAnswer, codeOf, errorIn, itemsIn, textIn } from "./resp-responses.ts";

const words = {
  tasks: fixedWord("QUEUE.SUBSCRIBE"),
  sessions: fixedWord("SESSION.SUBSCRIBE"),
  document: fixedWord("DOC.WATCH"),
  credit: fixedWord("CREDIT"),
  lease: fixedWord("LEASE"),
  give: fixedWord("SUBSCRIPTION.CREDIT"),
  close: fixedWord("SUBSCRIPTION.CLOSE"),
} as const;

/** What is subscribed to. */
export type Subject =
  | { readonly queue: string; readonly leaseMs: number | undefined }
  | { readonly kinds: readonly string[] }
  | { readonly document: string };

export interface RespSubscriptionParts<Item> {
  readonly subject: Subject;
  readonly credit: number;
  readonly sink: SubscriptionSink<Item>;
  /** Takes what came after `close`, to give it back. */
  readonly tooLate: (items: readonly Item[]) => void;
  /** It is over: forget it. */
  readonly forget: (subscription: RespSubscription<Item>) => void;
}

export class RespSubscription<Item> implements Subscription {
  readonly #parts: RespSubscriptionParts<Item>;
  #link: RespLink | undefined;
  #id: number | undefined;
  /** Granted before it could be told. */
  #credit: number;
  #state: "open" | "closing" | "over" = "open";
  #drained: (() => void) | undefined;

  constructor(parts: RespSubscriptionParts<Item>) {
    this.#parts = parts;
    this.#credit = parts.credit;
  }

  /** The id by which pushes name it, once the node has told it. */
  get id(): number | undefined {
    return this.#id;
  }

  /** Subscribes over a connection. */
  begin(link: RespLink, opened: () => void): void {
    if (this.#state !== "open") {
      this.#end();
      return;
    }
    this.#link = link;
    this.#writeSubscribe(link);
    this.#credit = 0;
    link.expect({
      reply: (value) => this.#opened(value, opened),
      // The connection's end is told to the channel.
      lost() {},
    });
  }

  credit(count: number): void {
    if (this.#state !== "open") return;
    this.#credit += count;
    if (this.#id !== undefined) this.#tellCredit();
  }

  close(): void {
    if (this.#state !== "open") return;
    this.#state = "closing";
    if (this.#link === undefined) this.#end();
    else if (this.#id !== undefined) this.#writeClose(this.#link, this.#id);
  }

  /** Closes it, and hands what still comes to the sink; `drained` when nothing can come any more. */
  closeDrained(drained: () => void): void {
    this.#drained = drained;
    if (this.#state === "over") drained();
    else this.close();
  }

  /** The node pushed items. */
  items(items: readonly Item[]): void {
    if (this.#state === "open" || this.#drained !== undefined) this.#parts.sink.items(items);
    else this.#parts.tooLate(items);
  }

  /** The node, or the connection, ended it. */
  ended(error: Error): void {
    if (this.#state === "over") return;
    const isHeard = this.#state === "open" || this.#drained !== undefined;
    if (isHeard) this.#parts.sink.ended(error);
    this.#end();
  }

  #opened(value: RespReply, opened: () => void): void {
    if (this.#state === "over") return;
    if (value instanceof RespError) this.ended(errorIn(value));
    else if (typeof value !== "number") this.ended(badAnswer("a subscription's id", value));
    else {
      this.#id = value;
      opened();
      if (this.#state === "closing" && this.#link !== undefined)
        this.#writeClose(this.#link, value);
      else this.#tellCredit();
    }
  }

  #writeSubscribe({ out }: RespLink): void {
    const { subject } = this.#parts;
    if ("document" in subject) {
      out.begin(2);
      out.fixed(words.document);
      out.text(subject.document);
      return;
    }
    if ("kinds" in subject) {
      out.begin(4);
      out.fixed(words.sessions);
      out.text(subject.kinds.join(","));
    } else {
      out.begin(subject.leaseMs === undefined ? 4 : 6);
      out.fixed(words.tasks);
      out.text(subject.queue);
    }
    out.fixed(words.credit);
    out.text(String(this.#credit));
    if ("kinds" in subject || subject.leaseMs === undefined) return;
    out.fixed(words.lease);
    out.text(secondsText(subject.leaseMs));
  }

  #tellCredit(): void {
    const link = this.#link;
    if (this.#credit === 0 || link === undefined || !link.isOpen) return;
    link.out.begin(3);
    link.out.fixed(words.give);
    link.out.text(String(this.#id));
    link.out.text(String(this.#credit));
    this.#credit = 0;
    link.expect(ignored);
  }

  #writeClose(link: RespLink, id: number): void {
    if (!link.isOpen) {
      this.#end();
      return;
    }
    link.out.begin(2);
    link.out.fixed(words.close);
    link.out.text(String(id));
    link.expect({ reply: () => this.#end(), lost: () => this.#end() });
  }

  #end(): void {
    if (this.#state === "over") return;
    this.#state = "over";
    this.#parts.forget(this);
    this.#drained?.();
  }
}

/** What the node says to credit for a subscription that has just ended is no news. */
const ignored: ReplySink = { reply() {}, lost() {} };

/** A push of the node: which subscription it is for, and what it says. Throws TrubaError BADANSWER. */
export function readPush(
  items: readonly RespReply[],
): { readonly id: number; readonly items?: object[]; readonly error?: TrubaError } | undefined {
  const kind = textIn(items[0]);
  const id = items[1];
  if (typeof id !== "number") return undefined;
  if (kind === "truba.tasks" || kind === "truba.sessions") return { id, items: itemsIn(items[2]) };
  if (kind === "truba.document") return { id, items: [documentAnswerIn(items[2] ?? null)] };
  if (kind !== "truba.ended") return undefined;
  return { id, error: new TrubaError(codeOf(textIn(items[2])), textIn(items[3])) };
}
