import { MemoryLog } from "../../src/log/memory-log.ts";
import { SimulatedClock } from "../../simulator/simulated-clock.ts";
import { sharedLogContract } from "../contract/shared-log.ts";
import { LogDisk } from "./wal-log-disk.ts";

sharedLogContract("MemoryLog", async () => {
  const clock = new SimulatedClock();
  const log = new MemoryLog(clock);
  return {
    log,
    settle: () => clock.settle(),
    fail: (error) => log.fail(error),
    close: async () => {},
  };
});

for (const [name, syncMs] of [
  ["WalLog on a fast disk", 0],
  ["WalLog on a slow disk", 20],
] as const) {
  sharedLogContract(name, async () => {
    const disk = new LogDisk(syncMs);
    await disk.open();
    return {
      log: disk.log(1),
      settle: () => disk.settle(),
      fail: (error) => disk.logs.fail(error),
      close: () => disk.close(),
    };
  });
}
