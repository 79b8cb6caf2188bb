// Both APIs of Artisan Atlas for browsers and Node.
//
// Start at `createClient`: a method for each operation, which ends in a result that `ok`, `status`
// and `code` narrow. Deliberately absent: rules of the domain, classes for what was answered, and
// any package from outside.

export { createClient, type Atlas, type Options } from "./client.ts";
export { EventStreamParser, type Frame } from "./event-stream.ts";
export type { Change, Follow, FollowInput, Followed, From, ItemOf } from "./follow.ts";
export { each } from "./list.ts";
export { RefusedError, dataOf, match, unhandled, type Refusals } from "./outcome.ts";
export { RETRIES, type Retries } from "./retries.ts";
export type {
  Answer,
  AnswerHeaders,
  CommandName,
  Input,
  Methods,
  Name,
  ProblemOf,
  Refused,
  Result,
  Schemas,
  Unanswered,
  Unknown,
} from "./types.ts";
