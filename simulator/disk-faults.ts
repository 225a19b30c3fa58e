/** Errors that a test plants: which calls fail, how often, with which code. */

/** What is done to the disk. */
export type OperationKind =
  | "open"
  | "create"
  | "list"
  | "makeDirectory"
  | "rename"
  | "unlink"
  | "syncDirectory"
  | "read"
  | "write"
  | "sync";

export interface Operation {
  readonly kind: OperationKind;
  /** Of a rename the new name. */
  readonly path: string;
  /** Of a read or write, in bytes. */
  readonly position?: number;
  readonly length?: number;
}

export interface Fault {
  readonly on: OperationKind;
  /** EIO, ENOSPC, EMFILE, … */
  readonly code: string;
  /** Default: any path. */
  readonly path?: string | RegExp;
  /** Only reads and writes that touch these bytes, the end excluded. Default: all. */
  readonly range?: { readonly start: number; readonly end: number };
  /** So many matching calls succeed first. Default 0. */
  readonly skip?: number;
  /** So many calls fail. Default 1; Infinity for a medium that stays bad. */
  readonly times?: number;
}

interface PlantedFault {
  readonly fault: Fault;
  skip: number;
  times: number;
}

export class DiskFaults {
  #planted: PlantedFault[] = [];

  plant(fault: Fault): void {
    this.#planted.push({ fault, skip: fault.skip ?? 0, times: fault.times ?? 1 });
  }

  clear(): void {
    this.#planted = [];
  }

  /** The code with which this operation fails, if it does. Counts it. */
  take(operation: Operation): string | undefined {
    for (const planted of this.#planted) {
      if (!matches(planted.fault, operation)) continue;
      if (planted.skip > 0) {
        planted.skip--;
        continue;
      }
      planted.times--;
      if (planted.times <= 0) this.#planted = this.#planted.filter((one) => one !== planted);
      return planted.fault.code;
    }
    return undefined;
  }
}

function matches({ on, path, range }: Fault, operation: Operation): boolean {
  if (on !== operation.kind) return false;
  if (typeof path === "string" && path !== operation.path) return false;
  if (path instanceof RegExp && !path.test(operation.path)) return false;
  if (range === undefined) return true;
  const start = operation.position ?? 0;
  return start < range.end && start + (operation.length ?? 0) > range.start;
}
