/** Histories of records as a test writes them by hand, one call after the other. */
import type { RecordStatus } from "../../src/machines/outcome.ts";
import type {
  ActionAnswer,
  CallAnswer,
  RecordAction,
  RecordCall,
  SetAction,
  TimedAnswer,
} from "../../simulator/cluster/history.ts";
import { RecordChecks } from "../../simulator/cluster/record-checks.ts";

export const a = "00000000000040008000000000000001";
export const b = "00000000000040008000000000000002";

export const set = (key: string, stamp: number, more: Partial<SetAction> = {}): SetAction => ({
  kind: "set",
  key,
  stamp,
  condition: "none",
  version: 0,
  expires: false,
  ...more,
});
export const get = (key: string): RecordAction => ({ kind: "get", key });
export const remove = (key: string, version?: number): RecordAction => ({
  kind: "delete",
  key,
  version,
});

export const status = (name: RecordStatus, version: number): ActionAnswer => ({
  kind: "record",
  status: name,
  version,
});
export const created = (version: number): ActionAnswer => status("created", version);
export const updated = (version: number): ActionAnswer => status("updated", version);
export const value = (stamp: number | undefined, version: number): ActionAnswer => ({
  kind: "value",
  stamp,
  version,
});
export const nothing = value(0, 0);

/** A history of one partition, in the order in which it is written down; a second number is the moment of the answer. */
export class Story {
  readonly calls: RecordCall[] = [];
  readonly final: RecordCall[] = [];
  #moment = 0;

  /** Asked and answered before anything else is asked. */
  did(action: RecordAction, answer: ActionAnswer, more: Partial<RecordCall> = {}): this {
    return this.group([action], [answer], { group: false, ...more });
  }

  group(
    actions: readonly RecordAction[],
    answers: readonly ActionAnswer[],
    more: Partial<RecordCall> = {},
  ): this {
    return this.#add(actions, [{ kind: "done", answers }], { group: true, ...more });
  }

  /** Asked, and nobody told. */
  lost(actions: readonly RecordAction[], more: Partial<RecordCall> = {}): this {
    return this.#add(actions, [], { group: actions.length > 1, fate: "unknown", ...more });
  }

  refused(action: RecordAction): this {
    return this.#add([action], [], { fate: "refused" });
  }

  /** Answered more than once. */
  repeated(action: RecordAction, answers: readonly ActionAnswer[]): this {
    const all = answers.map((answer) => ({ kind: "done", answers: [answer] }) as const);
    return this.#add([action], all, { requestId: "id-1", attempts: 2 });
  }

  aborted(actions: readonly RecordAction[], index: number, code: "EXISTS" | "NOTFOUND"): this {
    return this.#add(actions, [{ kind: "aborted", index, code }], { group: true });
  }

  read(key: string, answer: ActionAnswer, more: Partial<RecordCall> = {}): this {
    return this.did(get(key), answer, { way: "barrier", ...more });
  }

  local(key: string, answer: ActionAnswer): this {
    return this.did(get(key), answer, { way: "local" });
  }

  end(key: string, answer: ActionAnswer): this {
    this.read(key, answer);
    this.final.push(...this.calls.slice(-1));
    return this;
  }

  #add(
    actions: readonly RecordAction[],
    answers: readonly CallAnswer[],
    more: Partial<RecordCall>,
  ): this {
    const invoked = ++this.#moment;
    const timed: TimedAnswer[] = answers.map((answer) => ({
      answer,
      moment: ++this.#moment,
      place: "1/1",
    }));
    this.calls.push({
      client: 1,
      partition: 0,
      way: "log",
      requestId: undefined,
      actions,
      group: false,
      invoked,
      fate: "answered",
      attempts: 1,
      answers: timed,
      ...more,
    });
    return this;
  }

  /** The last one was asked at this moment already, and so ran beside what came between. */
  since(invoked: number): this {
    const last = this.calls.pop();
    if (last !== undefined) this.calls.push({ ...last, invoked });
    return this;
  }

  check(): ReturnType<RecordChecks["run"]> {
    return new RecordChecks(this.calls, this.final).run();
  }
}
