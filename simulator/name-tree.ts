/**
 * The names of the simulated disk. A directory has the names that the process sees and those that are durable; between the two
 * stand the changes that no sync of a directory has covered yet.
 *
 * After a power loss any of these changes may be missing, but of the changes to one name only the last ones: a directory is
 * written as it is at some moment, name by name. A rename is one change of two names, never half done.
 */
import { posix } from "node:path";
import { must } from "../src/base/assert.ts";
import { DiskError } from "./disk-error.ts";
import { DiskFile } from "./disk-file.ts";

export class DiskDirectory {
  readonly kind = "directory";
  entries = new Map<string, DiskNode>();
  readonly durable = new Map<string, DiskNode>();
}

export type DiskNode = DiskFile | DiskDirectory;

interface Place {
  readonly directory: DiskDirectory;
  readonly name: string;
}

/** A change of names that was not synced. */
export interface NameChange {
  readonly kind: "create" | "makeDirectory" | "rename" | "unlink";
  readonly path: string;
  readonly removed: Place | undefined;
  readonly added: (Place & { readonly node: DiskNode }) | undefined;
}

export class NameTree {
  readonly root: DiskDirectory;
  #changes: NameChange[];

  constructor(root = new DiskDirectory(), changes: NameChange[] = []) {
    this.root = root;
    this.#changes = changes;
  }

  get changes(): readonly NameChange[] {
    return this.#changes;
  }

  find(path: string): DiskNode | undefined {
    let node: DiskNode | undefined = this.root;
    for (const name of namesOf(path)) {
      if (node?.kind !== "directory") return undefined;
      node = node.entries.get(name);
    }
    return node;
  }

  directory(path: string, syscall: string): DiskDirectory {
    const node = this.find(path);
    if (node === undefined) throw new DiskError("ENOENT", syscall, path);
    if (node.kind !== "directory") throw new DiskError("ENOTDIR", syscall, path);
    return node;
  }

  file(path: string, syscall: string): DiskFile {
    const node = this.find(path);
    if (node === undefined) throw new DiskError("ENOENT", syscall, path);
    if (node.kind !== "file") throw new DiskError("EISDIR", syscall, path);
    return node;
  }

  createFile(path: string): DiskFile {
    const place = this.#place(path, "open");
    if (place.directory.entries.has(place.name)) throw new DiskError("EEXIST", "open", path);
    const node = new DiskFile(path);
    this.#change({ kind: "create", path, removed: undefined, added: { ...place, node } });
    return node;
  }

  makeDirectory(path: string): void {
    let walked = "";
    let directory = this.root;
    for (const name of namesOf(path)) {
      walked += `/${name}`;
      let node = directory.entries.get(name);
      if (node?.kind === "file") {
        throw new DiskError(
          walked === posix.resolve("/", path) ? "EEXIST" : "ENOTDIR",
          "mkdir",
          path,
        );
      }
      if (node === undefined) {
        node = new DiskDirectory();
        const added = { directory, name, node };
        this.#change({ kind: "makeDirectory", path: walked, removed: undefined, added });
      }
      directory = node;
    }
  }

  rename(from: string, to: string): void {
    const source = this.#place(from, "rename");
    const target = this.#place(to, "rename");
    const node = source.directory.entries.get(source.name);
    if (node === undefined) throw new DiskError("ENOENT", "rename", from);
    const replaced = target.directory.entries.get(target.name);
    if (replaced === node) return;
    if (replaced !== undefined) mustBeReplaceable(node, replaced, to);
    this.#change({ kind: "rename", path: to, removed: source, added: { ...target, node } });
    if (node.kind === "file") node.path = to;
  }

  unlink(path: string): void {
    this.file(path, "unlink");
    const removed = this.#place(path, "unlink");
    this.#change({ kind: "unlink", path, removed, added: undefined });
  }

