/** What INFO tells of the process and the machine it runs on. */
import { arch, platform, release } from "node:os";
import type { ProcessFacts } from "../server/server-context.ts";

export const processFacts: ProcessFacts = {
  id: process.pid,
  system: `${platform()} ${release()} ${arch()}`,
  memory() {
    const { rss, heapUsed, heapTotal, external } = process.memoryUsage();
    const residentMaxBytes = process.resourceUsage().maxRSS * 1_024;
    return { residentBytes: rss, residentMaxBytes, heapUsed, heapTotal, external };
  },
  cpu() {
    const { user, system } = process.cpuUsage();
    return { userSeconds: user / 1e6, systemSeconds: system / 1e6 };
  },
};
