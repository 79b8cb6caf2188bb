// Following a list over connections that end, against prepared streams.

import assert from "node:assert/strict";
import { test } from "node:test";
import { RefusedError, type Change } from "../src/index.ts";
import { clientWith, problem } from "./answers.ts";

/** A stream that says these things and then ends. */
function stream(...frames: string[]) {
  const headers = { "content-type": "text/event-stream" };
  return new Response(frames.join(""), { headers });
}

/** A stream whose body fails before it says anything. */
function brokenOff() {
  const headers = { "content-type": "text/event-stream" };
  const pull = (body: ReadableStreamDefaultController) => body.error(new TypeError("terminated"));
  return new Response(new ReadableStream({ pull }), { headers });
}

function item(id: string, prev: string | null, orderId = id) {
  return `id: ${id}\ndata: ${JSON.stringify({ prev, item: { orderId } })}\n\n`;
}

function caughtUp(id: string, prev: string | null) {
  return `event: caught-up\nid: ${id}\ndata: ${JSON.stringify({ prev })}\n\n`;
}

/** The first so many changes, in short. */
async function first(count: number, changes: AsyncIterable<Change<unknown>>) {
  const told: string[] = [];
  for await (const change of changes) {
    told.push("id" in change ? `${change.type} ${change.id}` : change.type);
    if (told.length === count) break;
  }
  return told;
}

test("goes on after a clean end from the last frame, whatever frame it was", async () => {
  const { atlas, sent } = clientWith([
    stream(item("b", "a"), item("c", "b")),
    stream(caughtUp("d", "c")),
    stream(item("e", "d")),
  ]);
  const told = await first(4, atlas.follow.listOrders({ after: "a" }));
  assert.deepEqual(told, ["item b", "item c", "caughtUp d", "item e"]);
  assert.deepEqual(sent.map((each) => each.headers.get("last-event-id")), ["a", "c", "d"]);
  assert.equal(sent[0]?.headers.get("accept"), "text/event-stream");
});

test("comes again after whatever may pass", async () => {
  const { atlas, sent } = clientWith([
    new TypeError("connection refused"),
    problem(503, "OVERLOADED", { retryable: true }),
    stream("event: moved\ndata: {}\n\n"),
    brokenOff(),
    stream(item("b", "a")),
  ]);
  assert.deepEqual(await first(1, atlas.follow.listOrders({ after: "a" })), ["item b"]);
  assert.equal(sent.length, 5);
});

test("an item that does not follow the last one is asked for again", async () => {
  const { atlas, sent } = clientWith([
    stream(item("b", "a"), item("d", "c")),
    stream(item("c", "b"), item("d", "c")),
  ]);
  const told = await first(3, atlas.follow.listOrders({ after: "a" }));
  assert.deepEqual(told, ["item b", "item c", "item d"]);
  assert.equal(sent[1]?.headers.get("last-event-id"), "b");
});

test("a stream that goes on lacking something is given up", async () => {
  const gap = () => stream(item("d", "c"));
  const { atlas } = clientWith([gap(), gap(), gap(), gap()]);
  assert.deepEqual(await first(2, atlas.follow.listOrders({ after: "a" })), ["reset"]);
});

test("a reset ends it: the caller reads anew", async () => {
  const { atlas, left } = clientWith([stream("event: reset\ndata: {}\n\n", item("b", "a")), stream()]);
  assert.deepEqual(await first(9, atlas.follow.listOrders({ after: "a" })), ["reset"]);
  assert.equal(left.length, 1);
});

test("begins at an instant until there is an id to go on from", async () => {
  const since = "2026-11-30T12:00:00Z";
  const { atlas, sent } = clientWith([stream(), stream(item("a", null)), stream(item("b", "a"))]);
  await first(2, atlas.follow.listOrders({ since }));
  assert.deepEqual(sent.map((each) => each.url.searchParams.get("since")), [since, since, null]);
});

test("what it was not made for is told as such", async () => {
  const { atlas } = clientWith([stream("event: weather\nid: w\ndata: [1]\n\n")]);
  const { value } = await atlas.follow.listOrders().next();
  assert.deepEqual(value, { type: "unknown", event: "weather", data: [1], id: "w" });
});

