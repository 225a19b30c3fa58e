/** The output of one command of a scenario. Level `none` silences everything but errors. */

/** What a command prints that has nothing to say. */
export const nothing = "ok\n";

const levels: readonly string[] = ["debug", "info", "warn", "error", "fatal", "none"];

export class Transcript {
  /** One of {@link levels}. Our core writes no log lines, so that only `none` makes a difference. */
  #level = "debug";
  #text = "";
  #indent = "";

  get level(): string {
    return this.#level;
  }

  get isQuiet(): boolean {
    return this.#level === "none";
  }

  setLevel(level: string): void {
    const wanted = level.toLowerCase();
    if (!levels.includes(wanted)) {
      const names = levels.map((name) => name.toUpperCase()).join(" ");
      throw new ScenarioError(`log levels must be either of [${names}]`);
    }
    this.#level = wanted;
  }

  /** Whole lines, each with its newline, or a last line without one. */
  write(text: string): void {
    if (this.isQuiet || text === "") return;
    this.#text += this.#indent === "" ? text : text.replaceAll(/^(?=.)/gm, this.#indent);
  }

  /** A heading, and below it what `work` writes, two spaces further in. */
  section(heading: string, work: () => void): void {
    this.write(`${heading}\n`);
    const before = this.#indent;
    this.#indent += "  ";
    try {
      work();
    } finally {
      this.#indent = before;
    }
  }

  /** What was written since the last time; `ok` if nothing was. An error is told even when quiet. */
  take(error?: ScenarioError): string {
    const text = this.#text + (error === undefined ? "" : `${error.message}\n`);
    this.#text = "";
    return text === "" ? nothing : text;
  }
}

/** An error that is part of the transcript: a command was refused, or makes no sense. Anything else that is thrown fails the whole file. */
export class ScenarioError extends Error {
  override readonly name = "ScenarioError";
}
