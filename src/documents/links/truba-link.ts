/**
 * A link between two Truba nodes: both directions and all documents on one connection.
 *
 *     greeting ── hello of the peer ──► up ──────────────────────────► over
 *                   may it be?           haves of all documents, ready
 *                                        then, for ever: batches of what the peer lacks; haves of what is not at rest; pings
 *
 * Each side says what it has of each document, and sends the other what that one lacks. A peer that breaks the protocol, or of which nothing was heard for ten heartbeats,
 * is closed.
 */
import { assert } from "../../base/assert.ts";
import { TrubaError } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import type { ReceivedSummary } from "../exchange.ts";
import { countIn } from "../vector-clock.ts";
import type { Source } from "../vocabulary.ts";
import { BaseTransfer } from "./base-transfer.ts";
import { Haves } from "./haves.ts";
import type { Ending, LinkHost } from "./link-host.ts";
import { byDocument, LinkInbox, offence, refusalText, retryMsOf } from "./link-inbox.ts";
import { LinkPump } from "./link-pump.ts";
import { type MessageLink, type MessageLinkEvents, closeCodes } from "./message-link.ts";
import { PeerCursors } from "./peer-cursors.ts";
import {
  type Control,
  type DocumentHeld,
  type Hello,
  type PlacedOnWire,
  controlText,
  decodeMessage,
  protocolVersion,
} from "./wire.ts";

export interface TrubaLinkParts {
  readonly host: LinkHost<TrubaLink>;
  readonly link: MessageLink;
  /** The address that was dialed; empty of a link that was accepted. */
  readonly via: string;
}

const silentBeatsMaxCount = limits.documentLinkSilenceMs / limits.documentHeartbeatMs;

export class TrubaLink implements MessageLinkEvents {
  readonly link: MessageLink;
  readonly via: string;
  readonly openedMs: number;
  /** What is wrong with what the peer sends. */
  trouble = "";
  roundTripMs: number | null = null;
  /** Their wall clock minus ours. */
  skewMs: number | null = null;
  readonly #host: LinkHost<TrubaLink>;
  readonly #cursors = new PeerCursors();
  readonly #inbox: LinkInbox;
  readonly #pump: LinkPump;
  readonly #haves: Haves;
  readonly #bases: BaseTransfer;
  /** What the peer said of documents of which nothing has come yet. */
  readonly #early = new Map<string, DocumentHeld>();
  #state: "greeting" | "up" | "over" = "greeting";
  #hello: Hello | undefined;
  /** The peer has told of all its documents. */
  #peerReady = false;
  #silentBeats = 0;

