// The service of docs/follow-orders.mts, killed ten times while orders move: it ends with what the
// store has.

import assert from "node:assert/strict";
import { spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { once } from "node:events";
import { test } from "node:test";
import { each } from "../../src/index.ts";
import { Scene, tokenOf, COMMAND_URL, QUERY_URL } from "./scene.ts";

const PROGRAM = new URL("../../../../docs/follow-orders.mts", import.meta.url).pathname;
const KILLS = 10;
/** How long it may live at most before it is killed, in milliseconds. */
const LONGEST_LIFE = 1_500;
const WITHIN = 30_000;

test("a follower that is killed ten times ends with what the store has", async () => {
  const scene = await Scene.set();
  const folder = mkdtempSync(join(tmpdir(), "follower-"));
  const file = join(folder, "orders.json");
  const start = () => {
    const env = {
      ...process.env,
      ATLAS_COMMAND_URL: COMMAND_URL,
      ATLAS_QUERY_URL: QUERY_URL,
      ATLAS_TOKEN: tokenOf("analyst", scene.analyst.id),
    };
    return spawn(process.execPath, [PROGRAM, file], { env, stdio: "inherit" });
  };
  const kill = async (follower: ChildProcess) => {
    follower.kill("SIGKILL");
    await once(follower, "exit");
  };
  for (let life = 0; life < KILLS; life += 1) {
    const follower = start();
    const ends = new Promise((resolve) => setTimeout(resolve, Math.random() * LONGEST_LIFE));
    await Promise.all([scene.offered(), scene.cancelled(), ends]);
    await kill(follower);
  }
  const follower = start();
  try {
    const stored = new Map<string, number>();
    const orders = each(scene.analyst.atlas.listOrders, { query: { limit: 200 } });
    for await (const order of orders) stored.set(order.orderId, order.version);
    assert.ok(stored.size >= 2 * KILLS);
    await same(file, stored);
  } finally {
    await kill(follower);
    rmSync(folder, { recursive: true });
  }
});

/** Waits until the file has every order at its version or a later one. */
async function same(file: string, stored: Map<string, number>) {
  let lacks: string[] = [];
  for (const end = Date.now() + WITHIN; Date.now() < end; ) {
    const { orders } = read(file);
    lacks = [...stored].filter(([id, version]) => (orders[id]?.version ?? 0) < version).map(([id]) => id);
    if (lacks.length === 0) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  assert.deepEqual(lacks, []);
}

function read(file: string): { orders: Record<string, { version: number }> } {
  try {
    return JSON.parse(readFileSync(file, "utf8"));
  } catch {
    return { orders: {} };
  }
}
