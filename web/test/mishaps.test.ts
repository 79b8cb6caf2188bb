// What goes wrong between a page and the services, and what people see of it.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Browser, Request, Route } from "playwright-core";
import { dataOf } from "../sdk/src/index.ts";
import { STRANGE, anotherTab, as, control, idOf, launch, listWorkshops, signIn } from "./browser.ts";

const DEADLINE = "2099-06-01T12:00:00Z";
const BUDGET = { amount: "300.00", currency: "EUR" };

let browser: Browser;
before(async () => {
  browser = await launch();
  await listWorkshops();
});
after(() => browser.close());

/** An order of Clara's with an offer of Oak & Iron's. */
async function offered(title: string): Promise<string> {
  const clara = await as("Clara");
  const request = { title, brief: "Ash.", budget: BUDGET, deadline: DEADLINE };
  const { orderId: id } = dataOf(await clara.placeOrder({ body: { request, workshops: [idOf("Oak & Iron")] } }));
  const path = { id, workshopId: idOf("Oak & Iron") };
  const oak = await as("Oak & Iron");
  dataOf(await oak.submitOffer({ path, body: { budget: BUDGET, deadline: DEADLINE, description: "As asked." } }));
  return id;
}

const CONFIRM = /\/confirm$/;
const isCommand = (request: Request) => request.method() === "POST" && CONFIRM.test(request.url());

test("an answer that is lost is asked for again, and what was done is done once", async () => {
  const id = await offered("A lost answer");
  const clara = await signIn(browser, "Clara", `/market/orders/${id}`);
  const keys: (string | undefined)[] = [];
  const answered = clara.page.waitForResponse((answer) => isCommand(answer.request()));
  await clara.page.route(CONFIRM, async (route) => {
    if (!isCommand(route.request())) return route.continue();
    keys.push(route.request().headers()["idempotency-key"]);
    if (keys.length > 1) return route.continue();
    await route.fetch();
    return route.abort("connectionreset");
  });
  await clara.press(/^Confirm this offer/);
  // The stream tells of the first before the second is sent.
  await answered;
  await clara.sees("in progress");
  assert.ok(keys.length === 2 && keys[0] !== undefined && keys[0] === keys[1], String(keys));
  const { items } = dataOf(await (await as("Clara")).readTimeline({ path: { id } }));
  assert.equal(items.filter((entry) => entry.event === "OfferConfirmed").length, 1);
  clara.isContent();
});

test("a tab that closes in the middle of a command leaves the whole of it or nothing", async () => {
  for (const arrives of [true, false]) {
    const id = await offered(`A closed tab, ${arrives}`);
    const clara = await signIn(browser, "Clara", `/market/orders/${id}`);
    const held = new Promise<Route>((resolve) => {
      void clara.page.route(CONFIRM, (route) => {
        if (isCommand(route.request())) resolve(route);
        else void route.continue();
      });
    });
    const context = clara.page.context();
    const address = clara.page.url();
    await clara.press(/^Confirm this offer/);
    const route = await held;
    if (arrives) await route.fetch();
    await clara.page.close();
    const again = await anotherTab(context, new URL(address).pathname);
    if (arrives) await again.sees("in progress");
    // A browser whose tab closes may send what was held back.
    const confirm = again.page.getByRole("button", { name: /^Confirm this offer/ });
    await confirm.or(again.page.getByText("in progress").first()).first().waitFor();
    if (await confirm.isVisible()) await confirm.click();
    await again.sees("in progress");
    const { items } = dataOf(await (await as("Clara")).readTimeline({ path: { id } }));
    assert.equal(items.filter((entry) => entry.event === "OfferConfirmed").length, 1);
    await context.close();
  }
});

