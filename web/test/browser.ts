// Browsers of people who are signed in, and what each of them must never see.

import assert from "node:assert/strict";
import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { chromium, type Browser, type BrowserContext, type Page } from "playwright-core";
import { createClient, dataOf, type Atlas } from "../sdk/src/index.ts";

/** Where everything is, as the scenario says that runs these tests. */
export const QUERY_URL = variable("ATLAS_SDK_QUERY_URL");
export const COMMAND_URL = variable("ATLAS_SDK_COMMAND_URL");
export const ISSUER = variable("ATLAS_PAGES_ISSUER");
/** What around these tests stops and starts services. */
const CONTROL_URL = variable("ATLAS_PAGES_CONTROL");
/** The people of the issuer, by name. */
export const PEOPLE = JSON.parse(variable("ATLAS_PAGES_PEOPLE")) as Record<string, { sub: string; role: string }>;

/** Where the pictures of the pages go. */
const PICTURES = new URL("../../target/atlas/pictures/", import.meta.url).pathname;
const WIDTHS = [360, 800, 1440];
/** Text that wants to be more than text. */
export const STRANGE = "<img src=x onerror=alert(1)> \u202Eesrever\u202C <script>alert(1)</script>";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
/** How soon what somebody did is seen by others on a machine that is busy with more, in milliseconds. */
export const SEEN_WITHIN = 60_000;

/** Asks the scenario around these tests to do something to the services. */
export async function control(
  what: "stop-query" | "start-query" | "lay-letter" | "lay-letters" | "clear-letters",
): Promise<void> {
  const answer = await fetch(`${CONTROL_URL}/${what}`, { method: "POST" });
  assert.equal(answer.status, 204, what);
}

/** Debian's Chromium. */
export function launch(): Promise<Browser> {
  return chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox"] });
}

/** A token of the issuer, good until then, by the clock in seconds. */
export async function sign(name: string, exp = Math.floor(Date.now() / 1_000) + 3_600): Promise<string> {
  const claims = { ...PEOPLE[name], name, iss: ISSUER, aud: "artisan-atlas", exp };
  const headers = { "content-type": "application/json" };
  const answer = await fetch(`${ISSUER}/sign`, { method: "POST", headers, body: JSON.stringify(claims) });
  return answer.text();
}

/** Somebody's client, with a token of the issuer. */
export async function as(name: string): Promise<Atlas> {
  const token = await sign(name);
  return createClient({ commandUrl: COMMAND_URL, queryUrl: QUERY_URL, token: () => token });
}

/** The id of somebody of the issuer. */
export function idOf(name: string): string {
  return PEOPLE[name]?.sub ?? "";
}

/** The workshops of these tests, in the directory. */
export async function listWorkshops(): Promise<void> {
  const operator = await as("Olga");
  for (const name of ["Oak & Iron", "Brass Lantern"]) {
    const body = { name, acceptsCommissions: true };
    dataOf(await operator.putWorkshop({ path: { id: idOf(name) }, body }));
  }
}

/** Somebody in a browser of their own, at a page, signed in. */
export async function signIn(
  browser: Browser,
  name: string,
  path: string,
  timezoneId = "Europe/Vienna",
): Promise<Person> {
  return signInAt(await browser.newContext({ timezoneId }), name, path);
}

/** The same in a browser that there is already. */
export async function signInAt(context: BrowserContext, name: string, path: string): Promise<Person> {
  const page = await context.newPage();
  const person = new Person(page);
  await page.goto(`${QUERY_URL}${path}`);
  await page.getByRole("button", { name: "Sign in", exact: true }).click();
  await page.getByRole("link", { name }).click();
  await signedIn(page, path);
  return person;
}

/** One more tab of a browser in which somebody is signed in. */
export async function anotherTab(context: BrowserContext, path: string): Promise<Person> {
  const page = await context.newPage();
  const person = new Person(page);
  await page.goto(`${QUERY_URL}${path}`);
  await signedIn(page, path);
  return person;
}

/** Back from the issuer a page begins at its home, and goes on where it was from there. */
async function signedIn(page: Page, path: string): Promise<void> {
  await page.getByRole("button", { name: "Sign out" }).waitFor();
  await page.waitForURL(`${QUERY_URL}${path}`);
}

/** Somebody at a page. */
export class Person {
  readonly page: Page;
  readonly #complaints: string[] = [];

  constructor(page: Page) {
    this.page = page;
    page.setDefaultTimeout(SEEN_WITHIN);
    const ours = [QUERY_URL, COMMAND_URL, ISSUER].map((url) => new URL(url).origin);
    page.on("request", (request) => {
      const { origin } = new URL(request.url());
      if (!ours.includes(origin)) this.#complaints.push(`a request to ${request.url()}`);
    });
    page.on("pageerror", (error) => this.#complaints.push(`an error: ${error.message}`));
    page.on("console", (message) => {
      const text = message.text();
      if (/Content Security Policy|TrustedHTML/i.test(text)) this.#complaints.push(text);
    });
  }

  /** A button of this name. */
  press(name: string | RegExp) {
    return this.page.getByRole("button", { name }).click();
  }

  /** Fills in a field. */
  fill(label: string | RegExp, value: string) {
    return this.page.getByLabel(label).first().fill(value);
  }

  /** Waits until a text is shown; where it is not, says what is. */
  async sees(text: string | RegExp) {
    try {
      await this.page.getByText(text).first().waitFor({ timeout: SEEN_WITHIN });
    } catch (cause) {
      const shown = await this.page.locator("body").innerText();
      throw new Error(`${this.page.url()} does not show ${text}, but:\n${shown}`, { cause });
    }
  }

  /** Nothing on the page keeps people with disabilities out, in light and in dark. */
  async isAccessible(where: string) {
    for (const colorScheme of ["light", "dark"] as const) {
      await this.page.emulateMedia({ colorScheme });
      await this.page.evaluate(AXE_LOADED) || await this.#inject();
      const findings = (await this.page.evaluate(RUN_AXE)) as string[];
      assert.deepEqual(findings, [], `${where}, ${colorScheme}`);
    }
  }

  /** The test is no part of the page: its script comes past the policy. */
  async #inject() {
    const session = await this.page.context().newCDPSession(this.page);
    await session.send("Runtime.evaluate", { expression: AXE });
    await session.detach();
  }

  /** The page in the three widths, none of which it is wider than. */
  async picture(name: string) {
    mkdirSync(PICTURES, { recursive: true });
    await this.page.emulateMedia({ colorScheme: "light" });
    for (const width of WIDTHS) {
      await this.page.setViewportSize({ width, height: 900 });
      const wide = await this.page.evaluate("document.documentElement.scrollWidth > innerWidth");
      assert.equal(wide, false, `${name} is wider than ${width} px`);
      await this.page.screenshot({ path: join(PICTURES, `${name}-${width}.png`), fullPage: true });
    }
  }

  /** Nothing was asked of strangers, refused by the policy, or broken. */
  isContent() {
    assert.deepEqual(this.#complaints, []);
  }
}

const AXE_LOADED = `typeof axe !== "undefined"`;
const RUN_AXE = `axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"] })
  .then(({ violations }) => violations.map(({ id, nodes }) => id + ": " + nodes.map((node) => node.html).join(" ")))`;

function variable(name: string): string {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set: these tests want running services`);
  return value;
}
