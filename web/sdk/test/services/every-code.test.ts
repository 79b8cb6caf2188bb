// Every operation against running services: that it succeeds, and that it is refused with every
// documented code that a test can provoke. What is missing is counted, and fails.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import { OPERATIONS } from "../../src/generated/operations.ts";
import { dataOf, type Atlas, type Name } from "../../src/index.ts";
import { OFFER, REQUEST, Scene, clientOf, person, type Person } from "./scene.ts";

/** Codes that need something to be broken, too much, or a race. */
const NOT_FROM_OUTSIDE: Record<string, string> = {
  CONCURRENT_MODIFICATION: "a race that is lost five times",
  INTERNAL: "a bug",
  KEYS_UNAVAILABLE: "published keys that are away",
  ORDER_TOO_LARGE: "an order of many megabytes",
  OVERLOADED: "hundreds of requests at once",
  PROJECTION_LAGGING: "a projector that is away",
  RATE_LIMITED: "limits, which these services run without",
  REVISION_LIMIT: "thousands of revisions",
  STORE_UNAVAILABLE: "a database that is away",
  TIMEOUT: "a request of ten seconds",
  UNREADABLE_EVENT: "an event of a later release",
};

/** Reads that are open to the parties of an order, but not through another's eyes. */
const AS_ANOTHER = new Set<Name>(["readOrder", "readTimeline", "readSituation", "readAsOf"]);

type Any = (input: unknown) => Promise<{ ok: boolean; status: number; code?: string }>;

const scene = await Scene.set();
const reached = new Set<string>();

/** Calls it, whatever the types say, and counts how it ended. */
async function reach(atlas: Atlas, name: Name, input: unknown, wanted: string) {
  const result = await (atlas[name] as Any)(input);
  const ended = result.ok ? "success" : result.code;
  assert.equal(ended, wanted, `${name}: ${JSON.stringify(result)}`);
  reached.add(`${name} ${ended}`);
  return result;
}

/** A legal call of each command by an operator, on an order that is not there. */
const COMMANDS: Record<string, object> = {
  placeOrder: { body: { request: REQUEST, workshops: [scene.first.id] } },
  editRequest: on({ body: { title: "Another" } }),
  inviteWorkshops: on({ body: { workshops: [scene.second.id] } }),
  declineInvitation: seat({ body: {} }),
  submitOffer: seat({ body: OFFER }),
  withdrawOffer: seat({ body: {} }),
  confirmOffer: seat({ body: {} }),
  completeStage: on({}, { number: 1 }),
  approveStage: on({}, { number: 1 }),
  requestStageChanges: on({ body: { note: "Wider." } }, { number: 1 }),
  acceptWork: on({}),
  cancelOrder: on({ body: { reason: "Too late." } }),
  resolveDispute: on({ body: { resolution: "resume", note: "Agreed." } }),
  putWorkshop: on({ body: { name: "Oak & Iron", acceptsCommissions: true } }),
  requestAct: { body: { act: "redrivePreview", arguments: {}, reason: "To see." } },
};

/** A body of each command with a value that is not legal, or with a member that nobody reads. */
const ILLEGAL: Record<string, object> = {
  placeOrder: { request: { ...REQUEST, title: "" }, workshops: [scene.first.id] },
  editRequest: { title: null },
  inviteWorkshops: { workshops: [] },
  declineInvitation: { reason: " " },
  submitOffer: { ...OFFER, description: "" },
  withdrawOffer: { reason: " " },
  confirmOffer: { offerRevision: 0 },
  requestStageChanges: { note: "" },
  cancelOrder: { reason: "" },
  resolveDispute: { resolution: "forget", note: "x" },
  putWorkshop: { name: "", acceptsCommissions: true },
  requestAct: { act: "forget", arguments: {}, reason: "" },
  acceptWork: { rating: 5 },
  approveStage: { note: "Fine." },
  completeStage: { note: "Done." },
};

function on(more: object, path: object = {}) {
  return { ...more, path: { id: randomUUID(), ...path } };
}

function seat(more: object) {
  return on(more, { workshopId: scene.first.id });
}

