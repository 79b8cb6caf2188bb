// Many tabs of one browser share one stream, whatever becomes of the tab that listens.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Browser, BrowserContext, Page, Request } from "playwright-core";
import { dataOf } from "../sdk/src/index.ts";
import { ISSUER, anotherTab, as, idOf, launch, listWorkshops, sign, signIn } from "./browser.ts";

const TABS = 12;

let browser: Browser;
before(async () => {
  browser = await launch();
  await listWorkshops();
});
after(() => browser.close());

/** An order of Clara's. */
async function placed(title: string): Promise<string> {
  const budget = { amount: "120.00", currency: "EUR" };
  const request = { title, brief: "Ash.", budget, deadline: "2099-06-01T12:00:00Z" };
  const body = { request, workshops: [idOf("Oak & Iron")] };
  return dataOf(await (await as("Clara")).placeOrder({ body })).orderId;
}

/** Oak & Iron's offer on it. */
async function offered(id: string, description: string): Promise<void> {
  const oak = await as("Oak & Iron");
  const path = { id, workshopId: idOf("Oak & Iron") };
  const body = { budget: { amount: "110.00", currency: "EUR" }, deadline: "2099-06-01T12:00:00Z", description };
  dataOf(await oak.submitOffer({ path, body }));
}

/** The streams that a browser holds, by the tab that holds each. */
class Streams {
  readonly open = new Map<Request, Page>();
  begun = 0;

  constructor(context: BrowserContext) {
    context.on("request", (request) => {
      if (request.headers()["accept"] !== "text/event-stream") return;
      this.open.set(request, request.frame().page());
      this.begun += 1;
    });
    const ended = (request: Request) => void this.open.delete(request);
    context.on("requestfinished", ended);
    context.on("requestfailed", ended);
  }

  /** The tab that listens for all. */
  get holder(): Page {
    const [holder, ...others] = [...this.open.values()].filter((page) => !page.isClosed());
    assert.equal(others.length, 0, "more than one stream is open");
    assert.ok(holder !== undefined, "nobody listens");
    return holder;
  }
}

test("twelve tabs use one stream, which another takes over without a gap when its tab closes", async () => {
  const id = await placed("A spoon");
  const first = await signIn(browser, "Clara", `/market/orders/${id}`);
  await first.sees(/,\s+live/);
  const context = first.page.context();
  const streams = new Streams(context);
  await first.page.reload();
  await first.sees(/,\s+live/);
  const tabs = [first];
  for (let number = 1; number < TABS; number += 1) {
    tabs.push(await anotherTab(context, number % 2 === 0 ? "/market/" : `/market/orders/${id}`));
  }
  for (const tab of tabs) await tab.sees(/,\s+live/);
  assert.equal(streams.begun, 1, "streams begun by twelve tabs");

  await offered(id, "Of cherry.");
  await Promise.all(tabs.map((tab) => tab.sees(/Of cherry\.|choose an offer|A spoon/)));
  await Promise.all(tabs.filter((tab) => tab.page.url().includes(id)).map((tab) => tab.sees("Of cherry.")));

  for (const change of ["Of pear.", "Of plum."]) {
    const leaving = streams.holder;
    const closing = leaving.close();
    await offered(id, change);
    await closing;
    const left = tabs.filter((tab) => !tab.page.isClosed());
    await Promise.all(left.filter((tab) => tab.page.url().includes(id)).map((tab) => tab.sees(change)));
    assert.notEqual(streams.holder, leaving);
  }
  assert.equal(streams.begun, 3);
  for (const tab of tabs) tab.isContent();
});

test("a token that ends is exchanged under a stream, and where it is not, another tab goes on", async () => {
  const id = await placed("A ladle");
  const first = await signIn(browser, "Clara", `/market/orders/${id}`);
  await first.sees(/,\s+live/);
  const context = first.page.context();
  const streams = new Streams(context);
  // The server counts a minute of leeway: of these tokens three seconds are left.
  let exchanged = 0;
  let refused: Page | undefined;
  await context.route(`${ISSUER}/token`, async (route) => {
    const body = route.request().postData() ?? "";
    if (route.request().frame().page() === refused && body.includes("refresh_token")) {
      const json = { error: "invalid_grant" };
      return route.fulfill({ status: 400, json, headers: { "access-control-allow-origin": "*" } });
    }
    const response = await route.fetch();
    const json = (await response.json()) as Record<string, unknown>;
    const now = Math.floor(Date.now() / 1_000);
    exchanged += 1;
    return route.fulfill({ response, json: { ...json, access_token: await sign("Clara", now - 57), expires_in: 32 } });
  });
  await first.page.reload();
  await first.sees(/,\s+live/);
  const second = await anotherTab(context, `/market/orders/${id}`);
  await second.sees(/,\s+live/);
  // Its token has ended since, and with it its stream.
  const ended = first.page.waitForEvent("requestfinished", (request) => request.headers()["accept"] === "text/event-stream");
  await ended;
  await offered(id, "Of box.");
  await Promise.all([first.sees("Of box."), second.sees("Of box.")]);
  assert.ok(exchanged >= 3, `${exchanged} tokens`);
  assert.equal(streams.holder, first.page);

  refused = first.page;
  await first.sees("You are not signed in.");
  await offered(id, "Of yew.");
  await second.sees("Of yew.");
  assert.equal(streams.holder, second.page);
  for (const tab of [first, second]) tab.isContent();
});
