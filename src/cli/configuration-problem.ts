/** What is wrong with a configuration: where it stands, and what to change. */

export interface Problem {
  /** `truba.yaml:12`, `TRUBA_PARTITIONS` or `--partitions`. */
  readonly source: string;
  readonly text: string;
}

/** All problems as lines for a person. */
export function problemsText(problems: readonly Problem[]): string {
  const head =
    problems.length === 1
      ? "The configuration has a problem:"
      : `The configuration has ${problems.length} problems:`;
  return [head, ...problems.map(({ source, text }) => `  ${source}: ${text}`)].join("\n");
}

/** `; did you mean "x"?` when one of the known words is near, else nothing. */
export function suggestion(given: string, known: readonly string[]): string {
  const wanted = given.toLowerCase().replaceAll("_", "-");
  if (wanted.length > 64) return "";
  let best: string | undefined;
  let bestDistance = Math.max(2, Math.floor(wanted.length / 3)) + 1;
  for (const word of known) {
    const candidate = word.toLowerCase().replaceAll("_", "-");
    const isLonger = wanted.startsWith(`${candidate}-`) || candidate.startsWith(`${wanted}-`);
    const distance = isLonger ? 1 : editDistance(wanted, candidate);
    if (distance >= bestDistance) continue;
    best = word;
    bestDistance = distance;
  }
  return best === undefined ? "" : `; did you mean ${best}?`;
}

/** How many letters must be added, dropped, changed or swapped with a neighbour (optimal string alignment). */
function editDistance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const changed = (last[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      let distance = Math.min(changed, (last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        distance = Math.min(distance, (beforeLast[j - 2] ?? 0) + 1);
      }
      row.push(distance);
    }
    beforeLast = last;
    last = row;
  }
  return last[b.length] ?? 0;
}
