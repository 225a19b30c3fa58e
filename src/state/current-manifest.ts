/**
 * The manifest of one partition that counts: what it says, and how another takes its place. Everything that makes a new state durable ends here, in one
 * replacement; what a crash or an error leaves beside it is removed later.
 */
import type { FileSystem } from "../base/file-system.ts";
import { type Manifest, commitManifest, prepareManifest } from "./manifest.ts";
import { type RunInfo, runFileName } from "./run-format.ts";
import type { StrayFiles } from "./stray-files.ts";

export type ManifestContent = Pick<Manifest, "runs" | "state">;

export interface CurrentManifestParts {
  readonly files: FileSystem;
  readonly directory: string;
  readonly partition: number;
  /** `undefined` before the first. */
  readonly manifest: Manifest | undefined;
  readonly strays: StrayFiles;
  /** The id of the next run. */
  readonly nextRun: () => number;
}

export class CurrentManifest {
  readonly #parts: CurrentManifestParts;
  #manifest: Manifest | undefined;
  #isInDoubt = false;
  /** Settles when the replacement that was begun last is over. */
  #replaced: Promise<void> = Promise.resolve();

  constructor(parts: CurrentManifestParts) {
    this.#parts = parts;
    this.#manifest = parts.manifest;
  }

  /** What the manifest on disk says, or will say again while {@link isInDoubt}. `undefined` before the first. */
  get manifest(): Manifest | undefined {
    return this.#manifest;
  }

  get runs(): readonly RunInfo[] {
    return this.#manifest?.runs ?? [];
  }

  /** The last replacement failed in a way that leaves open which manifest is on disk. */
  get isInDoubt(): boolean {
    return this.#isInDoubt;
  }

  pathOf(run: RunInfo): string {
    return `${this.#parts.directory}/${runFileName(run.id)}`;
  }

  /**
   * Puts what `change` makes of the manifest in its place, one replacement after another, then removes the files that are no longer named. Throws the
   * operating system's error: then nothing has changed, and the runs that were `added` are removed.
   */
  replace(
    added: readonly RunInfo[],
    change: (runs: readonly RunInfo[], state: Manifest["state"]) => ManifestContent,
  ): Promise<void> {
    const { strays } = this.#parts;
    const replacement = this.#replaced.then(async () => {
      const before = this.runs;
      const changed = change(before, this.#manifest?.state ?? null);
      await this.#put(added, changed);
      const kept = new Set(changed.runs.map((run) => run.id));
      for (const run of before) if (!kept.has(run.id)) strays.add(this.pathOf(run));
      await strays.removeAll();
    });
    this.#replaced = replacement.catch(() => {});
    return replacement;
  }

  async #put(added: readonly RunInfo[], changed: ManifestContent): Promise<void> {
    const { files, directory, partition, strays, nextRun } = this.#parts;
    const manifest = { partition, nextRun: nextRun(), ...changed };
    try {
      await prepareManifest(files, directory, manifest);
    } catch (error) {
      for (const run of added) await strays.remove(this.pathOf(run));
      throw error;
    }
    try {
      await commitManifest(files, directory);
    } catch (error) {
      // The new manifest may be the one on disk: what it names stays until another one is surely there.
      for (const run of added) strays.add(this.pathOf(run));
      this.#isInDoubt = true;
      throw error;
    }
    this.#isInDoubt = false;
    this.#manifest = manifest;
  }
}
