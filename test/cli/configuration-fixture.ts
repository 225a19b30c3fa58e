/** Loading a configuration from texts, for its tests. */
import type { ConfigurationFiles } from "../../src/cli/configuration-file.ts";
import { loadConfiguration } from "../../src/cli/configuration.ts";
import type { LoadedConfiguration } from "../../src/cli/configuration.ts";

/** Files that exist in memory only. */
export function filesOf(
  contents: Readonly<Record<string, string | Uint8Array>>,
): ConfigurationFiles {
  return {
    read: (path) => (Object.hasOwn(contents, path) ? Buffer.from(contents[path] ?? "") : undefined),
  };
}

interface Given {
  readonly flags?: Record<string, unknown>;
  readonly unplaced?: readonly string[];
  readonly environment?: Record<string, string>;
  readonly file?: string | Uint8Array;
  /** Other files. */
  readonly others?: Readonly<Record<string, string>>;
}

/** Loads with `file` as truba.yaml. */
export function load({
  flags = {},
  unplaced = [],
  environment = {},
  file,
  others = {},
}: Given): LoadedConfiguration {
  const files = filesOf(file === undefined ? others : { "truba.yaml": file, ...others });
  return loadConfiguration({ flags, unplaced, environment, files });
}

/** Each problem as it is printed. */
export function problems(given: Given): string[] {
  return load(given).problems.map(({ source, text }) => `${source}: ${text}`);
}
