import { SimulatedClock } from "../../simulator/simulated-clock.ts";
import { SimulatedFileSystem } from "../../simulator/simulated-file-system.ts";
import { fileSystemContract } from "../contract/file-system.ts";

for (const latency of [0, 3]) {
  fileSystemContract(`SimulatedFileSystem with ${latency} ms of latency`, () => {
    const clock = new SimulatedClock();
    const root = "/data";
    return {
      files: new SimulatedFileSystem({ clock, directories: [root], latencyMs: () => latency }),
      root,
      run: (promise) => clock.drive(promise),
      dispose: () => {},
    };
  });
}
