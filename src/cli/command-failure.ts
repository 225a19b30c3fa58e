/** How a command ends that cannot do what it was asked for: one line for a person on standard error, and an exit code for programs. */

/** The exit code of a command that was called in the wrong way. */
export const badUsageExitCode = 2;

export class CommandFailure extends Error {
  override readonly name = "CommandFailure";
  readonly exitCode: number;

  /** `text` is printed as it stands, behind the program's name. */
  constructor(text: string, exitCode = 1) {
    super(text);
    this.exitCode = exitCode;
  }
}
