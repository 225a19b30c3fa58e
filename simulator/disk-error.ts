/** Errors as the operating system and Node make them. */

/** `code: call path`, as errors of `node:fs` look. */
export class DiskError extends Error {
  override readonly name = "DiskError";
  readonly code: string;
  readonly syscall: string;
  readonly path: string;

  constructor(code: string, syscall: string, path: string) {
    super(`${code}: ${meanings[code] ?? "injected error"}, ${syscall} '${path}'`);
    this.code = code;
    this.syscall = syscall;
    this.path = path;
  }
}

/**
 * The process that makes this call is dead: the power went, or it was killed. Code under test may take it for an EIO; nothing that
 * it still does has an effect.
 */
export class PowerLossError extends Error {
  override readonly name = "PowerLossError";
  readonly code = "EIO";

  constructor(call: string) {
    super(`EIO: the simulated process is dead, ${call}`);
  }
}

const meanings: Readonly<Record<string, string>> = {
  EBADF: "bad file descriptor",
  EEXIST: "file already exists",
  EINVAL: "invalid argument",
  EIO: "i/o error",
  EISDIR: "illegal operation on a directory",
  ENOENT: "no such file or directory",
  ENOSPC: "no space left on device",
  ENOTDIR: "not a directory",
  ENOTEMPTY: "directory not empty",
};