function documented(name: Name, code: string): boolean {
  return Object.values(OPERATIONS[name].refusals).some((codes) => codes.includes(code as never));
}

/** The same call on this order. */
function at(input: object, id: string) {
  const { path } = input as { path?: object };
  return path === undefined ? input : { ...input, path: { ...path, id } };
}

const NAMES = Object.keys(OPERATIONS) as Name[];
const commandNames = NAMES.filter((name) => OPERATIONS[name].api === "command");
const readNames = NAMES.filter((name) => OPERATIONS[name].api === "query");

/** Who may use an operation in general. */
function byRight(name: Name): Person {
  if (name === "placeOrder") return scene.commissioner;
  if (name === "listInvitations") return scene.first;
  return scene.operator;
}

test("each command is refused for what any command can lack", async (context) => {
  const key = randomUUID();
  for (const { id, atlas } of [scene.operator, scene.commissioner]) {
    const body = { ...(COMMANDS["placeOrder"] as { body: object }).body, request: REQUEST };
    if (atlas === scene.commissioner.atlas) await atlas.placeOrder({ body, idempotencyKey: key } as never);
    else await atlas.putWorkshop({ ...at(COMMANDS["putWorkshop"] ?? {}, id), idempotencyKey: key } as never);
  }
  const cancelled = await scene.cancelled();
  for (const name of commandNames) {
    await context.test(name, async () => {
      const input = COMMANDS[name] ?? assert.fail(`no call of ${name}`);
      const { atlas, role, id } = byRight(name);
      await reach(clientOf("no token"), name, input, "UNAUTHENTICATED");
      await reach(scene.analyst.atlas, name, input, "FORBIDDEN");
      const malformed = "path" in input ? at(input, "x") : { body: { request: 5, act: 5 } };
      await reach(atlas, name, malformed, "MALFORMED_REQUEST");
      const large = { ...input, body: { pad: "x".repeat(300_000) } };
      await reach(atlas, name, large, "PAYLOAD_TOO_LARGE");
      const text = asText(role);
      await reach(text.atlas, name, input, "UNSUPPORTED_MEDIA_TYPE");
      await reach(atlas, name, { ...at(input, id), idempotencyKey: key, body: another(name, input) }, "IDEMPOTENCY_KEY_REUSED");
      await reach(atlas, name, { ...input, body: ILLEGAL[name] }, "VALIDATION_FAILED");
      if (documented(name, "NOT_FOUND")) await reach(atlas, name, input, "NOT_FOUND");
      if (documented(name, "VERSION_MISMATCH")) {
        await reach(atlas, name, { ...at(input, cancelled), ifMatch: '"99"' }, "VERSION_MISMATCH");
      }
      if (documented(name, "ILLEGAL_TRANSITION")) {
        await reach(atlas, name, at(input, cancelled), "ILLEGAL_TRANSITION");
      }
    });
  }
});

/** A body that nobody has sent under the key before. */
function another(name: Name, input: object): object {
  const body = bodyOf(input);
  if (name === "placeOrder") return { ...body, request: { ...REQUEST, title: "Another piece" } };
  if (name === "putWorkshop") return { ...body, name: "Another name" };
  return body;
}

function bodyOf(input: object): object {
  return "body" in input ? (input.body as object) : {};
}

/** Somebody whose bodies are said to be plain text. */
function asText(role: Person["role"]): Person {
  return person(role, {
    fetch: (url, init) => {
      const headers = new Headers(init?.headers);
      headers.set("content-type", "text/plain");
      return fetch(url, { ...init, headers });
    },
  });
}

