/**
 * A checkpoint on its way from one copy to another: the files that one gives out, and what the other has received. Transport is others' business; here
 * are both ends. See "Transfer" in docs/checkpoint-format.md.
 */
import { assert, must } from "../base/assert.ts";
import { TrubaError } from "../base/errors.ts";
import type { FileHandle, FileSystem } from "../base/file-system.ts";
import { limits } from "../base/limits.ts";
import { checkWholeRun } from "./checkpoint-check.ts";
import { decodeManifest } from "./manifest.ts";
import type { Manifest } from "./manifest.ts";
import {
  checkRunHeader,
  damaged,
  incomingName,
  readRunFooter,
  runFileName,
  runFooterBytes,
  runHeaderBytes,
  writeRunFooter,
  writeRunHeader,
} from "./run-format.ts";
import type { RunInfo } from "./run-format.ts";

export interface ExportedFile {
  readonly name: string;
  readonly bytes: number;
}

/** A checkpoint that is given out. Its files stay, whatever becomes of the store's, until {@link release}. */
export class ExportedCheckpoint {
  /** To be handed to {@link CheckpointReceiver.begin}. */
  readonly manifest: Buffer;
  /** In the order in which they are to be written. */
  readonly files: readonly ExportedFile[];
  readonly #source: { readonly files: FileSystem; readonly directory: string };
  readonly #onRelease: () => void;
  readonly #handles = new Map<string, FileHandle>();
  /** Reads under way. */
  readonly #reading = new Set<Promise<unknown>>();
  #released = false;
  #closed = false;

  /** Made by `CheckpointStore.exportFiles`. */
  constructor(
    source: { readonly files: FileSystem; readonly directory: string },
    content: { readonly manifest: Buffer; readonly files: readonly ExportedFile[] },
    onRelease: () => void,
  ) {
    this.#source = source;
    this.manifest = content.manifest;
    this.files = content.files;
    this.#onRelease = onRelease;
  }

