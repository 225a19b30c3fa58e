/** Keeps the process while something is open in it: timers of the clock do not, so that a forgotten one never holds up an exit. */
export function holdProcess(): { release(): void } {
  const timer = setInterval(() => {}, 2 ** 30);
  return { release: () => clearInterval(timer) };
}
