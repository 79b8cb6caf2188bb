// Calls against prepared answers: what is sent, what is tried again, and how a result is narrowed.

import assert from "node:assert/strict";
import { test } from "node:test";
import { RefusedError, dataOf, each, match, unhandled, type Result } from "../src/index.ts";
import { ID, accepted, clientWith, json, problem } from "./answers.ts";

const path = { id: ID };

test("a command is sent with its path, body, token and a key of its own", async () => {
  const { atlas, sent } = clientWith([accepted("p1"), accepted("p2")]);
  const answer = await atlas.cancelOrder({ path, body: { reason: "moved" }, ifMatch: '"1"' });
  await atlas.acceptWork({ path });
  assert.ok(answer.ok && answer.data.position === "p1");
  const [cancel, accept] = sent;
  assert.equal(cancel?.url.href, `http://command.test/v1/orders/${ID}/cancel`);
  assert.equal(cancel?.body, '{"reason":"moved"}');
  assert.equal(cancel?.headers.get("if-match"), '"1"');
  assert.equal(cancel?.headers.get("authorization"), "Bearer token");
  assert.equal(cancel?.headers.get("prefer"), "handling=strict");
  assert.equal(accept?.body, "{}");
  assert.notEqual(cancel?.headers.get("idempotency-key"), accept?.headers.get("idempotency-key"));
});

test("a lost answer is asked for again with the same key", async () => {
  const lost = new TypeError("connection reset");
  const { atlas, sent } = clientWith([lost, json(504, "a gateway's page"), accepted("p")]);
  const answer = await atlas.acceptWork({ path });
  assert.equal(answer.ok, true);
  assert.equal(sent.length, 3);
  assert.equal(new Set(sent.map((each) => each.headers.get("idempotency-key"))).size, 1);
});

test("only what may succeed later is tried again", async () => {
  const refused = clientWith([problem(409, "ILLEGAL_TRANSITION"), accepted("p")]);
  assert.equal((await refused.atlas.acceptWork({ path })).status, 409);
  assert.equal(refused.sent.length, 1);
  const bug = clientWith([problem(500, "INTERNAL"), accepted("p")]);
  assert.equal((await bug.atlas.acceptWork({ path })).status, 500);
  assert.equal(bug.sent.length, 1);
  const busy = clientWith([problem(503, "OVERLOADED", { retryable: true }), accepted("p")]);
  assert.equal((await busy.atlas.acceptWork({ path })).ok, true);
});

test("a server that wants a long pause is not waited for", async () => {
  const limited = problem(429, "RATE_LIMITED", { retryable: true });
  limited.headers.set("retry-after", "60");
  const { atlas, sent } = clientWith([limited]);
  assert.equal((await atlas.acceptWork({ path })).status, 429);
  assert.equal(sent.length, 1);
});

test("tries end, and say what the last one failed with", async () => {
  const lost = new TypeError("connection reset");
  const { atlas, sent } = clientWith([lost, lost, lost, lost, accepted("p")]);
  const result = await atlas.acceptWork({ path });
  assert.ok(!result.ok && result.code === "unanswered");
  assert.equal(result.problem, lost);
  assert.equal(sent.length, 4);
});

test("a call that is given up ends with the reason", async () => {
  const reason = new Error("the person left");
  const { atlas } = clientWith([() => Promise.reject(reason)]);
  const signal = AbortSignal.abort(reason);
  await assert.rejects(atlas.acceptWork({ path, signal }), reason);
});

test("reads contain what the client wrote last", async () => {
  const list = () => json(200, { items: [], nextCursor: null });
  const { atlas, sent } = clientWith([list(), accepted("p1"), list(), accepted("p2"), list()]);
  await atlas.listOrders();
  await atlas.acceptWork({ path });
  await atlas.listOrders();
  await atlas.acceptWork({ path });
  await atlas.listOrders();
  const asked = sent.map((each) => each.headers.get("atlas-min-position"));
  assert.deepEqual(asked, [null, null, "p1", null, "p2"]);
});

