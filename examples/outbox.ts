/**
 * The outbox: a shop takes orders from a queue. Handling one means four changes that must all happen or none: the task is acknowledged, the order is written, a mail is queued, and the
 * step is noted in the session that ships it. In Truba they are one entry of the log, so there is no state between them, wherever the process dies.
 *
 *     npx tsx examples/outbox.ts [DIRECTORY] [ORDERS]
 *
 * Kill it at any moment and start it again: no order is lost, none is written twice, no mail is missing.
 */
import { open, queue, records, session } from "../src/index.ts";

interface Order {
  readonly key: string;
  readonly item: string;
}

// One {tag} for all of it: what is changed together lives on one partition.
const orders = queue("{shop}orders", { lease: "30s" });
const mails = queue("{shop}mails");
const shipments = session("shipment", { delay: "1s", spread: 0, repeats: 0 });
const book = records();

const [directory = "./outbox-data", count = "100"] = process.argv.slice(2);

await using db = await open(directory, { sessions: [shipments] });
await db.queue(orders).create();
await db.queue(mails).create();

// Orders come in. The dedup id makes a second start harmless: each is queued once.
for (let i = 0; i < Number(count); i++) {
  const key = `{shop}00000000-0000-4000-8000-${String(i).padStart(12, "0")}`;
  const order: Order = { key, item: `item ${i}` };
  await db.queue(orders).push(JSON.stringify(order), { dedup: key });
}
console.log(`queued ${count} orders`);

await using _worker = db.queue(orders).work({ concurrency: 8 }, async (task) => {
  const order = JSON.parse(Buffer.from(task.value).toString()) as Order;
  const shipment = await db.sessions(shipments).new(`order ${order.key}`, { tag: "shop" });
  await db.atomic((group) => {
    group.ack(task);
    group.records(book).set(order.key, order.item, { ifAbsent: true });
    group.queue(mails).push(`thank you for ${order.item}`);
    group.session(shipment).append("ordered");
  });
  // It goes on from here, in a handler, now or after a restart.
  await shipment.store(0);
});

await using _shipping = db.sessions(shipments).handle({ concurrency: 8 }, (shipment) => {
  const steps = shipment.records.map((record) => Buffer.from(record).toString());
  // Opened by a process that died before it had the order: somebody else has it.
  if (!steps.includes("ordered")) return { delete: true };
  if (!steps.includes("shipped")) return { append: "shipped" };
  return { delete: true };
});

for (;;) {
  const { waiting, leased, delayed } = await db.queue(orders).count();
  const unfinished = await db.sessions(shipments).list();
  if (waiting + leased + delayed + unfinished.length === 0) break;
  await new Promise((resolve) => {
    setTimeout(resolve, 20);
  });
}
console.log(`all of ${count} orders are shipped`);
