/** Files of checkpoints that no manifest names any more: removed as soon as nobody reads them. */
import { assert, must } from "../base/assert.ts";
import { errorText, systemErrorCode } from "../base/errors.ts";
import type { FileSystem } from "../base/file-system.ts";
import type { Logger } from "../base/logger.ts";

export class StrayFiles {
  readonly #files: FileSystem;
  readonly #logger: Logger;
  /** To be removed once a manifest that does not name them is durable. */
  readonly #strays = new Set<string>();
  /** How many readers a file has that want it to stay. */
  readonly #pins = new Map<string, number>();

  constructor(files: FileSystem, logger: Logger) {
    this.#files = files;
    this.#logger = logger;
  }

  add(path: string): void {
    this.#strays.add(path);
  }

  /** The file stays until it was unpinned as often. */
  pin(path: string): void {
    this.#pins.set(path, (this.#pins.get(path) ?? 0) + 1);
  }

  unpin(path: string): void {
    const left = must(this.#pins.get(path), "a file is unpinned as often as it was pinned") - 1;
    assert(left >= 0, "pins are counted");
    if (left > 0) this.#pins.set(path, left);
    else this.#pins.delete(path);
  }

  /** Removes all that are not pinned. Never throws. */
  async removeAll(): Promise<void> {
    const paths = Array.from(this.#strays).filter((path) => !this.#pins.has(path));
    for (const path of paths) this.#strays.delete(path);
    for (const path of paths) await this.remove(path);
  }

  /** Removes a file that nothing names. What cannot be removed now is tried again after the next manifest, and at the next start. */
  async remove(path: string): Promise<void> {
    try {
      await this.#files.unlink(path);
    } catch (error) {
      if (systemErrorCode(error) === "ENOENT") return;
      this.#strays.add(path);
      this.#logger.warn({ path, error: errorText(error) }, "a run file could not be removed");
    }
  }
}
