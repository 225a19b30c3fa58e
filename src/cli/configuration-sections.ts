/** The sections of truba.yaml, which no flag and no variable can give: tokens, kinds of sessions, documents. Every problem is told with its line; a value that may be a secret is not. */
import { limits } from "../base/limits.ts";
import { kindDefaults, kindNumberMax } from "../machines/sessions/kinds.ts";
import type { KindSettings } from "../machines/sessions/kinds.ts";
import { roles } from "../server/access.ts";
import type { TokenSettings } from "../server/access.ts";
import type { FileNode, FileSetting } from "./configuration-file.ts";
import { shown } from "../base/shown-value.ts";
import { suggestion } from "./configuration-problem.ts";
import type { Problem } from "./configuration-problem.ts";
import type { NamedFile } from "./tls-files.ts";
import { choice, listedName, path, peerAddress, seconds, sha256, whole } from "./value-kinds.ts";
import type { ValueKind } from "./value-kinds.ts";

export interface Sections {
  readonly tokens: readonly TokenSettings[];
  /** `undefined`: the file does not speak of them, and the kinds that the cluster knows stay as they are. */
  readonly sessions: readonly KindSettings[] | undefined;
  /** `undefined`: the file does not speak of them. */
  readonly documents: DocumentSettings | undefined;
}

export interface DocumentSettings {
  /** As they were written, and where; `undefined`: none are named here. */
  readonly peers: { readonly text: string; readonly source: string } | undefined;
  /** What holds the secret of the token that peers are shown. */
  readonly peerTokenFile: NamedFile | undefined;
  /** How many days history is kept that every member has; `undefined`: for ever. */
  readonly historyDays: number | undefined;
}

/** The names of the sections in the file. */
export const sectionNames = ["tokens", "sessions", "documents"] as const;

/** A part of one entry: what it may be, and what it is if it is not there. */
interface Part<Value> extends ValueKind<Value> {
  /** `undefined`: it must be there. */
  readonly default?: Value;
  /** The value is not to be shown. */
  readonly hidden?: boolean;
}

type Parts = Readonly<Record<string, Part<unknown>>>;

/** What the parts of an entry are once they are read. */
type Entry<P extends Parts> = {
  readonly [Name in keyof P]: P[Name] extends Part<infer Value> ? Value : never;
};

const tokenParts = {
  name: listedName({ maxBytes: limits.nameMaxBytes }),
  role: choice(roles, (role) => role),
  // Who pastes the secret where its hash belongs must not find it in a log.
  sha256: { ...sha256(), hidden: true },
} as const;

const kindName = listedName({ maxBytes: limits.kindNameMaxBytes });

const delayKind = seconds({ minMs: 0, maxMs: limits.delayMaxMs });

const kindParts = {
  number: whole({ min: 1, max: kindNumberMax }),
  delay: { ...delayKind, default: kindDefaults.delayMs },
  spread: { ...delayKind, default: kindDefaults.spreadMs },
  repeats: {
    ...whole({ min: 0, max: limits.deliveriesMaxCount }),
    default: kindDefaults.maxRepeats,
  },
  length: {
    ...whole({ min: 1, max: limits.sessionMaxBytes }),
    default: kindDefaults.maxBytes,
  },
  silence: {
    ...seconds({ minMs: limits.silenceMinMs, maxMs: limits.delayMaxMs }),
    default: kindDefaults.silenceMs,
  },
} as const;

const tokenFile = path();

/** A hundred years. */
const days = whole({ min: 1, max: 36_500 });

/** Reads the sections among the settings of the file; `problems` gets what is wrong with them. */
export function readSections(settings: readonly FileSetting[], problems: Problem[]): Sections {
  const reader = new SectionReader(problems);
  let tokens: readonly TokenSettings[] = [];
  let sessions: readonly KindSettings[] | undefined;
  let documents: DocumentSettings | undefined;
  for (const { key, value } of settings) {
    if (key === "tokens") tokens = reader.tokens(value);
    else if (key === "sessions") sessions = reader.sessions(value);
    else if (key === "documents") documents = reader.documents(value);
  }
  return { tokens, sessions, documents };
}

class SectionReader {
  readonly #problems: Problem[];

  constructor(problems: Problem[]) {
    this.#problems = problems;
  }