test("while the query API is away a page says how old it is, and goes on when it is back", async () => {
  const id = await offered("A restart");
  const clara = await signIn(browser, "Clara", `/market/orders/${id}`);
  await clara.sees(/,\s+live/);
  await control("stop-query");
  // What is asked for meanwhile has no answer; what was read stays.
  await clara.press(/^Withdraw|^Cancel/);
  await clara.fill("Reason", "Too late.");
  await clara.page.locator("form").getByRole("button", { name: "Cancel" }).click();
  await clara.sees("What is shown is older");
  await clara.sees("As asked.");
  await clara.isAccessible("a page that is older");
  await control("start-query");
  await clara.sees("cancelled");
  await clara.page.getByText("What is shown is older").first().waitFor({ state: "detached" });
  const oak = await as("Oak & Iron");
  assert.equal(dataOf(await oak.readOrder({ path: { id } })).state, "cancelled");
  clara.isContent();
});

test("instants are shown and typed in one zone that is named, in whichever people are", async () => {
  const oclock = { "Asia/Kolkata": "06:30", "America/Los_Angeles": "19:00", UTC: "12:00" };
  for (const [zone, utc] of Object.entries(oclock)) {
    const clara = await signIn(browser, "Clara", "/market/orders/new", zone);
    const title = `A clock for ${zone}`;
    await clara.fill("Title", title);
    await clara.fill("What you want", "Brass.");
    await clara.fill("Budget", "80.00");
    await clara.fill("Deadline", "2099-06-01T12:00");
    await clara.page.getByLabel("Oak & Iron").check();
    await clara.press("Place the order");
    await clara.sees("has not answered");
    const id = clara.page.url().split("/").at(-1) ?? "";
    const { request } = dataOf(await (await as("Clara")).readOrder({ path: { id } }));
    assert.equal(request.deadline, `2099-06-01T${utc}:00Z`, zone);
    // Chromium has its own name for the zone.
    const named = zone.replace("Kolkata", "(Kolkata|Calcutta)");
    await clara.page.getByRole("button", { name: new RegExp(`Times are in ${named}`) }).waitFor();
    await clara.sees("1 Jun 2099, 12:00");
    if (zone !== "UTC") {
      await clara.press(/^Times are in/);
      await clara.sees(`1 Jun 2099, ${utc}`);
    }
    clara.isContent();
  }
});

test("strangers' text is text, in every field and at every length", async () => {
  const long = `${STRANGE} ${"W".repeat(3_000)}\u202E ${"\u0645\u0631\u062D\u0628\u0627 ".repeat(500)}`;
  const text = (most: number) => [...long].slice(0, most).join("");
  const [clara, oak] = [await as("Clara"), await as("Oak & Iron")];
  const workshopId = idOf("Oak & Iron");
  const request = { title: text(120), brief: text(5_000), budget: BUDGET, deadline: DEADLINE };
  const { orderId: id } = dataOf(await clara.placeOrder({ body: { request, workshops: [workshopId] } }));
  const path = { id, workshopId };
  const stages = [{ name: text(120), description: text(2_000), requiresApproval: true }];
  const offer = { budget: BUDGET, deadline: DEADLINE, description: text(5_000), stages };
  dataOf(await oak.submitOffer({ path, body: offer }));
  dataOf(await clara.confirmOffer({ path }));
  dataOf(await oak.completeStage({ path: { id, number: 1 } }));
  dataOf(await clara.requestStageChanges({ path: { id, number: 1 }, body: { note: text(2_000) } }));
  dataOf(await clara.cancelOrder({ path: { id }, body: { reason: text(2_000) } }));
  for (const [name, page] of [
    ["Clara", `/market/orders/${id}`],
    ["Clara", "/market/"],
    ["Oak & Iron", `/market/orders/${id}`],
    ["Oak & Iron", "/market/"],
    ["Olga", `/console/orders/${id}`],
    ["Olga", "/console/orders"],
  ] as const) {
    const person = await signIn(browser, name, page);
    await person.sees(/onerror=alert/);
    await person.page.setViewportSize({ width: 360, height: 800 });
    const found = await person.page.evaluate(`({
      wide: document.documentElement.scrollWidth > innerWidth,
      made: document.querySelectorAll("img, iframe, main script").length,
    })`);
    assert.deepEqual(found, { wide: false, made: 0 }, `${name} at ${page}`);
    person.isContent();
    await person.page.context().close();
  }
});
