// The whole of what happened to an order, over all of its pages.

import type { Atlas, Result } from "@artisan-atlas/sdk";

/** Every entry as one answer, as old as its last page; a refusal of any page refuses the whole. */
export async function readWholeTimeline(
  atlas: Atlas,
  id: string,
  signal: AbortSignal,
): Promise<Result<"readTimeline">> {
  const earlier = [];
  let query: { limit: number; cursor?: string } = { limit: 200 };
  while (true) {
    const answer = await atlas.readTimeline({ path: { id }, query, signal });
    if (!answer.ok) return answer;
    earlier.push(...answer.data.items);
    const { nextCursor } = answer.data;
    if (!nextCursor) return { ...answer, data: { ...answer.data, items: earlier } };
    query = { limit: 200, cursor: nextCursor };
  }
}
