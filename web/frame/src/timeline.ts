// What happened to an order: its newest part, or the whole, over all of its pages.

import type { Answer, Atlas, Result, Schemas } from "@artisan-atlas/sdk";

/** So many entries are shown before somebody asks for the rest. */
const NEWEST = 200;

/** How a timeline is read. */
export interface Reading {
  atlas: Atlas;
  id: string;
  /** Through whose eyes, where these are not the reader's own. */
  as?: string | undefined;
  /** Whether all of it is wanted. */
  whole: boolean;
  signal: AbortSignal;
}

/** A timeline, and whether it began before what is shown. */
export interface Told {
  items: Schemas["List_TimelineEntry"]["items"];
  earlier: boolean;
}

type Refused = Extract<Result<"readTimeline"> | Result<"readOrder">, { ok: false }>;
type Read = (Omit<Extract<Answer<"readTimeline">, { status: 200 }>, "data"> & { data: Told }) | Refused;

/** The timeline as one answer, as old as its last page; a refusal of any page refuses the whole. */
export async function readTimeline(reading: Reading): Promise<Read> {
  const { atlas, id, as, whole, signal } = reading;
  const path = { id };
  const through = as === undefined ? {} : { as };
  const first = await atlas.readTimeline({ path, query: { ...through, limit: NEWEST }, signal });
  if (!first.ok) return first;
  let { nextCursor } = first.data;
  if (!nextCursor) return { ...first, data: { items: first.data.items, earlier: false } };
  if (whole) return readOn(reading, first, nextCursor);
  const order = await atlas.readOrder({ path, query: through, signal });
  if (!order.ok) return order;
  const afterVersion = Math.max(0, (order.data?.version ?? 0) - NEWEST);
  const query = { ...through, limit: NEWEST, afterVersion };
  const last = await atlas.readTimeline({ path, query, signal });
  if (!last.ok) return last;
  const items = [...last.data.items];
  nextCursor = last.data.nextCursor;
  if (!nextCursor) return { ...last, data: { items, earlier: true } };
  return readOn(reading, { ...last, data: { ...last.data, items } }, nextCursor, true);
}

/** Every further page. */
async function readOn(
  { atlas, id, as, signal }: Reading,
  first: Extract<Answer<"readTimeline">, { status: 200 }>,
  cursor: string,
  earlier = false,
): Promise<Read> {
  const items = [...first.data.items];
  let next: string | null | undefined = cursor;
  let answer = first;
  while (next) {
    const query = { limit: NEWEST, cursor: next, ...(as !== undefined && { as }) };
    const page = await atlas.readTimeline({ path: { id }, query, signal });
    if (!page.ok) return page;
    items.push(...page.data.items);
    answer = page;
    next = page.data.nextCursor;
  }
  return { ...answer, data: { items, earlier } };
}
