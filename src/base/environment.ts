import type { Clock } from "./clock.ts";
import type { FileSystem } from "./file-system.ts";
import type { Logger } from "./logger.ts";
import type { Network } from "./network.ts";
import type { Random } from "./random.ts";

/** The four seams to the world, and where to tell what happens. Passed in, never reached for. */
export interface Environment {
  readonly clock: Clock;
  readonly random: Random;
  readonly files: FileSystem;
  readonly network: Network;
  readonly logger: Logger;
}
