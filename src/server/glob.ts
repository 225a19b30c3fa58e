/**
 * Redis' glob patterns: `*`, `?`, `[abc]`, `[^a-z]`, `\x`. Takes time in proportion to pattern × text at worst: it remembers one star only.
 */
export function globMatches(pattern: string, text: string): boolean {
  let p = 0;
  let t = 0;
  let starPattern = -1;
  let starText = 0;
  while (t < text.length) {
    const step = matchOne(pattern, p, text.charAt(t));
    if (pattern[p] === "*") {
      starPattern = p++;
      starText = t;
    } else if (step > 0) {
      p += step;
      t++;
    } else if (starPattern >= 0) {
      p = starPattern + 1;
      t = ++starText;
    } else return false;
  }
  while (pattern[p] === "*") p++;
  return p === pattern.length;
}

/** Length of the pattern's element at `p` if it matches the character, else 0. */
function matchOne(pattern: string, p: number, character: string): number {
  const first = pattern[p];
  if (first === undefined) return 0;
  if (first === "?") return 1;
  if (first === "\\" && p + 1 < pattern.length) return pattern[p + 1] === character ? 2 : 0;
  if (first !== "[") return first === character ? 1 : 0;
  let at = p + 1;
  const negated = pattern[at] === "^";
  if (negated) at++;
  let matched = false;
  for (; at < pattern.length && pattern[at] !== "]"; at++) {
    if (pattern[at] === "\\" && at + 1 < pattern.length) at++;
    const low = pattern.charAt(at);
    if (pattern[at + 1] === "-" && at + 2 < pattern.length && pattern[at + 2] !== "]") {
      at += 2;
      const high = pattern.charAt(at);
      if ((character >= low && character <= high) || (character >= high && character <= low))
        matched = true;
    } else if (low === character) matched = true;
  }
  return matched === negated ? 0 : at + 1 - p;
}
