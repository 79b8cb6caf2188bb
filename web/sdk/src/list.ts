// Lists as one sequence, whatever their pages.

import { RefusedError } from "./outcome.ts";

interface Page<T> {
  ok: true;
  data: { items: T[]; nextCursor?: string | null };
}

interface AnyInput {
  query?: { cursor?: string };
}

type List = (input: never) => Promise<{ ok: boolean }>;
type InputOf<L extends List> = undefined extends Parameters<L>[0]
  ? [input?: NonNullable<Parameters<L>[0]>]
  : [input: Parameters<L>[0]];
type ItemOf<L extends List> = Extract<Awaited<ReturnType<L>>, { ok: true }> extends Page<infer T>
  ? T
  : never;

/**
 * Every item of a list, page after page, as it is walked: `for await (const order of
 * each(atlas.listOrders, { query: { state: "negotiating" } }))`. A refusal is thrown as a
 * `RefusedError`.
 */
export async function* each<L extends List>(
  list: L,
  ...[given]: InputOf<L>
): AsyncGenerator<ItemOf<L>, void, undefined> {
  const input = (given ?? {}) as AnyInput;
  let cursor = input.query?.cursor;
  do {
    const query = cursor === undefined ? input.query : { ...input.query, cursor };
    const result = await list({ ...input, query } as never);
    if (!result.ok) throw new RefusedError(result as never);
    const { items, nextCursor } = (result as unknown as Page<ItemOf<L>>).data;
    yield* items;
    cursor = nextCursor ?? undefined;
  } while (cursor !== undefined);
}
