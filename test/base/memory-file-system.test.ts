import { MemoryFileSystem } from "../../src/base/memory-file-system.ts";
import { fileSystemContract } from "../contract/file-system.ts";

fileSystemContract("MemoryFileSystem", () => {
  const files = new MemoryFileSystem();
  files.makeDirectorySync("/root");
  return { files, root: "/root", run: (promise) => promise, dispose: () => {} };
});