  constructor({ host, link, via }: TrubaLinkParts) {
    const { exchange, clock } = host;
    this.#host = host;
    this.link = link;
    this.via = via;
    this.openedMs = clock.monotonicMs();
    const send = (control: Control): void => this.#send(control);
    this.#inbox = new LinkInbox({
      exchange,
      link,
      taken: (document, summary) => this.#taken(document, summary),
      refused: (document, error) => this.#refused(document, error),
    });
    this.#bases = new BaseTransfer({ exchange, send });
    this.#pump = new LinkPump({
      exchange,
      clock,
      link,
      cursors: this.#cursors,
      open: () => this.isUp && this.#peerReady && host.carries(this),
      failed: (document, error) => this.#unreadable(document, error),
    });
    const askedByOthers = (document: string): number => host.askedElsewhere(document, this);
    this.#haves = new Haves({ exchange, cursors: this.#cursors, send, askedByOthers });
  }

  /** Says who we are, which is the first thing that the peer must hear, and takes the connection over: what has come already is told at once. */
  begin(): void {
    const { exchange, run } = this.#host;
    this.#send({
      type: "hello",
      version: protocolVersion,
      source: exchange.source,
      node: exchange.nodeId,
      run,
      via: this.via,
    });
    this.link.bind(this);
  }

  /** The peer has said who it is, and may stay. */
  get isUp(): boolean {
    return this.#state === "up";
  }

  /** What the peer said of itself; `undefined`: nothing yet. */
  get hello(): Hello | undefined {
    return this.#hello;
  }

  get source(): Source | null {
    return this.#hello?.source ?? null;
  }

  get transactionsSent(): number {
    return this.#pump.sent;
  }

  get transactionsReceived(): number {
    return this.#inbox.received;
  }

  get backlog(): number {
    return this.#peerReady ? this.#pump.backlog : 0;
  }

  /** There is something new of the document. */
  changed(document: string): void {
    if (!this.isUp) return;
    const early = this.#early.get(document);
    if (early !== undefined) this.#guarded(document, () => this.#held(early));
    this.#haves.restless(document);
    this.#pump.changed(document);
  }

  /** Tells the peer at once how these documents stand. */
  announce(documents: Iterable<string>): void {
    if (this.isUp) this.#haves.tell(documents);
  }

  /** The sources to which we have links have changed. */
  directChanged(): void {
    if (this.isUp) this.#send({ type: "direct", sources: this.#host.directSources() });
  }

  /** We know other nodes than before. */
  knownChanged(): void {
    const { knownNodes } = this.#host.exchange;
    if (this.isUp) this.#send({ type: "known", sources: [...knownNodes] });
  }

  /** How far the peer wants its question for the document to go; 0: it asks nothing. */
  askedFor(document: string): number {
    return this.isUp ? this.#haves.askedFor(document) : 0;
  }

  /** Others ask for the document what this peer may know. */
  passOn(document: string): void {
    this.#haves.restless(document);
  }

  /** This link has become the one that carries. */
  carry(): void {
    if (!this.isUp) return;
    for (const document of this.#host.exchange.names()) this.#pump.changed(document);
  }

  /** A heartbeat has passed. */
  beat(): void {
    if (this.#state === "over") return;
    // What is not read because of us does not count as silence.
    if (this.#inbox.paused) this.#silentBeats = 0;
    else if (++this.#silentBeats > silentBeatsMaxCount) {
      const seconds = limits.documentLinkSilenceMs / 1_000;
      this.end(closeCodes.goingAway, "silence", {
        trouble: `nothing was heard of it for ${seconds} s`,
        again: "soon",
      });
      return;
    }
    if (!this.isUp) return;
    this.#send({ type: "ping", at: this.#host.clock.monotonicMs() });
    this.#haves.beat();
    this.#pump.beat();
  }

  /** Closes the connection; `reason` is told to the other side. */
  end(code: number, reason: string, ending: Ending): void {
    if (this.#state === "over") return;
    this.link.close(code, reason);
    this.#over(ending);
  }

  message(text: string): void {
    if (this.#state === "over") return;
    this.#silentBeats = 0;
    const decoded = decodeMessage(text);
    switch (decoded.kind) {
      case "broken":
        return this.#break(decoded.problem);
      case "unknown":
        return undefined;
      case "transactions":
        return this.isUp
          ? this.#transactions(decoded.transactions, text.length)
          : this.#break("transactions came before a hello");
      case "control":
        return this.#control(decoded.control);
      default:
        return decoded satisfies never;
    }
  }

  binary(byteCount: number): void {
    this.#break(`a message of ${byteCount} bytes is not text`, closeCodes.notText);
  }

  drained(): void {
    this.#pump.wake();
  }

  closed(reason: string): void {
    this.#over({ trouble: reason, again: "soon" });
  }

  #over(ending: Ending): void {
    if (this.#state === "over") return;
    this.#state = "over";
    this.#host.ended(this, ending);
  }

  #break(problem: string, code: number = closeCodes.protocolError): void {
    this.end(code, problem, { trouble: `broke the protocol: ${problem}`, again: "late" });
  }

  #send(control: Control): void {
    if (this.#state !== "over") this.link.send(controlText(control), false);
  }

  #control(control: Control): void {
    const { clock } = this.#host;
    if (control.type === "hello") return this.#greeted(control);
    if (!this.isUp) return this.#break(`${control.type} came before a hello`);
    switch (control.type) {
      case "direct":
        return this.#setDirect(control.sources);
      case "known":
        return this.#host.heardOf(control.sources);
      case "have":
        for (const held of control.documents) this.#guarded(held.document, () => this.#held(held));
        return undefined;
      case "ready":
        this.#peerReady = true;
        for (const document of this.#host.exchange.names()) this.#pump.changed(document);
        return undefined;
      case "want":
        this.#cursors.wanted(control.document, control.from);
        return this.#pump.changed(control.document);
      case "refuse":
        this.trouble = `does not take ${control.document}: ${control.code}: ${control.text}`;
        return this.#pump.hold(control.document, control.retryMs);
      case "base":
        return void this.#installBase(control);
      case "ping":
        return this.#send({ type: "pong", at: control.at, wallMs: clock.wallMs() });
      case "pong": {
        const roundTripMs = clock.monotonicMs() - control.at;
        if (roundTripMs < 0) return undefined;
        this.roundTripMs = roundTripMs;
        this.skewMs = Math.round(control.wallMs + roundTripMs / 2 - clock.wallMs());
        return undefined;
      }
      default:
        return control satisfies never;
    }
  }

  #greeted(hello: Hello): void {
    if (this.#hello !== undefined) return this.#break("a second hello came");
    this.#hello = hello;
    if (hello.version !== protocolVersion) {
      const versions = `version ${hello.version} of the links' protocol, and this node version ${protocolVersion}`;
      return this.end(closeCodes.refused, `it speaks ${versions}`, {
        trouble: `speaks ${versions}`,
        again: "late",
      });
    }
    const refusal = this.#host.greeted(this, hello);
    if (refusal !== undefined) return this.end(refusal.code, refusal.reason, refusal);
    this.#state = "up";
    this.#setDirect([]);
    this.directChanged();
    this.knownChanged();
    this.#haves.tellAll(this.#host.exchange.names());
    return this.#send({ type: "ready" });
  }

  #transactions(transactions: readonly PlacedOnWire[], weight: number): void {
    const from = { source: this.source, kind: "truba" } as const;
    const nowMs = this.#host.clock.monotonicMs();
    for (const [document, own] of byDocument(transactions)) {
      for (const { source, id } of own) this.#cursors.holds(document, source, id, nowMs);
      this.#inbox.take(document, own, (weight * own.length) / transactions.length, from);
    }
  }

  #setDirect(sources: readonly Source[]): void {
    this.#cursors.setDirect(this.#hello === undefined ? sources : [...sources, this.#hello.source]);
  }

  #taken(document: string, summary: ReceivedSummary): void {
    if (!this.isUp) return;
    const told = offence(summary, document);
    if (told !== undefined) this.#offended(told);
    if (summary.missing.length > 0) this.#ask(document, summary);
    else if (summary.accepted > 0) this.#haves.restless(document);
  }

  /** Asks for what is missing: all that comes behind what is held. */
  #ask(document: string, { missing }: ReceivedSummary): void {
    const vclock = this.#host.exchange.head(document)?.vclock ?? {};
    const from = missing.map(({ source }) => [source, countIn(vclock, source)] as const);
    this.#send({ type: "want", document, from: Object.fromEntries(from) });
  }

  #refused(document: string, error: TrubaError): void {
    if (!this.isUp) return;
    const { code, message } = error;
    this.trouble = `what it sends of ${document} is not taken: ${refusalText(error)}`;
    this.#send({ type: "refuse", document, code, text: message, retryMs: retryMsOf(error) });
  }

  #unreadable(document: string, error: TrubaError): void {
    if (!this.isUp) return;
    if (error.code === "HISTORYTRIMMED" && !this.#cursors.holdsAny(document))
      void this.#bases.send(document);
    else this.trouble = `cannot be sent ${document}: ${refusalText(error)}`;
  }

  async #installBase(part: Control & { type: "base" }): Promise<void> {
    const from = { source: this.source, kind: "truba" } as const;
    const told = await this.#bases.receive(part, from);
    if (told === undefined) return;
    if (told !== "") this.trouble = told;
    else if (this.isUp) this.#haves.tell([part.document]);
  }

  #held(held: DocumentHeld): void {
    const { exchange, clock } = this.#host;
    const { document, vclock, clocks, hash, open } = held;
    assert(this.#hello !== undefined, "a link that is up was greeted");
    this.#haves.asked(document, open);
    if (open > 1) this.#host.passOn(document, this);
    const heldNothing = !this.#cursors.holdsAny(document);
    this.#cursors.said(document, vclock, clock.monotonicMs());
    // It has taken a base.
    if (heldNothing && this.#cursors.holdsAny(document)) this.#pump.release(document);
    this.#pump.changed(document);
    const head = exchange.head(document);
    if (head === undefined) {
      if (this.#early.size < limits.documentsMaxCount) this.#early.set(document, held);
      return;
    }
    this.#early.delete(document);
    const source = held.source ?? this.#hello.source;
    if (held.source !== undefined) exchange.met(document, source);
    // At rest everywhere clocks are of no use, and hearing them would wake the document.
    if (open > 0 || head.tentative || this.#host.askedElsewhere(document, this) > 0) {
      const others = new Map(clocks);
      others.delete(exchange.sourceOf(document));
      exchange.heard(document, others);
    }
    exchange.memberSaid(document, source, vclock, hash);
  }

  /** A document that cannot be used is no reason to lose the link. */
  #guarded(document: string, work: () => void): void {
    try {
      work();
    } catch (error) {
      if (!(error instanceof TrubaError)) throw error;
      this.trouble = `${document} cannot be used: ${refusalText(error)}`;
    }
  }

  #offended(told: string): void {
    if (this.trouble === told) return;
    this.trouble = told;
    this.#host.logger.warn({ peer: this.link.remote, source: this.source }, told);
  }
}
