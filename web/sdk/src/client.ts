// Calls: one method an operation, each a result and never a surprise.

import { OPERATIONS } from "./generated/operations.ts";
import { RETRIES, pause, pauseAfter, type Retries } from "./retries.ts";
import { Follower, type Follow } from "./follow.ts";
import type { AnswerHeaders, Methods, Name } from "./types.ts";
import { Written } from "./written.ts";

/** What a client needs. */
export interface Options {
  /** Where the command API is, such as `http://127.0.0.1:8080`. */
  commandUrl: string;
  /** Where the query API is. */
  queryUrl: string;
  /** Gives the bearer token for the next request. */
  token: () => string | Promise<string>;
  /** Whether reads wait for what this client wrote last; they do unless this is false. */
  readYourWrites?: boolean;
  /** How often and how long a call is tried. */
  retries?: Partial<Retries>;
  /** What sends requests, in the place of the platform's `fetch`. */
  fetch?: typeof fetch;
}

/** Both APIs: a method for each operation, and `follow` for those that can be followed live. */
export type Atlas = Methods & { follow: Follow };

/** One operation of the table. */
interface Operation {
  api: "command" | "query";
  method: string;
  path: string;
  refusals: Readonly<Record<string, readonly string[]>>;
}

/** What any operation may be called with. */
interface AnyInput {
  path?: Record<string, string | number>;
  query?: Record<string, unknown>;
  body?: unknown;
  ifMatch?: string;
  ifNoneMatch?: string;
  idempotencyKey?: string;
  minPosition?: string;
  signal?: AbortSignal;
}

interface AnyResult {
  ok: boolean;
  status: number;
  code?: string;
  problem?: unknown;
  data?: unknown;
  headers?: AnswerHeaders;
}

/** A request that can be sent. */
interface Prepared {
  url: string;
  request: RequestInit;
}

/** A try, and what it says about another one. */
interface Try {
  result: AnyResult;
  retryAfterMs: number | undefined;
}

/** A client of both APIs. */
export function createClient(options: Options): Atlas {
  const calls = new Calls(options);
  const methods = Object.entries(OPERATIONS).map(([name, operation]) => {
    return [name, (input: AnyInput = {}) => calls.call(operation, input)];
  });
  const follower = new Follower((name, input, headers, signal) => {
    const operation: Operation = OPERATIONS[name as Name];
    return calls.send(operation, input as AnyInput, headers, signal);
  });
  return Object.assign(Object.fromEntries(methods), { follow: follower.methods() });
}

class Calls {
  readonly #options: Options;
  readonly #retries: Retries;
  readonly #written = new Written();

  constructor(options: Options) {
    this.#options = options;
    this.#retries = { ...RETRIES, ...options.retries };
  }

  call(operation: Operation, input: AnyInput): Promise<AnyResult> {
    return operation.api === "command" ? this.#command(operation, input) : this.#read(operation, input);
  }