test("commands are refused for what the order is", async () => {
  const { operator, commissioner, first, second, closed } = scene;
  const placed = await scene.placed();
  const own = { path: { id: placed } };
  for (const workshop of [closed, person("workshop")]) {
    const body = { request: REQUEST, workshops: [workshop.id] };
    await reach(commissioner.atlas, "placeOrder", { body }, "UNKNOWN_WORKSHOP");
    const invite = { ...own, body: { workshops: [workshop.id] } };
    await reach(commissioner.atlas, "inviteWorkshops", invite, "UNKNOWN_WORKSHOP");
  }
  const again = { ...own, body: { workshops: [first.id] } };
  await reach(commissioner.atlas, "inviteWorkshops", again, "ALREADY_INVITED");
  const same = { ...own, body: { title: REQUEST.title } };
  await reach(commissioner.atlas, "editRequest", same, "NOTHING_TO_CHANGE");
  const withRevision = { ...scene.seat(placed), body: { ...OFFER, requestRevision: 9 } };
  await reach(first.atlas, "submitOffer", withRevision, "OFFER_OUTDATED");
  await reach(commissioner.atlas, "confirmOffer", scene.seat(placed), "OFFER_NOT_STANDING");
  await reach(first.atlas, "withdrawOffer", scene.seat(placed), "OFFER_NOT_STANDING");

  const offered = await scene.offered();
  const repeated = { ...scene.seat(offered), body: OFFER };
  await reach(first.atlas, "submitOffer", repeated, "NOTHING_TO_CHANGE");
  await reach(first.atlas, "declineInvitation", scene.seat(offered), "INVITATION_NOT_OPEN");
  const other = { ...scene.seat(offered), body: { offerRevision: 9 } };
  await reach(commissioner.atlas, "confirmOffer", other, "OFFER_CHANGED");
  const edit = { path: { id: offered }, body: { title: "Ash table" } };
  await reach(commissioner.atlas, "editRequest", edit, "success");
  await reach(commissioner.atlas, "confirmOffer", scene.seat(offered), "OFFER_OUTDATED");
  await reach(first.atlas, "withdrawOffer", { ...scene.seat(offered), body: {} }, "success");
  await reach(first.atlas, "submitOffer", repeated, "INVITATION_NOT_OPEN");

  const awaiting = await scene.awaiting();
  const stage = (number: number) => ({ path: { id: awaiting, number } });
  const note = { body: { note: "Wider." } };
  await reach(first.atlas, "completeStage", stage(1), "STAGE_AWAITING_APPROVAL");
  await reach(operator.atlas, "completeStage", stage(2), "NOT_CURRENT_STAGE");
  await reach(commissioner.atlas, "approveStage", stage(2), "NOT_CURRENT_STAGE");
  await reach(commissioner.atlas, "requestStageChanges", { ...stage(2), ...note }, "NOT_CURRENT_STAGE");
  await reach(commissioner.atlas, "requestStageChanges", { ...stage(1), ...note }, "success");
  await reach(commissioner.atlas, "approveStage", stage(1), "STAGE_NOT_AWAITING_APPROVAL");
  const twice = { ...stage(1), ...note };
  await reach(commissioner.atlas, "requestStageChanges", twice, "STAGE_NOT_AWAITING_APPROVAL");
  await reach(operator.atlas, "putWorkshop", at(COMMANDS["putWorkshop"] ?? {}, second.id), "success");
});

test("each command succeeds", async () => {
  const { operator, commissioner, first, second } = scene;
  await reach(commissioner.atlas, "placeOrder", COMMANDS["placeOrder"], "success");
  const invite = { path: { id: await scene.placed() }, body: { workshops: [second.id] } };
  await reach(commissioner.atlas, "inviteWorkshops", invite, "success");
  await reach(first.atlas, "declineInvitation", scene.seat(await scene.placed()), "success");
  const offer = { ...scene.seat(await scene.placed()), body: OFFER };
  await reach(first.atlas, "submitOffer", offer, "success");
  await reach(commissioner.atlas, "confirmOffer", scene.seat(await scene.offered()), "success");
  const stage = { path: { id: await scene.confirmed(), number: 1 } };
  await reach(first.atlas, "completeStage", stage, "success");
  await reach(commissioner.atlas, "approveStage", stage, "success");
  await reach(commissioner.atlas, "acceptWork", { path: { id: await scene.finished() } }, "success");
  const cancel = { path: { id: await scene.placed() }, body: { reason: "No need." } };
  await reach(commissioner.atlas, "cancelOrder", cancel, "success");
  const resolve = { ...at(COMMANDS["resolveDispute"] ?? {}, await scene.disputed()) };
  await reach(operator.atlas, "resolveDispute", resolve, "success");
  await reach(operator.atlas, "requestAct", COMMANDS["requestAct"], "success");
});

