// What an operator does about a dead letter, from the console alone.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Browser } from "playwright-core";
import { dataOf } from "../sdk/src/index.ts";
import { QUERY_URL, as, control, launch, signIn } from "./browser.ts";

let browser: Browser;
before(async () => {
  browser = await launch();
});
after(() => browser.close());

test("an operator finds a dead letter, sees what its redrive would change, and redrives it", async () => {
  await control("lay-letter");
  const olga = await signIn(browser, "Olga", "/console/");
  await olga.page.getByRole("navigation").getByRole("link", { name: "Dead letters" }).click();
  await olga.page.getByRole("link", { name: "INVALID_JSON" }).first().click();
  const list = olga.page.getByRole("region", { name: "Open ones", exact: true });
  await list.getByRole("link", { name: "INVALID_JSON" }).click();
  await olga.page.waitForURL(/\/dead-letters\/[0-9a-f-]{36}$/);
  await olga.sees("of another release");
  const letter = olga.page.url();

  await olga.press(/^Preview a redrive…$/);
  await olga.fill("Reason", "To see what it would do.");
  await olga.sees(/projector dlq redrive --preview --id [0-9a-f-]{36}$/);
  await olga.isAccessible("asking for a preview");
  await olga.page.locator("form").getByRole("button", { name: "Preview a redrive" }).click();
  await olga.page.getByRole("heading", { name: "What a redrive would change" }).waitFor();
  await olga.page.getByRole("rowheader", { name: "bonus.ledger" }).waitFor();
  await olga.isAccessible("a preview");
  await olga.picture("console-preview");

  await olga.page.goto(letter);
  await olga.press(/^Redrive…$/);
  await olga.fill("Reason", "It's the release that reads it.");
  await olga.sees(/projector dlq redrive --id [0-9a-f-]{36} --operator [0-9a-f-]{36} --reason/);
  await olga.sees(String.raw`--reason 'It'\''s the release that reads it.'`);
  await olga.picture("console-redrive");
  await olga.page.locator("form").getByRole("button", { name: "Redrive", exact: true }).click();
  await olga.page.getByRole("status").getByText("done").waitFor();
  await olga.sees("1 were handled");
  await olga.isAccessible("an act that is done");
  await olga.picture("console-act");

  const operator = await as("Olga");
  const path = { id: new URL(letter).pathname.split("/").at(-1) ?? "" };
  assert.equal(dataOf(await operator.readDeadLetter({ path })).state, "closed");
  await olga.page.getByRole("navigation").getByRole("link", { name: "Acts" }).click();
  await olga.page.getByRole("link", { name: "Preview a redrive" }).waitFor();
  await olga.sees("It's the release that reads it.");
  await olga.isAccessible("the acts");
  await olga.picture("console-acts-done");
  olga.isContent();
});

test("an act is refused by the rules in the words of the command line", async () => {
  const olga = await signIn(browser, "Olga", "/console/projections");
  await olga.press("Back to the version before: workshops…");
  await olga.fill("Reason", "To try.");
  await olga.page.locator("form").getByRole("button", { name: "Back to the version before" }).click();
  await olga.page.getByRole("status").getByText("refused").waitFor();
  await olga.sees(/no other version of workshops is kept/);
  olga.isContent();
});

test("a read model is rebuilt from the page, which then shows what its check found", async () => {
  const olga = await signIn(browser, "Olga", "/console/projections");
  const orders = olga.page.getByRole("region", { name: "orders", exact: true });
  await orders.getByText("not verified").waitFor();
  await olga.press("Rebuild: orders…");
  await olga.fill("Reason", "To prove it.");
  await olga.page.locator("form").getByRole("button", { name: "Rebuild", exact: true }).click();
  await olga.page.getByRole("status").getByText("done").waitFor();
  await olga.page.goto(`${QUERY_URL}/console/projections`);
  await orders.getByText("verified", { exact: true }).waitFor();
  await orders.getByText("orders@1 and orders@2 are equal").click();
  await orders.getByRole("rowheader", { name: "timeline" }).waitFor();
  await orders.getByText("Another version is kept: orders@1").waitFor();
  await olga.isAccessible("a certificate");
  await olga.picture("console-projections-verified");

  const ana = await signIn(browser, "Ana", "/console/projections");
  await ana.page.getByRole("region", { name: "orders", exact: true }).getByText("verified", { exact: true }).waitFor();
  assert.equal(await ana.page.getByRole("button", { name: /Rebuild/ }).count(), 0);
  olga.isContent();
  ana.isContent();
});
