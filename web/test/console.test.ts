// The console: what operators and analysts see of the house, of orders, policies and accounts.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import type { Browser } from "playwright-core";
import { dataOf } from "../sdk/src/index.ts";
import { as, idOf, launch, listWorkshops, signIn } from "./browser.ts";

const DEADLINE = "2099-06-01T12:00:00Z";

let browser: Browser;
before(async () => {
  browser = await launch();
  await listWorkshops();
});
after(() => browser.close());

/** An order of Clara's with both workshops, and one offer each. */
async function negotiated(title: string): Promise<string> {
  const budget = { amount: "900.00", currency: "EUR" };
  const request = { title, brief: "Pine.", budget, deadline: DEADLINE };
  const workshops = [idOf("Oak & Iron"), idOf("Brass Lantern")];
  const { orderId: id } = dataOf(await (await as("Clara")).placeOrder({ body: { request, workshops } }));
  for (const [name, description] of [["Oak & Iron", "Of oak."], ["Brass Lantern", "Of pine."]] as const) {
    const workshop = await as(name);
    const path = { id, workshopId: idOf(name) };
    dataOf(await workshop.submitOffer({ path, body: { budget, deadline: DEADLINE, description } }));
  }
  return id;
}

test("the console shows the house to operators and analysts, and nothing to others", async () => {
  const olga = await signIn(browser, "Olga", "/console/");
  await olga.sees("No append holds the readers up.");
  await olga.isAccessible("the house");
  await olga.picture("console-house");
  for (const [page, shown] of [
    ["Orders", "Find an order"],
    ["Dead letters", "No open dead letter."],
    ["Projections", "It was never rebuilt."],
    ["Accounts", "Id of the beneficiary"],
    ["Acts", "No operator has acted yet."],
  ] as const) {
    await olga.page.getByRole("navigation").getByRole("link", { name: page }).click();
    await olga.sees(shown);
    await olga.isAccessible(page);
    await olga.picture(`console-${page.toLowerCase().replace(" ", "-")}`);
  }
  const ana = await signIn(browser, "Ana", "/console/");
  await ana.sees("No append holds the readers up.");
  assert.equal(await ana.page.getByRole("link", { name: "Dead letters" }).count(), 0);
  const clara = await signIn(browser, "Clara", "/console/");
  await clara.sees("This page has nothing for your role.");
  for (const person of [olga, ana, clara]) person.isContent();
});

test("an operator resolves a dispute and sees the order as it was", async () => {
  const clara = await as("Clara");
  const oak = await as("Oak & Iron");
  const workshopId = idOf("Oak & Iron");
  const deadline = "2099-06-01T12:00:00Z";
  const budget = { amount: "900.00", currency: "EUR" };
  const request = { title: "A shelf", brief: "Pine.", budget, deadline };
  const { orderId: id } = dataOf(await clara.placeOrder({ body: { request, workshops: [workshopId] } }));
  dataOf(await oak.submitOffer({ path: { id, workshopId }, body: { budget, deadline, description: "Pine." } }));
  dataOf(await clara.confirmOffer({ path: { id, workshopId } }));
  dataOf(await clara.cancelOrder({ path: { id }, body: { reason: "It is late." } }));
  const olga = await signIn(browser, "Olga", `/console/orders/${id}`);
  await olga.page.getByLabel("go on where it was").check();
  await olga.fill("Note", "Both agreed.");
  await olga.isAccessible("a disputed order");
  await olga.picture("console-order");
  await olga.press("Resolve the dispute");
  await olga.sees("in progress");
  await olga.page.getByRole("slider").fill("1");
  await olga.page.getByRole("slider", { name: /at version 1$/ }).waitFor();
  await olga.sees("has not answered");
  olga.isContent();
});


