import { MemoryLog } from "../../src/log/memory-log.ts";
import { SimulatedClock } from "../../simulator/simulated-clock.ts";
import { sharedLogContract } from "../contract/shared-log.ts";
import { LogCluster, configurationOf } from "./log-cluster.ts";
import { LogDisk } from "./log-disk.ts";

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
  ["RaftLog of one voter on a fast disk", 0],
  ["RaftLog of one voter on a slow disk", 20],
] as const) {
  sharedLogContract(name, async () => {
    const disk = new LogDisk({ syncMs });
    await disk.open();
    return {
      log: disk.log(1),
      settle: () => disk.settle(),
      fail: (error) => disk.logs.fail(error),
      close: () => disk.close(),
    };
  });
}

for (const [name, syncMs] of [
  ["RaftLog, the leader of three voters, on fast disks", 0],
  ["RaftLog, the leader of three voters, on slow disks", 20],
] as const) {
  sharedLogContract(name, async () => {
    const cluster = await LogCluster.open({ configuration: configurationOf([1, 2, 3]), syncMs });
    const leader = await cluster.elect();
    const log = cluster.log(leader);
    log.readFrom(0);
    return {
      log,
      settle: () => cluster.settle(),
      fail: (error) => cluster.disk(leader).logs.fail(error),
      close: () => cluster.close(),
      hasOthers: true,
    };
  });
}
