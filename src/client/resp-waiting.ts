/**
 * Takes that wait. Answers of one connection come in order, so a take that waited at the node would hold up all that is asked behind it. Instead, what is there is taken
 * at once; if nothing is, a subscription brings what comes first and is closed again. All that it brought until the node has said that it is closed belongs to the take:
 * nothing is lost in between.
 */
import type { Clock } from "../base/clock.ts";
import { limits } from "../base/limits.ts";
import type { AnyRequest, DeliveredSession, DeliveredTask } from "../protocol/requests.ts";
import type { Channel, SubscriptionSink } from "./channel.ts";
import type { RespSubscription } from "./resp-subscription.ts";

type Take = Extract<AnyRequest, { readonly verb: "queue.pop" | "session.take" }>;

/** The channel, as far as it is needed here. */
interface TakingChannel {
  call: Channel["call"];
  tasks(
    request: Parameters<Channel["tasks"]>[0],
    sink: SubscriptionSink<DeliveredTask>,
  ): RespSubscription<DeliveredTask>;
  sessions(
    request: Parameters<Channel["sessions"]>[0],
    sink: SubscriptionSink<DeliveredSession>,
  ): RespSubscription<DeliveredSession>;
}

export async function takeWaiting(
  channel: TakingChannel,
  clock: Clock,
  asked: Take,
  signal: AbortSignal | undefined,
): Promise<object> {
  const options = signal === undefined ? {} : { signal };
  const { waitMs = 0, ...now } = asked.request;
  const wait = { clock, signal, waitMs: Math.min(waitMs, limits.waitMaxMs) };
  const credit = asked.request.count ?? 1;
  if (asked.verb === "queue.pop") {
    const { queue, leaseMs } = asked.request;
    const taken = await channel.call("queue.pop", { ...now, queue }, options);
    if (taken.tasks.length > 0) return taken;
    const request = { queue, credit, ...(leaseMs === undefined ? {} : { leaseMs }) };
    const tasks = await firstItems<DeliveredTask>((sink) => channel.tasks(request, sink), wait);
    return { tasks };
  }
  const { kinds } = asked.request;
  const taken = await channel.call("session.take", { ...now, kinds }, options);
  if (taken.sessions.length > 0) return taken;
  const sessions = await firstItems<DeliveredSession>(
    (sink) => channel.sessions({ kinds, credit }, sink),
    wait,
  );
  return { sessions };
}

interface Wait {
  readonly clock: Clock;
  readonly waitMs: number;
  readonly signal: AbortSignal | undefined;
}

/** What a subscription brings first; nothing if nothing comes in time. */
function firstItems<Item>(
  subscribe: (sink: SubscriptionSink<Item>) => RespSubscription<Item>,
  { clock, waitMs, signal }: Wait,
): Promise<readonly Item[]> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const came: Item[] = [];
    let finishing = false;
    const finish = (): void => {
      if (finishing) return;
      finishing = true;
      stopWaiting();
      subscription.closeDrained(() => resolve(came));
    };
    const abort = (): void => {
      stopWaiting();
      if (finishing) return;
      finishing = true;
      // What still comes is given back by the channel.
      subscription.close();
      reject(signal?.reason as Error);
    };
    const stopWaiting = (): void => {
      timer.cancel();
      signal?.removeEventListener("abort", abort);
    };
    const timer = clock.after(waitMs, finish);
    signal?.addEventListener("abort", abort, { once: true });
    const subscription = subscribe({
      items: (items) => {
        came.push(...items);
        finish();
      },
      ended: (error) => {
        stopWaiting();
        reject(error);
      },
    });
  });
}