test("each read succeeds, and is refused for what any read can lack", async (context) => {
  const placed = dataOf(await scene.commissioner.atlas.placeOrder(COMMANDS["placeOrder"] as never));
  const asked = dataOf(await scene.operator.atlas.requestAct(COMMANDS["requestAct"] as never));
  await account();
  for (const name of readNames) {
    await context.test(name, async () => {
      const { path } = OPERATIONS[name];
      const [, parameter] = /\{(\w+)\}/.exec(path) ?? [];
      const second = path.includes("{to}") ? { to: 2 } : {};
      const placedAt = (value: unknown) => (parameter ? { path: { [parameter]: value, ...second } } : {});
      const input = placedAt(parameter === "version" ? 1 : idFor(name, placed.orderId, asked.actId));
      const right = { ...input, query: queryOf(name) };
      const person = byRight(name);
      await reach(clientOf("no token"), name, right, "UNAUTHENTICATED");
      const elsewhere = name === "listPolicies" ? { minPosition: "?" } : { query: { cursor: "?" } };
      const malformed = parameter ? placedAt("x") : elsewhere;
      await reach(person.atlas, name, malformed, "MALFORMED_REQUEST");
      if (documented(name, "FORBIDDEN")) {
        const query = { ...queryOf(name), ...(AS_ANOTHER.has(name) && { as: `workshop:${scene.first.id}` }) };
        await reach(scene.commissioner.atlas, name, { ...right, query }, "FORBIDDEN");
      }
      if (documented(name, "NOT_FOUND")) {
        await reach(person.atlas, name, { ...right, ...placedAt(parameter === "version" ? 999 : randomUUID()) }, "NOT_FOUND");
      }
      if (documented(name, "POSITION_FOREIGN")) {
        const bytes = Buffer.from(placed.position, "base64url");
        bytes.writeUInt8(bytes.readUInt8(0) ^ 1, 0);
        const foreign = { ...right, minPosition: bytes.toString("base64url") };
        await reach(person.atlas, name, foreign, "POSITION_FOREIGN");
      }
      if (name !== "readDeadLetter") await reach(person.atlas, name, right, "success");
    });
  }
});

/** Waits until the placing of an order has reached its commissioner's account, by way of Kafka. */
async function account() {
  const path = { id: scene.commissioner.id };
  for (const end = Date.now() + 20_000; Date.now() < end; ) {
    if ((await scene.commissioner.atlas.readBonusAccount({ path })).ok) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  assert.fail("no account after 20 s");
}

function idFor(name: Name, order: string, act: string): string {
  if (name.includes("Bonus")) return scene.commissioner.id;
  if (name === "readAct") return act;
  return name === "readDeadLetter" ? randomUUID() : order;
}

function queryOf(name: Name): object {
  return name === "readAsOf" ? { version: 1 } : {};
}

test("what the client has already is not sent again", async () => {
  const path = { id: await scene.placed() };
  const { atlas } = scene.commissioner;
  const first = await atlas.readOrder({ path });
  assert.ok(first.ok && first.headers.etag !== undefined);
  const { status } = await atlas.readOrder({ path, ifNoneMatch: first.headers.etag });
  assert.equal(status, 304);
});

test("nothing that can be provoked was left out", () => {
  const wanted = NAMES.flatMap((name) => {
    const codes = Object.values(OPERATIONS[name].refusals).flat();
    return [`${name} success`, ...codes.map((code) => `${name} ${code}`)];
  });
  const missing = wanted.filter((each) => {
    const [name, code = ""] = each.split(" ");
    return !reached.has(each) && !(code in NOT_FROM_OUTSIDE) && name !== "readDeadLetter";
  });
  assert.deepEqual(missing, []);
  console.log(`${reached.size} ways to end, of ${wanted.length} that the documents have`);
});
