// Giving a command that the situation names: which call it is, from its name and path.

import type { Atlas } from "@artisan-atlas/sdk";

/** A command as the situation has it. */
export interface Possible {
  command: string;
  path: string;
  allowed: boolean;
  code: string | null;
  detail: string | null;
}

/** What people filled in. */
export interface Filled {
  reason?: string;
  note?: string;
  resolution?: string;
  workshops?: string[];
  offerRevision?: number;
  request?: Parameters<Atlas["editRequest"]>[0]["body"];
  offer?: Parameters<Atlas["submitOffer"]>[0]["body"];
}

/** Gives it on the version that the person saw when they began. A command that came later is none of ours. */
export async function give(atlas: Atlas, possible: Possible, filled: Filled, version: number) {
  const [, , , id = "", , part = ""] = possible.path.split("/");
  const ifMatch = `"${version}"`;
  const order = { path: { id }, ifMatch };
  const seat = { path: { id, workshopId: part }, ifMatch };
  const stage = { path: { id, number: Number(part) }, ifMatch };
  const reason = filled.reason ? { reason: filled.reason } : {};
  switch (possible.command) {
    case "EditRequest":
      return atlas.editRequest({ ...order, body: filled.request ?? {} });
    case "InviteWorkshops":
      return atlas.inviteWorkshops({ ...order, body: { workshops: filled.workshops ?? [] } });
    case "SubmitOffer":
    case "ReviseOffer":
      return filled.offer && atlas.submitOffer({ ...seat, body: filled.offer });
    case "WithdrawOffer":
      return atlas.withdrawOffer({ ...seat, body: reason });
    case "DeclineInvitation":
      return atlas.declineInvitation({ ...seat, body: reason });
    case "ConfirmOffer": {
      const { offerRevision } = filled;
      return atlas.confirmOffer({ ...seat, body: offerRevision === undefined ? {} : { offerRevision } });
    }
    case "CompleteStage":
      return atlas.completeStage(stage);
    case "ApproveStage":
      return atlas.approveStage(stage);
    case "RequestStageChanges":
      return atlas.requestStageChanges({ ...stage, body: { note: filled.note ?? "" } });
    case "AcceptWork":
      return atlas.acceptWork(order);
    case "CancelOrder":
      return atlas.cancelOrder({ ...order, body: { reason: filled.reason ?? "" } });
    default:
      return undefined;
  }
}

/** Whether this page has a way to give it. */
export function isOurs(command: string): boolean {
  return command !== "ResolveDispute" && command !== "PlaceOrder" && !command.includes(" ");
}

/** Commands that are given without more words. */
export const WITHOUT_FORM = new Set(["ConfirmOffer", "CompleteStage", "ApproveStage", "AcceptWork"]);

/** Commands by which a commission gets on: their buttons stand out. */
export const MOVES_ON = new Set([...WITHOUT_FORM, "SubmitOffer"]);