test("what it was not made for is a step of the stream if it has an id", async () => {
  const weather = (id: string, prev: string) =>
    `event: weather\nid: ${id}\ndata: ${JSON.stringify({ prev })}\n\n`;
  const { atlas, sent } = clientWith([
    stream(item("b", "a"), weather("w", "b"), "event: tick\ndata: 1\n\n", item("c", "w")),
    stream(weather("y", "x")),
    stream(item("d", "c")),
  ]);
  const told = await first(5, atlas.follow.listOrders({ after: "a" }));
  assert.deepEqual(told, ["item b", "unknown w", "unknown w", "item c", "item d"]);
  assert.deepEqual(sent.map((each) => each.headers.get("last-event-id")), ["a", "c", "c"]);
});

test("what is the caller's to know is thrown, and not tried again", async () => {
  const token = () => {
    throw new Error("nobody is signed in");
  };
  const tokenless = clientWith([stream()], { token });
  await assert.rejects(tokenless.atlas.follow.listOrders().next(), /nobody is signed in/);
  const pathless = clientWith([stream()]);
  await assert.rejects(pathless.atlas.follow.readTimeline({ path: { id: "" } }).next(), /wants id/);
  assert.equal(tokenless.sent.length + pathless.sent.length, 0);
});

test("items that belong together are gone on from as one", async () => {
  const part = (prev: string | null) => `data: ${JSON.stringify({ prev, item: {} })}\n\n`;
  const { atlas, sent } = clientWith([
    stream(part(null), part(null), caughtUp("b", null), part("b")),
    stream(part("b"), item("c", "b")),
  ]);
  const told = await first(6, atlas.follow.listProjections());
  assert.deepEqual(told, ["item ", "item ", "caughtUp b", "item b", "item b", "item c"]);
  assert.deepEqual(sent.map((each) => each.headers.get("last-event-id")), [null, "b"]);
});

test("a ledger is followed in the role that it was earned in", async () => {
  const { atlas, sent } = clientWith([stream(item("b", "a"))]);
  const path = { id: "01938f5e-7c00-7000-8000-00000000000a" };
  const query = { role: "workshop" } as const;
  await first(1, atlas.follow.readBonusLedger({ path, query, after: "a" }));
  assert.equal(sent[0]?.url.search, "?role=workshop");
});

test("a frame that is no JSON is thrown, and not asked for for ever", async () => {
  const { atlas, sent } = clientWith([stream("id: b\ndata: {\n\n"), stream(item("b", "a"))]);
  await assert.rejects(atlas.follow.listOrders({ after: "a" }).next(), SyntaxError);
  assert.equal(sent.length, 1);
});

test("a signal ends following with its reason", async () => {
  const ending = new AbortController();
  const { atlas } = clientWith([
    () => {
      ending.abort(new Error("the page was left"));
      throw new TypeError("aborted");
    },
  ]);
  const changes = atlas.follow.listOrders({ signal: ending.signal });
  await assert.rejects(changes.next(), /the page was left/);
});

test("a refusal for good is thrown", async () => {
  for (const refusal of [problem(403, "FORBIDDEN"), problem(409, "POSITION_FOREIGN")]) {
    const { atlas, sent } = clientWith([refusal]);
    await assert.rejects(atlas.follow.listInvitations().next(), RefusedError);
    assert.equal(sent.length, 1);
  }
});

test("whoever stops listening ends the connection", async () => {
  let ended: unknown;
  const body = new ReadableStream<Uint8Array>({
    start: (controller) => controller.enqueue(new TextEncoder().encode(item("b", "a"))),
    cancel: (reason) => void (ended = reason ?? "cancelled"),
  });
  const headers = { "content-type": "text/event-stream" };
  const { atlas } = clientWith([new Response(body, { headers })]);
  await first(1, atlas.follow.listOrders({ after: "a" }));
  assert.notEqual(ended, undefined);
});

test("a silent server is left, and another connection made", async (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const headers = { "content-type": "text/event-stream" };
  const silent = new Response(new ReadableStream({ start() {} }), { headers });
  const { atlas, sent } = clientWith([silent, stream(item("b", "a"))]);
  const next = atlas.follow.listOrders({ after: "a" }).next();
  while (sent.length < 2) {
    await new Promise((resolve) => setImmediate(resolve));
    context.mock.timers.tick(45_000);
  }
  assert.equal((await next).value?.type, "item");
});
