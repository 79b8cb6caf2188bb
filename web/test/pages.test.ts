// The demo's story told in two browsers at once, and what pages promise everybody.

import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { gzipSync } from "node:zlib";
import type { Browser } from "playwright-core";
import { dataOf } from "../sdk/src/index.ts";
import { as, idOf, launch, listWorkshops, signIn } from "./browser.ts";

const BUILT = new URL("../../apps/query-api/pages/", import.meta.url).pathname;
/** The most bytes of an application, compressed. */
const BUDGETS = { market: 120_000, console: 180_000 };

let browser: Browser;
before(async () => {
  browser = await launch();
  await listWorkshops();
});
after(() => browser.close());

test("a commission from both sides, each seeing the other's step without reloading", async () => {
  const [clara, oak] = await Promise.all([
    signIn(browser, "Clara", "/market/"),
    signIn(browser, "Oak & Iron", "/market/"),
  ]);
  await oak.page.getByRole("heading", { name: "Invitations" }).first().waitFor();
  await clara.page.getByRole("navigation").getByRole("link", { name: "Place an order" }).click();
  await clara.fill("Title", "A writing desk");
  await clara.fill("What you want", "Oak, 140 cm wide, one drawer.");
  await clara.fill("Budget", "1500.00");
  await clara.fill("Deadline", "2099-06-01T12:00");
  await clara.page.getByLabel("Oak & Iron").check();
  await clara.page.getByLabel("Brass Lantern").check();
  await clara.isAccessible("placing an order");
  await clara.picture("market-new-order");
  await clara.press("Place the order");
  await clara.sees("has not answered");

  await oak.page.getByRole("link", { name: /A writing desk/ }).click();
  await oak.press("Make an offer");
  await oak.fill(/^Budget/, "1400.00");
  await oak.fill("Description", "Oiled oak, brass fittings.");
  await oak.press("Add a stage");
  const stage = oak.page.getByRole("group", { name: "Stage 1" });
  await stage.getByLabel("Title").fill("Drawings");
  await stage.getByLabel("Description").fill("To scale.");
  await stage.getByLabel("wants approval").check();
  await oak.isAccessible("making an offer");
  await oak.picture("market-offer");
  await oak.page.locator("form").getByRole("button", { name: "Make an offer" }).click();

  await clara.sees("Oiled oak, brass fittings.");
  await clara.isAccessible("comparing offers");
  await clara.picture("market-order");
  await clara.press(/^Confirm this offer/);
  await oak.press(/^Mark as complete/);
  await clara.press(/^Ask for changes/);
  await clara.fill("Note", "A little lower, please.");
  await clara.page.locator("form").getByRole("button", { name: "Ask for changes" }).click();
  await oak.sees(/A little lower|asked for changes/);
  await oak.press(/^Mark as complete/);
  await clara.press(/^Approve/);
  await clara.press("Accept the work");
  await oak.sees("completed");
  await oak.page.getByRole("navigation").getByRole("link", { name: "Invitations" }).click();
  await oak.isAccessible("the inbox");
  await oak.picture("market-inbox");
  await clara.page.getByRole("navigation").getByRole("link", { name: "Orders" }).click();
  await clara.sees("Done");
  await clara.isAccessible("the orders");
  await clara.picture("market-orders");
  await clara.page.getByRole("navigation").getByRole("link", { name: "Points" }).click();
  await clara.sees("Lifetime points");
  await clara.isAccessible("the points");
  await clara.picture("market-points");
  for (const person of [clara, oak]) person.isContent();
});

