/**
 * Conditions of requests for documents, by entity tags (RFC 9110 §13). The tag of a document is its hash in quotes, and a strong one: equal hash, equal bytes.
 *
 *     If-Match       strong comparison: a weak tag never matches; `*`: there is such a document. Otherwise 412.
 *     If-None-Match  weak comparison; `*`: there is none. Otherwise 304 for GET and HEAD, 412 for what changes.
 *
 * If-Match comes first where both are given (§13.2.2).
 */
import type { IncomingHttpHeaders } from "node:http";
import { TrubaError } from "../../base/errors.ts";
import { Refusal } from "./problem.ts";

interface EntityTag {
  readonly weak: boolean;
  /** Between the quotes. */
  readonly opaque: string;
}

type Tags = "*" | readonly EntityTag[];

/** One element of a list and the comma behind it. Elements may be empty (§5.6.1.2), and commas may stand within quotes. */
const element = /[ \t]*(?:(W\/)?"([\x21\x23-\x7e\x80-\xff]*)"[ \t]*)?(,|$)/y;

export class Conditions {
  readonly #match: Tags | undefined;
  readonly #noneMatch: Tags | undefined;

  /** Throws TrubaError BADVALUE: what looks like a condition and is none must not be passed over. */
  constructor(headers: IncomingHttpHeaders) {
    this.#match = tagsOf("If-Match", headers["if-match"]);
    this.#noneMatch = tagsOf("If-None-Match", headers["if-none-match"]);
  }

  /** The condition as one that the documents themselves know; `undefined`: it must be compared with the document. */
  get simple(): "any" | "*" | "none" | undefined {
    if (this.#match === undefined)
      return this.#noneMatch === undefined ? "any" : this.#noneMatch === "*" ? "none" : undefined;
    return this.#match === "*" && this.#noneMatch === undefined ? "*" : undefined;
  }

  /** For a change of the document with this hash; `undefined`: there is none. Throws Refusal HASHCONFLICT. */
  checkWrite(hash: string | undefined): void {
    this.#checkMatch(hash);
    if (!this.#isNoneMatched(hash))
      throw failed("If-None-Match", hash, "and the condition excludes that");
  }

  /** For GET and HEAD: whether the client has the document already. Throws Refusal HASHCONFLICT. */
  isKnown(hash: string): boolean {
    this.#checkMatch(hash);
    return !this.#isNoneMatched(hash);
  }

  #checkMatch(hash: string | undefined): void {
    const tags = this.#match;
    if (tags === undefined) return;
    const holds =
      hash !== undefined &&
      (tags === "*" || tags.some(({ weak, opaque }) => !weak && opaque === hash));
    if (!holds) throw failed("If-Match", hash, "and the condition names no such hash");
  }

  #isNoneMatched(hash: string | undefined): boolean {
    const tags = this.#noneMatch;
    if (tags === undefined || hash === undefined) return true;
    return tags !== "*" && !tags.some(({ opaque }) => opaque === hash);
  }
}

/** The entity tag of a document. */
export function tagOf(hash: string): string {
  return `"${hash}"`;
}

function failed(header: string, hash: string | undefined, why: string): Refusal {
  if (hash === undefined)
    return new Refusal("HASHCONFLICT", `${header} does not hold: there is no such document`);
  return new Refusal("HASHCONFLICT", `${header} does not hold: the hash is ${hash}, ${why}`, {
    headers: { etag: tagOf(hash) },
  });
}

function tagsOf(name: string, field: string | undefined): Tags | undefined {
  if (field === undefined) return undefined;
  if (field.trim() === "*") return "*";
  const tags: EntityTag[] = [];
  element.lastIndex = 0;
  while (element.lastIndex < field.length) {
    const found = element.exec(field);
    if (found === null) break;
    const [, weak, opaque, end] = found;
    if (opaque !== undefined) tags.push({ weak: weak !== undefined, opaque });
    if (end === "" && tags.length > 0) return tags;
  }
  if (element.lastIndex === field.length && tags.length > 0) return tags;
  throw new TrubaError(
    "BADVALUE",
    `${name} is ${JSON.stringify(field.slice(0, 200))}; it must be * or entity tags in double quotes, separated by commas`,
  );
}