test("reads contain every command that was under way beside others", async () => {
  const later = Promise.withResolvers<Response>();
  const list = () => json(200, { items: [], nextCursor: null });
  const answers = [() => later.promise, accepted("late, but earlier"), list(), list()];
  const { atlas, sent } = clientWith(answers);
  const first = atlas.acceptWork({ path });
  await atlas.acceptWork({ path });
  later.resolve(accepted("p"));
  await first;
  await atlas.listOrders();
  const asked = sent.map((each) => each.headers.get("atlas-min-position"));
  assert.deepEqual(asked, [null, null, "late, but earlier", "p"]);
});

test("a store with another history is read as it is", async () => {
  const list = () => json(200, { items: [], nextCursor: null });
  const { atlas } = clientWith([accepted("p"), problem(409, "POSITION_FOREIGN"), list(), list()]);
  await atlas.acceptWork({ path });
  assert.equal((await atlas.listOrders()).ok, true);
});

test("a list is one sequence over its pages", async () => {
  const pages = [
    json(200, { items: [{ orderId: "a" }, { orderId: "b" }], nextCursor: "c&1" }),
    json(200, { items: [{ orderId: "c" }], nextCursor: null }),
  ];
  const { atlas, sent } = clientWith(pages);
  const ids: string[] = [];
  for await (const order of each(atlas.listOrders, { query: { state: "finished" } })) {
    ids.push(order.orderId);
  }
  assert.deepEqual(ids, ["a", "b", "c"]);
  assert.equal(sent[1]?.url.search, "?state=finished&cursor=c%261");
  const refused = clientWith([problem(400, "MALFORMED_REQUEST")]);
  await assert.rejects(each(refused.atlas.listOrders).next(), RefusedError);
});

test("a code that the description does not have is unknown, and kept", async () => {
  const { atlas } = clientWith([problem(409, "MOON_IS_FULL"), problem(404, "ILLEGAL_TRANSITION")]);
  for (const status of [409, 404]) {
    const result = await atlas.acceptWork({ path });
    assert.ok(!result.ok && result.code === "unknown");
    assert.equal(result.status, status);
    assert.equal((result.problem as { detail: string }).detail, "as prepared");
  }
});

test("numbers and words that came later are no error", async () => {
  const order = { state: "onTheMoon", version: 3 };
  const { atlas } = clientWith([json(200, order)]);
  const { state } = dataOf(await atlas.readOrder({ path }));
  assert.equal(state, "onTheMoon");
});

/** A sentence for each way in which asking an account can end; one that is missing is no program. */
function told(result: Result<"readBonusAccount">): string {
  return match(result, ({ data }) => `${data.lifetimePoints}`, {
    MALFORMED_REQUEST: () => "malformed",
    UNAUTHENTICATED: () => "sign in",
    NOT_FOUND: ({ status }) => `none (${status satisfies 404})`,
    POSITION_FOREIGN: () => "foreign",
    RATE_LIMITED: () => "slower",
    INTERNAL: () => "a bug",
    KEYS_UNAVAILABLE: () => "later",
    OVERLOADED: () => "later",
    PROJECTION_LAGGING: () => "later",
    STORE_UNAVAILABLE: () => "later",
    TIMEOUT: () => "later",
    UNREADABLE_EVENT: () => "later",
    unanswered: () => "nobody there",
    unknown: ({ status }) => `unheard of (${status})`,
  });
}

test("each way in which a call ends has its own words", async () => {
  const answers = [json(200, { lifetimePoints: 40 }), problem(404, "NOT_FOUND"), problem(418, "TEA")];
  const { atlas } = clientWith(answers);
  const words: string[] = [];
  while (words.length < answers.length) words.push(told(await atlas.readBonusAccount({ path })));
  assert.deepEqual(words, ["40", "none (404)", "unheard of (418)"]);
});

/** What must not compile: each line here is one that would. */
export function whatMustNotCompile(result: Result<"readBonusAccount">) {
  // @ts-expect-error: a refusal without a function.
  match(result, () => "", { NOT_FOUND: () => "" });
  // @ts-expect-error: data without asking whether there is any.
  result.data;
  if (result.ok) return result.data.lifetimePoints;
  switch (result.code) {
    case "NOT_FOUND":
      return result.problem.detail;
    default:
      // @ts-expect-error: codes that nothing handled.
      return unhandled(result);
  }
}
