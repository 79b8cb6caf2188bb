// The first reply to a command is lost on its way: what the client tries again is the same command.

import assert from "node:assert/strict";
import { test } from "node:test";
import { dataOf, each } from "../../src/index.ts";
import { REQUEST, Scene, person } from "./scene.ts";

test("an order whose first reply was lost is placed once, and two on purpose are two", async () => {
  const scene = await Scene.set();
  const body = { request: REQUEST, workshops: [scene.first.id] };
  let requests = 0;
  const commissioner = person("commissioner", {
    retries: { tries: 4 },
    fetch: async (input, init) => {
      const response = await fetch(input, init);
      if (init?.method !== "POST") return response;
      requests += 1;
      if (requests > 1) return response;
      // The server has answered; nobody hears it.
      await response.arrayBuffer();
      throw new TypeError("terminated");
    },
  });
  const placed = await commissioner.atlas.placeOrder({ body });
  assert.ok(placed.ok);
  assert.equal(requests, 2);
  assert.equal(placed.headers.replayed, true);
  const ids = async () => {
    const found: string[] = [];
    for await (const order of each(commissioner.atlas.listOrders)) found.push(order.orderId);
    return found;
  };
  assert.deepEqual(await ids(), [placed.data.orderId]);
  const again = dataOf(await commissioner.atlas.placeOrder({ body }));
  assert.deepEqual(await ids(), [again.orderId, placed.data.orderId]);
});
