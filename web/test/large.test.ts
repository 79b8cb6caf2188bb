// Much of everything: the first of it is painted soon, the rest is for who asks.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Browser } from "playwright-core";
import { dataOf } from "../sdk/src/index.ts";
import { type Person, as, control, idOf, launch, listWorkshops, signIn } from "./browser.ts";

/** How soon something is to be seen, in milliseconds. */
const SOON = 2_000;
/** How many events the long order has: more than are shown at first. */
const EVENTS = Number(process.env["ATLAS_PAGES_EVENTS"] || 260);

let browser: Browser;
before(async () => {
  browser = await launch();
  await listWorkshops();
});
after(() => browser.close());

/** Something is seen soon after a link was followed. */
async function soon(person: Person, link: string | RegExp, shown: string | RegExp): Promise<void> {
  const begun = performance.now();
  await person.page.getByRole("link", { name: link }).first().click();
  await person.sees(shown);
  const taken = Math.round(performance.now() - begun);
  console.log(`${shown}: ${taken} ms`);
  assert.ok(taken < SOON, `${shown}: ${taken} ms`);
}

test("a hundred thousand dead letters, and one of fifteen megabytes", async () => {
  await control("lay-letters");
  try {
    const olga = await signIn(browser, "Olga", "/console/orders");
    await soon(olga, "Dead letters", "100000");
    await olga.sees("Open ones");
    assert.ok((await olga.page.getByRole("row").count()) < 200);
    await olga.isAccessible("many dead letters");
    await olga.picture("console-many-letters");
    await soon(olga, "VALUE_TOO_LARGE", "Those of every group");
    const list = olga.page.getByRole("region", { name: "Open ones", exact: true });
    const begun = performance.now();
    await list.getByRole("link", { name: "VALUE_TOO_LARGE" }).click();
    await olga.sees("15728640 bytes, cut here");
    assert.ok(performance.now() - begun < SOON);
    await olga.isAccessible("a large dead letter");
    await olga.picture("console-large-letter");
    olga.isContent();
  } finally {
    await control("clear-letters");
  }
});

test("an order of a long life", async () => {
  const [clara, oak] = [await as("Clara"), await as("Oak & Iron")];
  const budget = { amount: "700.00", currency: "EUR" };
  const deadline = "2099-06-01T12:00:00Z";
  const request = { title: "A long commission", brief: "Patience.", budget, deadline };
  const { orderId: id } = dataOf(await clara.placeOrder({ body: { request, workshops: [idOf("Oak & Iron")] } }));
  const path = { id, workshopId: idOf("Oak & Iron") };
  const stages = [{ name: "Drawing", description: "Again and again.", requiresApproval: true }];
  dataOf(await oak.submitOffer({ path, body: { budget, deadline, description: "Gladly.", stages } }));
  let { version } = dataOf(await clara.confirmOffer({ path }));
  const stage = { path: { id, number: 1 } };
  while (version < EVENTS) {
    dataOf(await oak.completeStage(stage));
    const body = { note: `Once more, after ${version}.` };
    ({ version } = dataOf(await clara.requestStageChanges({ ...stage, body })));
  }
  const person = await signIn(browser, "Clara", "/market/");
  await soon(person, "A long commission", `Once more, after ${version - 2}.`);
  await person.sees("Only the newest part of what happened is shown.");
  assert.equal(await person.page.getByText("A commission was placed").count(), 0);
  await person.isAccessible("an order of a long life");
  await person.press("Show everything that happened");
  await person.sees(/A commission was placed/);
  person.isContent();
  const olga = await signIn(browser, "Olga", "/console/orders");
  await soon(olga, "A long commission", `Once more, after ${version - 2}.`);
  olga.isContent();
});
