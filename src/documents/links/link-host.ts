/** What a link needs of the registry that it belongs to. */
import type { Clock } from "../../base/clock.ts";
import type { Logger } from "../../base/logger.ts";
import type { DocumentExchange } from "../exchange.ts";
import type { Source } from "../vocabulary.ts";
import type { Again } from "./redial.ts";
import type { Hello } from "./wire.ts";

/** Why a link is over. */
export interface Ending {
  /** For people; empty: nothing is wrong. */
  readonly trouble: string;
  readonly again: Again;
}

/** Why a link may not be. */
export interface LinkRefusal extends Ending {
  /** What the other side is told: a code of RFC 6455 §7.4 and words. */
  readonly code: number;
  readonly reason: string;
}

/** `Link` is what the registry holds. */
export interface LinkHost<Link> {
  readonly exchange: DocumentExchange;
  readonly clock: Clock;
  readonly logger: Logger;
  /** This run of the node. */
  readonly run: string;
  /** Sources of the Truba nodes that this one has links to. */
  directSources(): readonly Source[];
  /** The other side has said who it is. `undefined`: the link may be, and is now one of those that are up. */
  greeted(link: Link, hello: Hello): LinkRefusal | undefined;
  /** Whether transactions are to be sent on this link: of several to one node, on one. */
  carries(link: Link): boolean;
  /** Somebody knows these Truba nodes. */
  heardOf(sources: readonly Source[]): void;
  /** How far peers of other links want their questions for the document passed on; 0: they ask nothing. */
  askedElsewhere(document: string, except: Link): number;
  /** The peer's question for the document goes to the other links. */
  passOn(document: string, from: Link): void;
  /** Told once. */
  ended(link: Link, ending: Ending): void;
}