  tokens(section: FileNode): readonly TokenSettings[] {
    if (isEmpty(section)) return [];
    if (section.kind !== "list") {
      this.#refuse(section, "tokens must be a list of entries with name, role and sha256");
      return [];
    }
    this.#checkCount(section, {
      what: "tokens",
      count: section.items.length,
      max: limits.tokensMaxCount,
    });
    const tokens: TokenSettings[] = [];
    const places = new Places(this.#problems);
    for (const item of section.items) {
      if (item.kind !== "map") {
        this.#refuse(item, "a token must have a name, a role and a sha256");
        continue;
      }
      const token = this.#entry("the token", item, tokenParts);
      if (token === undefined) continue;
      places.claim(item.source, `the name ${token.name}`, "token");
      places.claim(item.source, `the sha256 of ${token.name}`, "token", token.sha256);
      tokens.push(token);
    }
    return tokens;
  }

  sessions(section: FileNode): readonly KindSettings[] {
    if (isEmpty(section)) return [];
    if (section.kind !== "map") {
      this.#refuse(section, "sessions must be lines of KIND: and under each its settings");
      return [];
    }
    this.#checkCount(section, {
      what: "kinds of sessions",
      count: section.settings.length,
      max: limits.kindsMaxCount,
    });
    const kinds: KindSettings[] = [];
    const places = new Places(this.#problems);
    for (const { key, value, source } of section.settings) {
      const title = `the kind ${shown(key)}`;
      if (!kindName.schema.safeParse(key).success) {
        this.#problems.push({ source, text: `${title} must have a name of ${kindName.range}` });
      }
      if (value.kind !== "map") {
        this.#refuse(value, `${title} must have settings, a number at least`);
        continue;
      }
      const kind = this.#entry(title, value, kindParts);
      if (kind === undefined) continue;
      places.claim(source, `the number ${kind.number}`, "kind");
      kinds.push({
        name: key,
        number: kind.number,
        delayMs: kind.delay,
        spreadMs: kind.spread,
        maxRepeats: kind.repeats,
        maxBytes: kind.length,
        silenceMs: kind.silence,
      });
    }
    return kinds;
  }

  documents(section: FileNode): DocumentSettings | undefined {
    if (isEmpty(section)) return undefined;
    if (section.kind !== "map") {
      this.#refuse(section, "documents must be lines of NAME: VALUE");
      return undefined;
    }
    let peers: DocumentSettings["peers"];
    let peerTokenFile: NamedFile | undefined;
    let historyDays: number | undefined;
    for (const { key, value, source } of section.settings) {
      if (key === "peers") peers = this.#peers(value);
      else if (key === "peer-token-file") {
        const given = value.kind === "plain" ? tokenFile.schema.safeParse(value.text) : undefined;
        if (given?.success === true) peerTokenFile = { path: given.data, source };
        else this.#refuse(value, `${key} ${whatIs(value, tokenFile)} must be ${tokenFile.range}`);
      } else if (key === "history-days") {
        const given = value.kind === "plain" ? days.schema.safeParse(value.text) : undefined;
        if (given?.success === true) historyDays = given.data;
        else this.#refuse(value, `${key} ${whatIs(value, days)} must be ${days.range}`);
      } else {
        const hint = suggestion(key, ["peers", "peer-token-file", "history-days"]);
        this.#problems.push({ source, text: `documents has no setting ${shown(key)}${hint}` });
      }
    }
    return { peers, peerTokenFile, historyDays };
  }

  #peers(list: FileNode): DocumentSettings["peers"] {
    if (isEmpty(list)) return undefined;
    if (list.kind !== "list") {
      this.#refuse(list, "peers of documents must be a list, one peer in a line");
      return undefined;
    }
    const one = peerAddress();
    const texts: string[] = [];
    const before = this.#problems.length;
    for (const item of list.items) {
      const sound = item.kind === "plain" && one.schema.safeParse(item.text).success;
      if (sound) texts.push(item.text);
      else this.#refuse(item, `a peer ${whatIs(item, one)} must be ${one.range}`);
    }
    if (texts.length === 0 || this.#problems.length > before) return undefined;
    return { text: texts.join(","), source: list.source };
  }

  /** One entry of a section; `undefined` if something is wrong with it. */
  #entry<P extends Parts>(
    title: string,
    map: FileNode & { kind: "map" },
    parts: P,
  ): Entry<P> | undefined {
    const before = this.#problems.length;
    const values = new Map<string, unknown>();
    for (const { key, value, source } of map.settings) {
      const part = Object.hasOwn(parts, key) ? parts[key] : undefined;
      if (part === undefined) {
        const hint = suggestion(key, Object.keys(parts));
        this.#problems.push({ source, text: `${title} has no setting ${shown(key)}${hint}` });
        continue;
      }
      const result = value.kind === "plain" ? part.schema.safeParse(value.text) : undefined;
      if (result?.success === true) values.set(key, result.data);
      else this.#refuse(value, `${key} of ${title} ${whatIs(value, part)} must be ${part.range}`);
      // What is there and wrong is not missing as well.
      if (!values.has(key)) values.set(key, undefined);
    }
    for (const [name, part] of Object.entries(parts)) {
      if (values.has(name)) continue;
      if (part.default === undefined)
        this.#refuse(map, `${title} has no ${name}; it must be ${part.range}`);
      values.set(name, part.default);
    }
    return this.#problems.length === before ? (Object.fromEntries(values) as Entry<P>) : undefined;
  }

  #checkCount(
    section: FileNode,
    { what, count, max }: { what: string; count: number; max: number },
  ): void {
    if (count > max) this.#refuse(section, `there are ${count} ${what}; at most ${max} may be`);
  }

  #refuse({ source }: FileNode, text: string): void {
    this.#problems.push({ source, text });
  }
}

/** What must be there once. */
class Places {
  readonly #problems: Problem[];
  readonly #claimed = new Map<string, string>();

  constructor(problems: Problem[]) {
    this.#problems = problems;
  }

  claim(source: string, title: string, whose: string, what = title): void {
    const other = this.#claimed.get(what);
    if (other === undefined) this.#claimed.set(what, source);
    else this.#problems.push({ source, text: `${title} is that of another ${whose}, at ${other}` });
  }
}

function isEmpty(section: FileNode): boolean {
  return section.kind === "plain" && section.text === "";
}

/** `is "x"; it`, or nothing of the value if it is hidden. */
function whatIs(value: FileNode, { hidden }: Part<unknown>): string {
  if (value.kind !== "plain") return `is a ${value.kind === "other" ? "alias" : value.kind}; it`;
  if (value.text === "") return "is empty; it";
  return hidden === true ? "is not right; it" : `is ${shown(value.text)}; it`;
}
