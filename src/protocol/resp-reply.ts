/**
 * Replies of RESP2 and RESP3 as plain values of JavaScript. Bulk strings are buffers and all other text is a string; big numbers are
 * bigints, as are integers beyond 2^53 - 1; sets are arrays.
 */
export type RespReply =
  | string
  | Buffer
  | number
  | bigint
  | boolean
  | null
  | RespError
  | RespPush
  | RespReply[]
  | Map<RespReply, RespReply>;

/** An error reply. A value, not an exception: it may be one element of an array. */
export class RespError {
  /** The first word: `NOQUORUM`, `ERR`, … */
  readonly code: string;
  /** What follows it. */
  readonly text: string;

  constructor(line: string) {
    const blank = line.indexOf(" ");
    this.code = blank < 0 ? line : line.slice(0, blank);
    this.text = blank < 0 ? "" : line.slice(blank + 1);
  }
}

/** What a server sends unasked; it answers no request. */
export class RespPush {
  readonly items: readonly RespReply[];

  constructor(items: readonly RespReply[]) {
    this.items = items;
  }
}

/** An aggregate whose elements are arriving. */
export class RespAggregate {
  readonly kind: "array" | "map" | "push" | "attribute";
  readonly #items: RespReply[] = [];
  #missing: number;

  /** `count` elements; of maps and attributes so many pairs. */
  constructor(kind: RespAggregate["kind"], count: number) {
    this.kind = kind;
    this.#missing = kind === "map" || kind === "attribute" ? count * 2 : count;
  }

  get complete(): boolean {
    return this.#missing === 0;
  }

  add(item: RespReply): void {
    this.#items.push(item);
    this.#missing--;
  }

  /** The value, once it is complete. */
  value(): RespReply {
    if (this.kind === "push") return new RespPush(this.#items);
    if (this.kind === "array") return this.#items;
    const map = new Map<RespReply, RespReply>();
    for (let i = 0; i + 1 < this.#items.length; i += 2) {
      map.set(this.#items[i] ?? null, this.#items[i + 1] ?? null);
    }
    return map;
  }
}
