/** A page of history, in bounds: a thousand transactions may carry a mebibyte each. */
import type {
  DocumentService,
  HistoryPage,
  HistoryQuery,
  PlacedTransaction,
} from "../../documents/vocabulary.ts";

/** Of a page, as JSON; its first transaction is told however long it is. */
const pageMaxLength = 4_194_304;

/** What `history` gives, as far as it fits into one answer. Throws TrubaError as `history`. */
export async function historyPage(
  documents: DocumentService,
  name: string,
  query: HistoryQuery,
): Promise<HistoryPage> {
  const page = await documents.history(name, query);
  const fitting = countFitting(page.transactions);
  const beyond = page.transactions[fitting];
  if (beyond === undefined) return page;
  return { ...page, transactions: page.transactions.slice(0, fitting), next: beyond.position };
}

function countFitting(transactions: readonly PlacedTransaction[]): number {
  let length = 0;
  for (const [i, transaction] of transactions.entries()) {
    length += JSON.stringify(transaction).length;
    if (length > pageMaxLength && i > 0) return i;
  }
  return transactions.length;
}
