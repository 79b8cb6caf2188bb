// What an operation takes and how it may end, derived from the generated types.

import type { components as CommandComponents, operations as Commands } from "./generated/command-api.ts";
import type { components as QueryComponents, operations as Queries } from "./generated/query-api.ts";
import type { OPERATIONS } from "./generated/operations.ts";

type Table = typeof OPERATIONS;
type Operations = Commands & Queries;
/** Every schema of both documents, by its name there. */
export type Schemas = CommandComponents["schemas"] & QueryComponents["schemas"];

/** The name of an operation, such as `placeOrder`. */
export type Name = keyof Table;
/** The name of an operation that changes something. */
export type CommandName = { [N in Name]: Table[N]["api"] extends "command" ? N : never }[Name];
/** An operation as the documents describe it. */
type Described<N extends Name> = Operations[Table[N]["id"]];

/** Makes one type out of several that would each be shown by itself. */
type Simplify<T> = { [K in keyof T]: T[K] };
type Part<N extends Name, K extends "path" | "query"> = Described<N>["parameters"] extends {
  [P in K]?: infer T;
}
  ? NonNullable<T>
  : never;

type PathOf<N extends Name> = [Part<N, "path">] extends [never] ? {} : { path: Part<N, "path"> };
type QueryOf<N extends Name> = [Part<N, "query">] extends [never] ? {} : { query?: Part<N, "query"> };
type BodyOf<N extends Name> = Described<N> extends { requestBody: { content: { "application/json": infer B } } }
  ? { body: B }
  : Described<N> extends { requestBody?: { content: { "application/json": infer B } } }
    ? { body?: B }
    : {};

/** What any call may be given beside what its operation takes. */
export interface Always {
  /** Ends the call: it is then rejected with the signal's reason. */
  signal?: AbortSignal;
}

/** What a command may be given. */
export interface OfCommands extends Always {
  /** The version that the order must be at, as `ETag` gave it; without it the command is decided on
   * whatever version there is. */
  ifMatch?: string;
  /** Makes a repeat of the command harmless. Each call makes one of its own unless it is given. */
  idempotencyKey?: string;
}

/** What a read may be given. */
export interface OfReads extends Always {
  /** The version that the caller has: the answer may be a 304 without data. */
  ifNoneMatch?: string;
  /** What the answer must contain, in the place of what this client wrote last. */
  minPosition?: string;
}

/** What an operation is called with. */
export type Input<N extends Name> = Simplify<
  PathOf<N> & QueryOf<N> & BodyOf<N> & (N extends CommandName ? OfCommands : OfReads)
>;

/** Headers of an answer that a client can do something with. Instants, versions and positions stay
 * the text that they were sent as. */
export interface AnswerHeaders {
  /** The version, for `ifMatch`. */
  etag: string | undefined;
  /** How far the read model has come that the answer was read from. */
  position: string | undefined;
  /** How old that read model is, in seconds. */
  lagSeconds: number | undefined;
  /** Where what was made can be read. */
  location: string | undefined;
  /** Whether this is the first answer to the same key again. */
  replayed: boolean;
}

type SuccessStatus = 200 | 201 | 304;
type Json<R> = R extends { content: { "application/json": infer T } } ? T : undefined;

/** An operation that did what it should. */
export type Answer<N extends Name> = {
  [S in keyof Described<N>["responses"] & SuccessStatus]: {
    ok: true;
    status: S;
    data: Json<Described<N>["responses"][S]>;
    headers: AnswerHeaders;
  };
}[keyof Described<N>["responses"] & SuccessStatus];

/** What a problem with this code says. */
export type ProblemOf<C extends string> = `Problem_${C}` extends keyof Schemas
  ? Schemas[`Problem_${C}`]
  : Schemas["Problem"] & { code: C };

type Refusals<N extends Name> = Table[N]["refusals"];
type Codes<N extends Name, S extends keyof Refusals<N>> = Refusals<N>[S] extends readonly (infer C)[]
  ? C & string
  : never;
type WithStatus<S> = S extends number ? S : S extends `${infer D extends number}` ? D : never;

/** An operation that was refused, by a code that its description has. */
export type Refused<N extends Name> = {
  [S in keyof Refusals<N>]: {
    [C in Codes<N, S>]: { ok: false; status: WithStatus<S>; code: C; problem: ProblemOf<C> };
  }[Codes<N, S>];
}[keyof Refusals<N>];

/** An answer that this client was not made for: another code, or none. */
export interface Unknown {
  ok: false;
  /** What HTTP says. */
  status: number;
  code: "unknown";
  /** What was answered: JSON if it is, else text. */
  problem: unknown;
}

/** No answer came, after as many tries as were safe. */
export interface Unanswered {
  ok: false;
  status: 0;
  code: "unanswered";
  /** What the last try failed with. */
  problem: unknown;
}

/** How a call ended. `ok`, `status` and `code` narrow it. */
export type Result<N extends Name> = Answer<N> | Refused<N> | Unknown | Unanswered;

/** Every operation as a method. */
export type Methods = {
  [N in Name]: {} extends Input<N>
    ? (input?: Input<N>) => Promise<Result<N>>
    : (input: Input<N>) => Promise<Result<N>>;
};
