// People with tokens, and orders in any state, at running services that the environment names.

import { createHmac, randomUUID } from "node:crypto";
import { createClient, dataOf, type Atlas, type Options } from "../../src/index.ts";

export type Role = "commissioner" | "workshop" | "operator" | "analyst";

export const COMMAND_URL = variable("ATLAS_SDK_COMMAND_URL");
export const QUERY_URL = variable("ATLAS_SDK_QUERY_URL");
const SECRET = variable("ATLAS_JWT_SECRET");
const DEADLINE = "2099-05-01T12:00:00Z";

/** What anybody asks for and offers. */
export const REQUEST = {
  title: "Oak dining table",
  brief: "For eight people, oiled.",
  budget: { amount: "1250.00", currency: "EUR" },
  deadline: DEADLINE,
};
export const OFFER = {
  budget: { amount: "1180.00", currency: "EUR" },
  deadline: DEADLINE,
  description: "Solid oak.",
  stages: [
    { name: "Drawing", description: "To scale.", requiresApproval: true },
    { name: "Table", description: "Built." },
  ],
};

/** Somebody with a token. */
export interface Person {
  id: string;
  role: Role;
  atlas: Atlas;
}

/** Somebody new. */
export function person(role: Role, options: Partial<Options> = {}): Person {
  const id = randomUUID();
  return { id, role, atlas: clientOf(tokenOf(role, id), options) };
}

/** A client that shows this token. */
export function clientOf(token: string, options: Partial<Options> = {}): Atlas {
  const retries = { tries: 1 };
  return createClient({
    commandUrl: COMMAND_URL,
    queryUrl: QUERY_URL,
    token: () => token,
    retries,
    ...options,
  });
}

/** A token for somebody. */
export function tokenOf(role: Role, sub: string): string {
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const exp = Math.floor(Date.now() / 1_000) + 3_600;
  const claims = { sub, role, iss: "artisan-atlas", aud: "artisan-atlas", exp };
  const message = `${part({ alg: "HS256", typ: "JWT" })}.${part(claims)}`;
  return `${message}.${createHmac("sha256", SECRET).update(message).digest("base64url")}`;
}

function variable(name: string): string {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set: these tests want running services`);
  return value;
}

/** Two workshops of the directory, one that takes no commissions, and those who deal with them. */
export class Scene {
  readonly operator = person("operator");
  readonly commissioner = person("commissioner");
  readonly analyst = person("analyst");
  readonly first = person("workshop");
  readonly second = person("workshop");
  readonly closed = person("workshop");

  static async set(): Promise<Scene> {
    const scene = new Scene();
    for (const workshop of [scene.first, scene.second, scene.closed]) {
      const body = { name: "Oak & Iron", acceptsCommissions: workshop !== scene.closed };
      dataOf(await scene.operator.atlas.putWorkshop({ path: { id: workshop.id }, body }));
    }
    return scene;
  }

  /** An order in negotiation with the first workshop. */
  async placed(): Promise<string> {
    const body = { request: REQUEST, workshops: [this.first.id] };
    return dataOf(await this.commissioner.atlas.placeOrder({ body })).orderId;
  }

  /** The path of an order's seat of the first workshop. */
  seat(id: string) {
    return { path: { id, workshopId: this.first.id } };
  }

  /** An order with a standing offer. */
  async offered(): Promise<string> {
    const id = await this.placed();
    dataOf(await this.first.atlas.submitOffer({ ...this.seat(id), body: OFFER }));
    return id;
  }

  /** An order in progress, at its first stage. */
  async confirmed(): Promise<string> {
    const id = await this.offered();
    dataOf(await this.commissioner.atlas.confirmOffer(this.seat(id)));
    return id;
  }

  /** An order that waits for an approval. */
  async awaiting(): Promise<string> {
    const id = await this.confirmed();
    dataOf(await this.first.atlas.completeStage({ path: { id, number: 1 } }));
    return id;
  }

  /** An order that is finished. */
  async finished(): Promise<string> {
    const id = await this.awaiting();
    dataOf(await this.commissioner.atlas.approveStage({ path: { id, number: 1 } }));
    dataOf(await this.first.atlas.completeStage({ path: { id, number: 2 } }));
    return id;
  }

  /** An order that is disputed. */
  async disputed(): Promise<string> {
    const id = await this.confirmed();
    const body = { reason: "It is late." };
    dataOf(await this.commissioner.atlas.cancelOrder({ path: { id }, body }));
    return id;
  }

  /** An order that is cancelled. */
  async cancelled(): Promise<string> {
    const id = await this.placed();
    const body = { reason: "No need." };
    dataOf(await this.commissioner.atlas.cancelOrder({ path: { id }, body }));
    return id;
  }
}
