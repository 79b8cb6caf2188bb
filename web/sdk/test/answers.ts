// A server made of prepared answers, in the place of `fetch`.

import { createClient, type Atlas, type Options } from "../src/index.ts";

/** A request as it was sent. */
export interface Sent {
  method: string;
  url: URL;
  headers: Headers;
  body: string | undefined;
}

type Prepared = Response | Error | ((sent: Sent) => Response | Promise<Response>);

/** A client that gets these answers, one after the other, and what it sent for them. */
export function clientWith(answers: Prepared[], options: Partial<Options> = {}) {
  const sent: Sent[] = [];
  const left = [...answers];
  const atlas: Atlas = createClient({
    commandUrl: "http://command.test/",
    queryUrl: "http://query.test",
    token: () => "token",
    retries: { firstPauseMs: 1 },
    fetch: async (input, init) => {
      const body = typeof init?.body === "string" ? init.body : undefined;
      const request: Sent = {
        method: init?.method ?? "GET",
        url: new URL(String(input)),
        headers: new Headers(init?.headers),
        body,
      };
      sent.push(request);
      const answer = left.shift();
      if (answer === undefined) throw new TypeError("nobody answers any more");
      if (answer instanceof Error) throw answer;
      return typeof answer === "function" ? answer(request) : answer;
    },
    ...options,
  });
  return { atlas, sent, left };
}

/** An answer in JSON. */
export function json(status: number, body: unknown, headers: Record<string, string> = {}) {
  return new Response(JSON.stringify(body), { status, headers });
}

/** A problem as the APIs answer it. */
export function problem(status: number, code: string, more: Record<string, unknown> = {}) {
  return json(status, { status, code, retryable: false, detail: "as prepared", ...more });
}

/** What a command is answered with. */
export function accepted(position: string) {
  return json(200, { orderId: ID, version: 2, state: "negotiating", position });
}

/** The id of an order that nobody placed. */
export const ID = "01938f5e-7c00-7000-8000-000000000001";
