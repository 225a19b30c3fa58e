/** Where acceptance tests take place: a directory of their own on the real disk, and what a process leaves there when it dies. */
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Removed at the end of the block with `using`. */
export class Place implements Disposable {
  readonly path = mkdtempSync(join(tmpdir(), "truba-acceptance-"));
  #deaths = 0;

  /** The data directory of the database. */
  get data(): string {
    return join(this.path, "data");
  }

  /** What the process, were it killed now, would leave behind, as a directory that can be opened. Whoever has the original open keeps it. */
  killed(): string {
    const copy = join(this.path, `killed-${++this.#deaths}`);
    cpSync(this.data, copy, { recursive: true });
    return copy;
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}

export const textOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString();
