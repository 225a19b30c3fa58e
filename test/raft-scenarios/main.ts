/**
 * Grades our core against the published scenarios of etcd-io/raft, and against our own.
 *
 *   npm run raft-scenarios                     one line for each file
 *   npm run raft-scenarios -- --diff prevote   what differs in the files whose name has the word
 *   npm run raft-scenarios -- --rewrite        our own files are made to expect what is printed now
 *
 * The published files are in the folder that RAFT_SCENARIOS names, by default ../shared/raft-scenarios; without them only ours are run. Tier B: every command
 * prints what is expected, log lines apart; tier C: those that only look do. Exit code 1 when a published scenario fails C, an own one fails B, or a table fails.
 */
import { differencesText, own, published, rewriteOwn, type FileReport } from "./report.ts";

function main(args: readonly string[]): number {
  const [option, word] = args;
  if (option === undefined) return gradeAll();
  if (option === "--rewrite" && args.length === 1) {
    const changed = rewriteOwn();
    console.log(changed.length === 0 ? "Nothing has changed." : `Changed: ${changed.join(", ")}`);
    return 0;
  }
  if (option === "--diff" && word !== undefined && args.length === 2) return showDifferences(word);
  console.error("usage: raft-scenarios [--diff FILE | --rewrite]");
  return 2;
}

function gradeAll(): number {
  const { files, skip } = published();
  if (skip !== false) console.log(`Published scenarios were not run: ${skip}`);
  const reports: FileReport[] = [];
  for (const file of [...files, ...own()]) {
    const report = file.grade();
    reports.push(report);
    console.log(`${report.grade.padEnd(7)} ${report.name.padEnd(56)} ${report.counts}`);
    if (report.failure !== undefined) console.log(`        ${report.failure.split("\n")[0]}`);
  }
  const scenarios = reports.filter(({ name }) => name.startsWith("interaction/"));
  const atB = scenarios.filter(({ grade }) => grade.startsWith("B")).length;
  const atC = scenarios.filter(({ passed }) => passed).length;
  const failed = reports.filter(({ passed }) => !passed).length;
  console.log(`${scenarios.length} published scenarios: ${atC} at tier C, ${atB} of them at B`);
  console.log(`${reports.length} files, ${failed} failed`);
  return failed > 0 ? 1 : 0;
}

function showDifferences(word: string): number {
  const found = [...published().files, ...own()].filter(({ name }) => name.includes(word));
  if (found.length === 0) {
    console.error(`no file has ${word} in its name`);
    return 2;
  }
  const reports = found.map((file) => file.grade());
  for (const report of reports) {
    const text = differencesText(report);
    console.log(`${report.name}: ${text === "" ? "no difference" : `\n${text}`}`);
  }
  return reports.every(({ passed }) => passed) ? 0 : 1;
}

process.exitCode = main(process.argv.slice(2));
