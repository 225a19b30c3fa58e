import { SystemClock } from "../../src/base/system-clock.ts";
import { clockContract } from "../contract/clock.ts";

clockContract("SystemClock", () => ({
  clock: new SystemClock(),
  // The timers of this clock do not keep the process alive; this one does.
  run: async (promise) => {
    const alive = setInterval(() => {}, 1_000);
    try {
      return await promise;
    } finally {
      clearInterval(alive);
    }
  },
}));
