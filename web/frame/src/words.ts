// Every word that people read, in one file. Nothing here decides anything: what can be done comes
// from the API, and these are its names.

export const WORDS = {
  title: { market: "Artisan Atlas", console: "Artisan Atlas console" },
  signIn: "Sign in",
  signOut: "Sign out",
  otherPerson: "Sign in as somebody else",
  signedOut: "You are not signed in.",
  noIssuer: "Nobody can sign in here: this system trusts a secret of development. Start it with an issuer, by cargo xtask up --issuer.",
  wrongRole: "This page has nothing for your role.",
  loading: "Loading…",
  unknown: "Unknown: it could not be read.",
  tryAgain: "Try again",
  more: "There are more than are shown here.",
  moved: "The order has moved since you opened this, and what you send would be refused. What you typed stays.",
  goOn: "Go on from the order as it is now",
  refreshed: "as of",
  live: "live",
  notLive: "not live: read again every few seconds",
  zone: "Times are in",
  skip: "To the content",
  menu: "Pages",
  cancelForm: "Not now",
  reason: "Reason",
  note: "Note",
  optional: "optional",
} as const;

/** States of an order. */
const STATES: Record<string, string> = {
  negotiating: "in negotiation",
  inProgress: "in progress",
  finished: "finished, to be accepted",
  disputed: "disputed",
  completed: "completed",
  cancelled: "cancelled",
};

/** States of a seat. */
const SEATS: Record<string, string> = {
  pending: "has not answered",
  offered: "has made an offer",
  confirmed: "confirmed",
  declined: "declined",
  withdrawn: "withdrew its offer",
  notSelected: "not selected",
};

/** States of a stage. */
const STAGES: Record<string, string> = {
  pending: "to do",
  awaitingApproval: "waits for approval",
  completed: "completed",
};

/** What a command is called on its button, and what comes of it. */
export const COMMANDS: Record<string, { label: string; about: string }> = {
  EditRequest: { label: "Change the request", about: "Offers made before are outdated until their workshops affirm them." },
  InviteWorkshops: { label: "Invite workshops", about: "They may make offers, or decline." },
  SubmitOffer: { label: "Make an offer", about: "The commissioner can confirm it until its deadline." },
  ReviseOffer: { label: "Revise the offer", about: "The revised offer takes the place of the one that stands." },
  WithdrawOffer: { label: "Withdraw the offer", about: "It can no longer be confirmed." },
  DeclineInvitation: { label: "Decline", about: "The commissioner is told; you may be invited again." },
  ConfirmOffer: { label: "Confirm this offer", about: "Its terms become the agreed ones, and the other workshops are told that they were not selected." },
  CompleteStage: { label: "Mark as complete", about: "If the stage wants approval, work goes on after it is given." },
  ApproveStage: { label: "Approve", about: "Work goes on with the next stage." },
  RequestStageChanges: { label: "Ask for changes", about: "The stage is to do again, with your note." },
  AcceptWork: { label: "Accept the work", about: "The commission is complete." },
  CancelOrder: { label: "Cancel", about: "In negotiation this ends the order. Once an offer is confirmed it opens a dispute, which an operator resolves: work rests until then." },
  ResolveDispute: { label: "Resolve the dispute", about: "The order goes on where it was, is cancelled, or is completed as it stands." },
};

/** Codes of refusals, as sentences that stand before the API's own detail. */
const REFUSALS: Record<string, string> = {
  unanswered: "No answer came. Nothing is known to have changed; looking again shows it.",
  unknown: "The answer was not understood.",
  VERSION_MISMATCH: "The order has moved since you looked. What changed is below; please look again.",
  CONCURRENT_MODIFICATION: "Others changed the order at the same time; please look again.",
  UNAUTHENTICATED: "Your sign-in has ended.",
  RATE_LIMITED: "That was too often; please wait a moment.",
  NOT_FOUND: "There is no such thing, or nothing that you may see.",
};

const ROLES: Record<string, string> = {
  commissioner: "commissioner",
  workshop: "workshop",
  operator: "operator",
  analyst: "analyst",
};

/** A word of the API as people read it; one that came later stands as it is. */
export const say = {
  state: (word: string) => STATES[word] ?? word,
  seat: (word: string) => SEATS[word] ?? word,
  stage: (word: string) => STAGES[word] ?? word,
  role: (word: string) => ROLES[word] ?? word,
  command: (word: string) => COMMANDS[word] ?? { label: word, about: "" },
  refusal: (code: string) => REFUSALS[code] ?? "This is not possible now.",
};

export const MARKET = {
  order: "Order",
  orders: "Orders",
  inbox: "Invitations",
  newOrder: "Place an order",
  account: "Points",
  yourTurn: "Your turn",
  othersTurn: "Waiting for others",
  done: "Done",
  nothingWaits: "Nothing waits for you.",
  noOrders: "No orders yet.",
  noInvitations: "No invitations yet.",
  request: "Request",
  budget: "Budget",
  currency: "Currency",
  deadline: "Deadline",
  brief: "What you want",
  titleOf: "Title",
  workshops: "Workshops to invite",
  place: "Place the order",
  placed: "Placed",
  offers: "Offers",
  noOffers: "No offer stands yet.",
  outdated: "outdated",
  revised: "revised",
  untilTime: "A standing offer is good until",
  disputeMeans: "Work rests. An operator decides whether the order goes on where it was, is cancelled, or is completed as it stands.",
  toGo: "points to go",
  changedSince: "What changed since you looked",
  agreed: "Agreed terms",
  stages: "Stages",
  stage: "Stage",
  description: "Description",
  timeline: "What happened",
  situation: "What now",
  waitsFor: "Waits for",
  refusedNow: "Not possible now",
  days: "days",
  wantsApproval: "wants approval",
  addStage: "Add a stage",
  removeStage: "Remove this stage",
  send: "Send",
  lifetime: "Lifetime points",
  grade: "Grade",
  vip: "VIP",
  until: "until",
  noAccount: "No points yet: the first come with the first order.",
  ledger: "What gave points",
  points: "points",
  resolution: "Resolution",
  resume: "go on where it was",
  cancel: "cancel the order",
  complete: "complete it as it stands",
} as const;

export const CONSOLE = {
  house: "House",
  order: "Details",
  orders: "Orders",
  deadLetters: "Dead letters",
  acts: "Acts",
  readers: "Readers",
  name: "Name",
  condition: "Condition",
  owner: "Owner",
  lag: "Lag",
  events: "events",
  seconds: "s",
  parked: "Parked streams",
  nobody: "nobody",
  stall: "An append holds everybody up",
  noStall: "No append holds the readers up.",
  find: "Find an order",
  id: "Order id",
  state: "State",
  anyState: "any state",
  version: "Version",
  asOf: "The order as it was at version",
  groups: "Groups",
  noLetters: "No open dead letter.",
  noActs: "No operator has acted yet.",
  act: "Act",
  operator: "Operator",
  when: "When",
  why: "Why",
  what: "What",
  value: "Value, as it was sent",
  headers: "Headers",
  attempts: "Attempts",
  open: "Open",
  yes: "yes",
  no: "no",
} as const;
