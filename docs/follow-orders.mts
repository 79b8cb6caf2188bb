// A service in twenty lines: it follows every order from the beginning and keeps how each stands in a
// file. Killed at any moment, it goes on where the file ends. Run it with Node 24:
// ATLAS_COMMAND_URL=… ATLAS_QUERY_URL=… ATLAS_TOKEN=… node docs/follow-orders.mts orders.json

import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { createClient, type ItemOf } from "../web/sdk/src/index.ts";

const { ATLAS_COMMAND_URL = "", ATLAS_QUERY_URL = "", ATLAS_TOKEN = "" } = process.env;
const atlas = createClient({
  commandUrl: ATLAS_COMMAND_URL,
  queryUrl: ATLAS_QUERY_URL,
  token: () => ATLAS_TOKEN,
});
const file = process.argv[2] ?? "orders.json";
let kept: { after?: string; orders: Record<string, ItemOf<"listOrders">> } = { orders: {} };
if (existsSync(file)) kept = JSON.parse(readFileSync(file, "utf8"));
while (true) {
  const from = kept.after ? { after: kept.after } : { since: "0001-01-01T00:00:00Z" };
  for await (const change of atlas.follow.listOrders(from)) {
    if (change.type === "item") kept.orders[change.item.orderId] = change.item;
    if (change.type === "reset") kept = { orders: {} };
    else kept.after = change.id;
    // The orders and how far they go are one file, which is there whole or not at all.
    writeFileSync(`${file}.next`, JSON.stringify(kept));
    renameSync(`${file}.next`, file);
  }
}
