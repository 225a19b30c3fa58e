/** The base of a document whose history was given up, for a peer that holds nothing of it: sent in pieces, put together, installed. */
import { TrubaError } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import type { DocumentExchange, Sender } from "../exchange.ts";
import type { BasePart, Control } from "./wire.ts";

export interface BaseTransferParts {
  readonly exchange: DocumentExchange;
  send(control: Control): void;
}

/** What a base may take: the document, and what there is beside it. */
const baseMaxBytes = 4 * limits.documentMaxBytes;

export class BaseTransfer {
  readonly #parts: BaseTransferParts;
  /** Pieces that have come, by document; the next must follow. */
  readonly #arriving = new Map<string, string[]>();

  constructor(parts: BaseTransferParts) {
    this.#parts = parts;
  }

  async send(document: string): Promise<void> {
    let base: string | undefined;
    try {
      base = await this.#parts.exchange.base(document);
    } catch (error) {
      if (!(error instanceof TrubaError)) throw error;
    }
    if (base === undefined) return;
    const parts = Math.max(1, Math.ceil(base.length / limits.documentBatchMaxBytes));
    for (let part = 1; part <= parts; part++) {
      const from = (part - 1) * limits.documentBatchMaxBytes;
      const text = base.slice(from, from + limits.documentBatchMaxBytes);
      this.#parts.send({ type: "base", document, part, parts, text });
    }
  }

  /** Resolves with what went wrong, empty: it is installed; `undefined`: more must come first. */
  async receive(
    { document, part, parts, text }: BasePart,
    from: Sender,
  ): Promise<string | undefined> {
    const pieces = part === 1 ? [] : this.#arriving.get(document);
    this.#arriving.delete(document);
    if (pieces === undefined || pieces.length !== part - 1)
      return `sends the base of ${document} in the wrong order`;
    if (parts > Math.ceil(baseMaxBytes / limits.documentBatchMaxBytes))
      return `sends a base of ${document} that is larger than ${baseMaxBytes} bytes`;
    pieces.push(text);
    if (part < parts) {
      this.#arriving.set(document, pieces);
      return undefined;
    }
    try {
      const installed = await this.#parts.exchange.installBase(document, pieces.join(""), from);
      return installed ? "" : `sends a base of ${document} that cannot be used`;
    } catch (error) {
      if (!(error instanceof TrubaError)) throw error;
      return `sends a base of ${document} that cannot be used: ${error.message}`;
    }
  }
}