test("an operator looks at an order through the eyes of each party", async () => {
  const id = await negotiated("A chest");
  const olga = await signIn(browser, "Olga", `/console/orders/${id}`);
  const offers = olga.page.getByText(/An offer was made/);
  await offers.nth(1).waitFor();
  const eyes = olga.page.getByLabel("As this party sees it");
  await eyes.selectOption(`workshop:${idOf("Brass Lantern")}`);
  await olga.sees("This is what this party is shown:");
  await olga.sees("They could");
  await offers.nth(1).waitFor({ state: "detached" });
  assert.equal(await offers.count(), 1);
  await olga.isAccessible("an order through another's eyes");
  await olga.picture("console-order-as");
  const seen = await olga.page.getByLabel(/The order as it was/).first().innerText();
  assert.ok(seen.includes(idOf("Brass Lantern")) && !seen.includes(idOf("Oak & Iron")), seen);
  await eyes.selectOption(`commissioner:${idOf("Clara")}`);
  await olga.sees(/Confirm this offer/);
  olga.isContent();
});

test("policies are read, compared and reproduced, and an account is explained", async () => {
  const bench = await negotiated("A bench");
  const ana = await signIn(browser, "Ana", "/console/policies");
  await ana.sees("in force");
  const accounts = await as("Ana");
  // The award is on its way by Kafka.
  for (let counted = false; !counted; ) {
    const ledger = await accounts.readBonusLedger({ path: { id: idOf("Clara") } });
    counted = ledger.ok && ledger.data.items.some((award) => award.orderId === bench);
  }
  await ana.page.getByLabel("Policy that is left").selectOption("1");
  await ana.page.getByLabel("Policy that would follow").selectOption("2");
  await ana.press("Compare");
  await ana.sees("Points in all");
  const { report, movements } = dataOf(await accounts.diffPolicies({ path: { version: 1, to: 2 } }));
  assert.ok(movements.length > 0);
  await ana.sees(`${report.pointsBefore} → ${report.pointsAfter}`);
  for (const { sentence } of [...report.largestGains, ...report.largestLosses]) await ana.sees(sentence);
  await ana.isAccessible("the difference of two policies");
  await ana.picture("console-policies");
  const saving = ana.page.waitForEvent("download");
  await ana.press(/as CSV/);
  const csv = readFileSync(await (await saving).path(), "utf8").trimEnd().split("\n");
  assert.equal(csv.length, movements.length + 1);
  assert.match(csv[1] ?? "", /^commissioner,[0-9a-f-]{36},\d+,\d+,\w+,\w+,(true|false),(true|false)$/);
  await ana.page.getByText("Reproduce it by yourself").click();
  await ana.sees(/WITH asked \(version_a, version_b\) AS \(VALUES \(1, 2\)\)/);
  await ana.page.getByRole("link", { name: `Explain an account ${idOf("Clara")}` }).first().click();
  await ana.sees("Lifetime points");
  await ana.isAccessible("an account explained");
  await ana.picture("console-account");
  await ana.page.getByRole("link", { name: /^Why\? OrderPlaced/ }).first().click();
  await ana.sees("Told again, it counts nothing more");
  await ana.isAccessible("a fact explained");
  ana.isContent();
});

test("the states of an order are drawn, with how many orders are where", async () => {
  await negotiated("A stool of three legs");
  const olga = await signIn(browser, "Olga", "/console/states");
  const { items } = dataOf(await (await as("Olga")).countOrderStates());
  const negotiating = items.find((each) => each.state === "negotiating")?.orders ?? 0;
  assert.ok(negotiating > 0);
  const link = olga.page.getByRole("link", { name: /^in negotiation \d+ orders$/ });
  await link.waitFor();
  assert.equal(await olga.page.locator(".drawing a").count(), 6);
  await olga.isAccessible("the states");
  await olga.picture("console-states");
  await link.click();
  await olga.sees("A stool of three legs");
  await olga.isAccessible("the orders of a state");
  await olga.picture("console-orders-of-state");
  olga.isContent();
});

test("orders are found by party and by turn", async () => {
  const id = await negotiated("A cradle");
  const olga = await signIn(browser, "Olga", "/console/orders");
  await olga.fill(/^Commissioner's id/, idOf("Clara"));
  await olga.press("Show these");
  await olga.sees("A cradle");
  await olga.fill(/^Workshop's id/, idOf("Clara"));
  await olga.press("Show these");
  await olga.sees("No orders yet.");
  await olga.fill("Order id", id);
  await olga.press("Find an order");
  await olga.page.getByRole("heading", { name: id }).waitFor();
  olga.isContent();
});