  /** Makes the names of a directory durable; of a rename into another directory only with that one's sync. */
  syncDirectory(path: string): void {
    const directory = this.directory(path, "open");
    const synced = new Set<NameChange>();
    // Backwards: what a synced change builds upon is durable with it.
    for (const change of this.#changes.toReversed()) {
      const home = (change.added ?? must(change.removed)).directory;
      if (home === directory || [...synced].some((later) => touchOneName(change, later))) {
        synced.add(change);
      }
    }
    for (const change of this.#changes) if (synced.has(change)) makeDurable(change);
    this.#changes = this.#changes.filter((change) => !synced.has(change));
  }

  /** All changes so far become durable. */
  syncAll(): void {
    for (const change of this.#changes) makeDurable(change);
    this.#changes = [];
  }

  /** Power loss: asks for each change, in order, whether it survives, unless one that it builds upon has not. */
  crash(keep: (change: NameChange, index: number) => boolean): void {
    const lost: NameChange[] = [];
    for (const [index, change] of this.#changes.entries()) {
      const kept = !lost.some((earlier) => touchOneName(earlier, change)) && keep(change, index);
      if (kept) makeDurable(change);
      else lost.push(change);
    }
    this.#changes = [];
    showDurable(this.root);
  }

  /** Takes a name away for good, as damage does. */
  loseName(path: string): void {
    const { directory, name } = this.#place(path, "unlink");
    directory.entries.delete(name);
    directory.durable.delete(name);
    this.#changes = this.#changes.filter(
      ({ added }) => added === undefined || added.directory !== directory || added.name !== name,
    );
  }

  /** The files that the process sees. */
  visibleFiles(): DiskFile[] {
    const found: DiskFile[] = [];
    const walk = (node: DiskNode): void => {
      if (node.kind === "file") found.push(node);
      else node.entries.forEach(walk);
    };
    walk(this.root);
    return found;
  }

  /** The files that have a name, seen or durable, each once, in the order of the names. */
  files(): DiskFile[] {
    const found = new Set<DiskFile>();
    const walk = (node: DiskNode): void => {
      if (node.kind === "file") found.add(node);
      else for (const map of [node.entries, node.durable]) sortedEntries(map).forEach(walk);
    };
    walk(this.root);
    for (const { added } of this.#changes) if (added?.node.kind === "file") found.add(added.node);
    return [...found];
  }

  clone(): NameTree {
    const copies = new Map<DiskNode, DiskNode>();
    const copy = <T extends DiskNode>(node: T): T => {
      const known = copies.get(node);
      if (known !== undefined) return known as T;
      if (node.kind === "file") return remember(copies, node, node.clone()) as T;
      const directory = remember(copies, node, new DiskDirectory()) as DiskDirectory;
      for (const [name, child] of node.entries) directory.entries.set(name, copy(child));
      for (const [name, child] of node.durable) directory.durable.set(name, copy(child));
      return directory as T;
    };
    const root = copy(this.root);
    const changes = this.#changes.map(({ kind, path, removed, added }) => ({
      kind,
      path,
      removed: removed && { directory: copy(removed.directory), name: removed.name },
      added: added && {
        directory: copy(added.directory),
        name: added.name,
        node: copy(added.node),
      },
    }));
    return new NameTree(root, changes);
  }

  #place(path: string, syscall: string): Place {
    const absolute = posix.resolve("/", path);
    const directory = this.directory(posix.dirname(absolute), syscall);
    return { directory, name: posix.basename(absolute) };
  }

  #change(change: NameChange): void {
    const { removed, added } = change;
    if (removed !== undefined) removed.directory.entries.delete(removed.name);
    if (added !== undefined) added.directory.entries.set(added.name, added.node);
    this.#changes.push(change);
  }
}

function namesOf(path: string): string[] {
  return posix
    .resolve("/", path)
    .split("/")
    .filter((name) => name !== "");
}

function mustBeReplaceable(node: DiskNode, replaced: DiskNode, path: string): void {
  if (replaced.kind === "file") {
    if (node.kind === "directory") throw new DiskError("ENOTDIR", "rename", path);
  } else if (node.kind === "file") {
    throw new DiskError("EISDIR", "rename", path);
  } else if (replaced.entries.size > 0) {
    throw new DiskError("ENOTEMPTY", "rename", path);
  }
}

function touchOneName(a: NameChange, b: NameChange): boolean {
  return (
    samePlace(a.removed, b.removed) ||
    samePlace(a.removed, b.added) ||
    samePlace(a.added, b.removed) ||
    samePlace(a.added, b.added)
  );
}

function samePlace(a: Place | undefined, b: Place | undefined): boolean {
  return a !== undefined && a.directory === b?.directory && a.name === b.name;
}

function makeDurable({ removed, added }: NameChange): void {
  if (removed !== undefined) removed.directory.durable.delete(removed.name);
  if (added !== undefined) added.directory.durable.set(added.name, added.node);
}

function showDurable(directory: DiskDirectory): void {
  directory.entries = new Map(directory.durable);
  for (const node of directory.entries.values()) if (node.kind === "directory") showDurable(node);
}

function sortedEntries(map: Map<string, DiskNode>): DiskNode[] {
  return [...map].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, node]) => node);
}

function remember(copies: Map<DiskNode, DiskNode>, node: DiskNode, copy: DiskNode): DiskNode {
  copies.set(node, copy);
  return copy;
}