test("whoever confirms what has moved is told what moved, and confirms nothing", async () => {
  const [clara, oak] = [await as("Clara"), await as("Oak & Iron")];
  const workshopId = idOf("Oak & Iron");
  const deadline = "2099-06-01T12:00:00Z";
  const budget = { amount: "1500.00", currency: "EUR" };
  const request = { title: "A chair", brief: "Ash.", budget, deadline };
  const { orderId: id } = dataOf(await clara.placeOrder({ body: { request, workshops: [workshopId] } }));
  const seat = { path: { id, workshopId } };
  const offer = { budget, deadline, description: "As asked." };
  dataOf(await oak.submitOffer({ ...seat, body: offer }));
  const person = await signIn(browser, "Clara", `/market/orders/${id}`);
  await person.sees("As asked.");
  // The page is kept from noticing until it has pressed.
  await person.page.route(/\/v1\/orders\/[^/]+(\/situation|\/timeline.*)?$/, (route) =>
    route.request().method() === "GET" ? route.abort() : route.continue(),
  );
  const dearer = { ...offer, budget: { ...budget, amount: "9000.00" } };
  dataOf(await oak.submitOffer({ ...seat, body: dearer }));
  await person.press(/^Confirm this offer/);
  await person.sees(/The order has moved since you looked/);
  await person.page.unroute(/\/v1\/orders\/[^/]+(\/situation|\/timeline.*)?$/);
  await person.sees("What changed since you looked");
  await person.sees("9000.00");
  const { state } = dataOf(await clara.readOrder({ path: { id } }));
  assert.equal(state, "negotiating");
});

test("an offer answers the request that its author saw, until they take the new one", async () => {
  const clara = await as("Clara");
  const workshopId = idOf("Oak & Iron");
  const budget = { amount: "300.00", currency: "EUR" };
  const request = { title: "A stool", brief: "Ash.", budget, deadline: "2099-06-01T12:00:00Z" };
  const { orderId: id } = dataOf(await clara.placeOrder({ body: { request, workshops: [workshopId] } }));
  const offered = async () => dataOf(await clara.readOrder({ path: { id } })).invitations[0]?.offer;
  const oak = await signIn(browser, "Oak & Iron", `/market/orders/${id}`);
  await oak.press("Make an offer");
  await oak.fill("Description", "Soaped ash.");
  dataOf(await clara.editRequest({ path: { id }, body: { brief: "Ash, and two of them." } }));
  await oak.sees("The order has moved since you opened this");
  const submit = oak.page.locator("form").getByRole("button", { name: "Make an offer" });
  await submit.click();
  await oak.sees("The order has moved since you looked");
  assert.equal((await offered()) ?? undefined, undefined);
  await oak.press("Go on from the order as it is now");
  await submit.click();
  await oak.sees("has made an offer");
  assert.equal((await offered())?.description, "Soaped ash.");
});

test("a page that is loaded again asks nobody, and an address leads where it says", async () => {
  const person = await signIn(browser, "Clara", "/market/account");
  await person.page.reload();
  await person.page.getByRole("heading", { name: "Points", exact: true }).waitFor();
  assert.equal(new URL(person.page.url()).pathname, "/market/account");
  assert.equal(new URL(person.page.url()).search, "");
  const stored = "[...Object.keys(sessionStorage), ...Object.keys(localStorage), document.cookie]";
  const names = (await person.page.evaluate(stored)) as string[];
  // Where a page was scrolled to is all that is kept.
  assert.deepEqual(names.filter((name) => name !== "" && !name.startsWith("sveltekit:")), []);
  await person.press("Sign out");
  await person.page.getByRole("button", { name: "Sign in", exact: true }).waitFor();
  person.isContent();
});

test("each application is small", () => {
  for (const [name, most] of Object.entries(BUDGETS)) {
    const files = readdirSync(join(BUILT, name), { recursive: true, encoding: "utf8" });
    const code = files.filter((file) => /\.(js|css|html)$/.test(file));
    const sizes = code.map((file) => gzipSync(readFileSync(join(BUILT, name, file))).length);
    const bytes = sizes.reduce((sum, size) => sum + size, 0);
    console.log(`${name}: ${bytes} bytes in ${code.length} files, compressed`);
    assert.ok(code.length > 3 && bytes <= most, `${name}: ${bytes} bytes`);
  }
});