  async #command(operation: Operation, input: AnyInput): Promise<AnyResult> {
    // Made once, and sent with each try: a lost answer is no second effect.
    const headers = { "idempotency-key": input.idempotencyKey ?? crypto.randomUUID() };
    const answered = this.#written.begin();
    const result = await this.#try(operation, input, headers);
    const position = (result.data as { position?: unknown } | undefined)?.position;
    if (result.ok && typeof position === "string") answered(position);
    return result;
  }

  async #read(operation: Operation, input: AnyInput): Promise<AnyResult> {
    if (input.minPosition !== undefined) {
      return this.#try(operation, input, { "atlas-min-position": input.minPosition });
    }
    const positions = this.#options.readYourWrites === false ? [] : this.#written.positions;
    for (const [index, position] of positions.entries()) {
      const result = await this.#try(operation, input, { "atlas-min-position": position });
      if (result.code === "POSITION_FOREIGN") {
        this.#written.forget();
        break;
      }
      if (!result.ok || index === positions.length - 1) return result;
    }
    return this.#try(operation, input, {});
  }

  async #try(
    operation: Operation,
    input: AnyInput,
    headers: Record<string, string>,
  ): Promise<AnyResult> {
    for (let tried = 1; ; tried += 1) {
      const { result, retryAfterMs } = await this.#once(operation, input, headers);
      if (result.ok) return result;
      const problem = isObject(result.problem) ? result.problem : undefined;
      const failed = { status: result.status, problem, retryAfterMs, repeatable: true };
      const milliseconds = pauseAfter(failed, tried, this.#retries);
      if (milliseconds === undefined) return result;
      await pause(milliseconds, input.signal);
    }
  }

  async #once(operation: Operation, input: AnyInput, headers: Record<string, string>): Promise<Try> {
    const request = await this.#request(operation, input, headers, input.signal);
    try {
      const response = await this.#fetch(request);
      return { result: await read(operation, response), retryAfterMs: retryAfter(response) };
    } catch (problem) {
      if (input.signal?.aborted) throw input.signal.reason;
      const result = { ok: false, status: 0, code: "unanswered", problem };
      return { result, retryAfterMs: undefined };
    }
  }

  /** Sends a request once, and returns the answer before its body has come; undefined if none
   * came. */
  async send(
    operation: Operation,
    input: AnyInput,
    headers: Record<string, string>,
    signal: AbortSignal,
  ): Promise<Response | undefined> {
    const request = await this.#request(operation, input, headers, signal);
    return this.#fetch(request).catch(() => undefined);
  }

  /** What is to be sent. That it cannot be had, for want of a token or of a part of the path, is the
   * caller's to know, and no failed try. */
  async #request(
    operation: Operation,
    input: AnyInput,
    more: Record<string, string>,
    signal: AbortSignal | undefined,
  ): Promise<Prepared> {
    const token = await this.#options.token();
    const { commandUrl, queryUrl } = this.#options;
    const root = operation.api === "command" ? commandUrl : queryUrl;
    const headers: Record<string, string> = {
      accept: "application/json, application/problem+json",
      authorization: `Bearer ${token}`,
      // What is not understood is refused, not passed over.
      prefer: "handling=strict",
      ...more,
    };
    const request: RequestInit = { method: operation.method, headers };
    if (signal !== undefined) request.signal = signal;
    // The position that is waited for is no part of what browsers may keep an answer under.
    request.cache = "no-store";
    if (input.ifMatch !== undefined) headers["if-match"] = input.ifMatch;
    if (input.ifNoneMatch !== undefined) headers["if-none-match"] = input.ifNoneMatch;
    if (operation.method !== "GET") {
      headers["content-type"] = "application/json";
      request.body = JSON.stringify(input.body ?? {});
    }
    return { url: root.replace(/\/$/, "") + address(operation.path, input), request };
  }

  async #fetch({ url, request }: Prepared): Promise<Response> {
    const send = this.#options.fetch ?? fetch;
    return send(url, request);
  }
}

/** The path with its parameters, and the query. */
function address(template: string, { path = {}, query = {} }: AnyInput): string {
  const filled = template.replace(/\{(\w+)\}/g, (_, name: string) => {
    const value = path[name];
    if (value === undefined || value === "") throw new TypeError(`the path wants ${name}`);
    return encodeURIComponent(value);
  });
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== null);
  if (given.length === 0) return filled;
  return `${filled}?${new URLSearchParams(given.map(([name, value]) => [name, String(value)]))}`;
}

async function read(operation: Operation, response: Response): Promise<AnyResult> {
  const { status } = response;
  const text = await response.text();
  if (response.ok || status === 304) {
    const data = text === "" ? undefined : JSON.parse(text);
    return { ok: true, status, data, headers: answerHeaders(response.headers) };
  }
  const problem = parsed(text);
  const code = isObject(problem) ? problem["code"] : undefined;
  const known = operation.refusals[status]?.includes(code as string);
  return { ok: false, status, code: known ? (code as string) : "unknown", problem };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

function answerHeaders(headers: Headers): AnswerHeaders {
  const lag = headers.get("atlas-lag-seconds");
  return {
    etag: headers.get("etag") ?? undefined,
    position: headers.get("atlas-position") ?? undefined,
    lagSeconds: lag === null ? undefined : Number(lag),
    location: headers.get("location") ?? undefined,
    replayed: headers.get("idempotency-replayed") === "true",
  };
}

function retryAfter(response: Response): number | undefined {
  const seconds = response.headers.get("retry-after");
  return seconds !== null && /^\d+$/.test(seconds) ? Number(seconds) * 1_000 : undefined;
}