  /**
   * `length` bytes of a file of {@link files} from `offset` on, or fewer at its end. The bytes are not checked: the receiver does that. Reads may overlap.
   * Throws TrubaError NOTFOUND for a file that is not among them, STOPPED after a release, and the operating system's errors.
   */
  async read(name: string, offset: number, length: number): Promise<Buffer> {
    if (this.#released) throw new TrubaError("STOPPED", "this checkpoint is no longer given out");
    const file = this.files.find((one) => one.name === name);
    if (file === undefined) throw new TrubaError("NOTFOUND", `the checkpoint has no file ${name}`);
    assert(offset >= 0, "an offset must not be negative");
    assert(length >= 0, "a length must not be negative");
    const target = Buffer.allocUnsafe(Math.max(0, Math.min(length, file.bytes - offset)));
    let handle = this.#handles.get(name);
    if (handle === undefined) {
      handle = this.#source.files.openSync(`${this.#source.directory}/${name}`, "read");
      this.#handles.set(name, handle);
    }
    const reading = handle.read(target, offset);
    this.#reading.add(reading);
    try {
      return target.subarray(0, await reading);
    } finally {
      this.#reading.delete(reading);
      this.#closeIfOver();
    }
  }

  /** The files may go. Reads that are under way come to their end. More than once is the same. */
  release(): void {
    this.#released = true;
    this.#closeIfOver();
  }

  /** Releases it and waits for reads under way. Never throws. */
  async end(): Promise<void> {
    this.release();
    await Promise.allSettled(this.#reading);
  }

  #closeIfOver(): void {
    if (!this.#released || this.#reading.size > 0 || this.#closed) return;
    this.#closed = true;
    for (const handle of this.#handles.values()) handle.closeSync();
    this.#handles.clear();
    this.#onRelease();
  }
}

/** A checkpoint of another copy, whole and durable beside this copy's own; to be adopted by the store that it was received by. */
export interface ReceivedCheckpoint {
  /** What stands beside the tables, as the sender has it. */
  readonly state: Readonly<Record<string, unknown>>;
  /** Under ids of this store. */
  readonly runs: readonly RunInfo[];
}

/** What a receiver needs of its store. */
export interface ReceiverStore {
  readonly files: FileSystem;
  readonly directory: string;
  readonly partition: number;
  /** An id that no run of the store has had. */
  nextRun(): number;
  /** Removes a file, later if not now. */
  remove(path: string): Promise<void>;
  /** All of it is there. */
  received(checkpoint: ReceivedCheckpoint): void;
  /** The receiver is through: nothing of it is open, and its files are gone or the store's. */
  ended(): void;
}

/** A run that arrives. */
interface Arrival {
  readonly sent: RunInfo;
  /** Its id here. */
  readonly id: number;
  written: number;
}

/**
 * Writes a checkpoint that arrives, under run ids of this store, into `incoming/`. One call at a time, in this order: `begin`, `write` for every piece of
 * every file, front to back, one file after the other; `finish`. Any error ends it, and the checkpoint has to be fetched again; the files are removed
 * by `abandon`, or by the next start.
 */
export class CheckpointReceiver {
  readonly #store: ReceiverStore;
  readonly #directory: string;
  #manifest: Manifest | undefined;
  #arrivals: readonly Arrival[] = [];
  #open: { readonly arrival: Arrival; readonly handle: FileHandle } | undefined;
  #unsynced = 0;
  #working: Promise<unknown> | undefined;
  #state: "arriving" | "received" | "ended" = "arriving";

  /** Made by `CheckpointStore.receive`. */
  constructor(store: ReceiverStore) {
    this.#store = store;
    this.#directory = `${store.directory}/${incomingName}`;
  }

  /** Takes the sender's manifest. Throws TrubaError DATADAMAGED or DATAVERSION when it is none that this version reads, or without a state. */
  begin(manifest: Uint8Array): Promise<void> {
    return this.#work(async () => this.#begin(manifest));
  }

  /** The next piece of a file. Throws TrubaError DATADAMAGED when it does not fit what the manifest says, and the operating system's errors. */
  write(name: string, chunk: Uint8Array): Promise<void> {
    return this.#work(() => this.#write(name, chunk));
  }

  /** Reads everything again, checks it, and makes it durable. Throws TrubaError DATADAMAGED, naming what and where. */
  finish(): Promise<ReceivedCheckpoint> {
    return this.#work(() => this.#finish());
  }

  /** Gives it up: closes and removes what has arrived. Nothing happens after an adoption. Never throws. */
  async abandon(): Promise<void> {
    if (this.#state === "ended") return;
    this.#state = "ended";
    await this.#working?.catch(() => {});
    this.#open?.handle.closeSync();
    this.#open = undefined;
    for (const { id } of this.#arrivals) await this.#store.remove(this.#pathOf(id));
    this.#store.ended();
  }

  /** Its files are the store's from now on. Called by the store. */
  adopted(): void {
    assert(this.#state === "received", "a checkpoint is adopted once, when all of it is there");
    this.#state = "ended";
    this.#store.ended();
  }

  #work<T>(step: () => Promise<T>): Promise<T> {
    assert(this.#working === undefined, "a receiver does one thing at a time");
    if (this.#state !== "arriving")
      return Promise.reject(new TrubaError("STOPPED", "the checkpoint is received no longer"));
    const working = step().finally(() => {
      this.#working = undefined;
    });
    this.#working = working;
    return working;
  }

  #begin(bytes: Uint8Array): void {
    assert(this.#manifest === undefined, "a receiver begins once");
    const { files, partition } = this.#store;
    if (bytes.length > limits.manifestMaxBytes) {
      const text = `it has ${bytes.length} bytes; the limit is ${limits.manifestMaxBytes}`;
      throw damaged("the manifest that was received", text);
    }
    const manifest = decodeManifest(
      Buffer.from(bytes),
      "the manifest that was received",
      partition,
    );
    if (manifest.state === null)
      throw damaged("the manifest that was received", "it is of a partition without a checkpoint");
    this.#manifest = manifest;
    this.#arrivals = manifest.runs.map((sent) => ({ sent, id: this.#store.nextRun(), written: 0 }));
    files.makeDirectorySync(this.#directory);
  }

  async #write(name: string, chunk: Uint8Array): Promise<void> {
    const arrival = this.#arrivals.find(({ sent }) => runFileName(sent.id) === name);
    if (arrival === undefined)
      throw damaged(name, "the manifest that was received has no such run");
    const { sent, written } = arrival;
    if (written + chunk.length > sent.bytes) {
      const text = `${written + chunk.length} bytes were received; the manifest names ${sent.bytes}`;
      throw damaged(name, text);
    }
    const handle = this.#handleOf(arrival);
    await handle.write(chunk, written);
    arrival.written += chunk.length;
    this.#unsynced += chunk.length;
    if (arrival.written === sent.bytes) await this.#complete(arrival, handle);
    else if (this.#unsynced >= limits.runSyncEveryBytes) await this.#sync(handle);
  }

  #handleOf(arrival: Arrival): FileHandle {
    const open = this.#open;
    if (open?.arrival === arrival) return open.handle;
    if (open !== undefined || arrival.written > 0)
      throw damaged(runFileName(arrival.sent.id), "files were not received one after the other");
    const handle = this.#store.files.openSync(this.#pathOf(arrival.id), "create");
    this.#open = { arrival, handle };
    return handle;
  }

  async #sync(handle: FileHandle): Promise<void> {
    this.#unsynced = 0;
    await handle.syncData();
  }

  /** Gives the run its id here: the only bytes that differ from the sender's are the id and the checksums of header and footer. */
  async #complete({ sent, id }: Arrival, handle: FileHandle): Promise<void> {
    const { partition } = this.#store;
    const path = this.#pathOf(id);
    const header = Buffer.alloc(runHeaderBytes);
    await handle.read(header, 0);
    checkRunHeader(header, path, { id: sent.id, partition });
    const footer = Buffer.alloc(runFooterBytes);
    const footerAt = sent.bytes - runFooterBytes;
    await handle.read(footer, footerAt);
    const content = readRunFooter(footer, path, sent);
    writeRunHeader(header, { id, partition });
    writeRunFooter(footer, 0, { ...content, id });
    await handle.write(header, 0);
    await handle.write(footer, footerAt);
    await this.#sync(handle);
    handle.closeSync();
    this.#open = undefined;
  }

  async #finish(): Promise<ReceivedCheckpoint> {
    const { files, partition } = this.#store;
    const manifest = must(this.#manifest, "a receiver begins before it finishes");
    const runs: RunInfo[] = [];
    for (const { sent, id, written } of this.#arrivals) {
      if (written < sent.bytes) {
        const text = `${written} bytes were received; the manifest names ${sent.bytes}`;
        throw damaged(runFileName(sent.id), text);
      }
      const run = { ...sent, id, checksum: this.#checksumOf(sent, id) };
      await checkWholeRun({ files, directory: this.#directory, partition }, run);
      runs.push(run);
    }
    await files.syncDirectory(this.#directory);
    // A receiver that was abandoned meanwhile has nothing to give.
    if (this.#state !== "arriving")
      throw new TrubaError("STOPPED", "the checkpoint is received no longer");
    this.#state = "received";
    const checkpoint = { state: must(manifest.state), runs };
    this.#store.received(checkpoint);
    return checkpoint;
  }

  /** The checksum that ends the file here. */
  #checksumOf(sent: RunInfo, id: number): number {
    const footer = Buffer.alloc(runFooterBytes);
    const handle = this.#store.files.openSync(this.#pathOf(id), "read");
    try {
      handle.readSync(footer, sent.bytes - runFooterBytes);
    } finally {
      handle.closeSync();
    }
    return footer.readUInt32LE(runFooterBytes - 4);
  }

  #pathOf(id: number): string {
    return `${this.#directory}/${runFileName(id)}`;
  }
}
