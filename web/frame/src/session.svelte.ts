// Signing in by OpenID Connect: authorization code with PKCE. Tokens live in this page's memory and
// end with it; of storage only what a redirect needs to be checked, for as long as it takes.

import * as oauth from "oauth4webapi";
import { createClient, type Atlas } from "@artisan-atlas/sdk";
import { Changes } from "./changes.ts";

/** Who is signed in. */
export interface Viewer {
  id: string;
  role: string;
  name: string;
}

/** How signing in stands. */
type State = "starting" | "signedOut" | "noIssuer" | "failed" | "signedIn";

/** What the server says of where the page runs. */
interface Configuration {
  commandUrl: string | null;
  issuer: string | null;
  clientId: string;
}

/** What a redirect is checked against when it comes back. */
interface Leaving {
  verifier: string;
  state: string;
  nonce: string;
  /** Where to go on. */
  path: string;
}

interface Tokens {
  access: string;
  refresh: string | undefined;
  /** When the access token ends, by this machine's clock. */
  ends: number;
}

const LEAVING = "artisan-atlas-sign-in";
/** Errors of an authorization that say that nobody is known to the issuer, or that somebody thought
 * better of it: RFC 6749, 4.1.2.1 and OpenID Connect Core, 3.1.2.6. */
const NOBODY = [
  "login_required",
  "interaction_required",
  "consent_required",
  "account_selection_required",
  "access_denied",
];
/** How long before its end a token is exchanged for the next, in milliseconds. */
const BEFORE_END = 30_000;

/** The session of this page. */
export class Session {
  state = $state<State>("starting");
  viewer = $state<Viewer>();
  problem = $state("");
  #base: string;
  #client: oauth.Client = { client_id: "" };
  #server: oauth.AuthorizationServer | undefined;
  #tokens: Tokens | undefined;
  #refreshing: Promise<void> | undefined;
  #atlas: Atlas | undefined;
  #changes: Changes | undefined;

  /** `base` is where the page lives, such as `/market`. */
  constructor(base: string) {
    this.#base = base;
  }

  /** Both APIs, as whoever is signed in. */
  get atlas(): Atlas {
    if (this.#atlas === undefined) throw new Error("nobody is signed in");
    return this.#atlas;
  }

  /** Which orders move. */
  get changes(): Changes {
    const { id, role } = this.viewer ?? {};
    this.#changes ??= new Changes(`${role} ${id}`, this.atlas.follow);
    return this.#changes;
  }

  /** Goes on where a redirect came back, or asks the issuer, without a word, who this is. Returns
   * where in the page to go on, if not here. */
  async start(): Promise<string | undefined> {
    try {
      const configuration = await this.#configure();
      if (configuration.issuer === null) {
        this.state = "noIssuer";
        return undefined;
      }
      const leaving = takeLeaving();
      if (leaving === undefined) {
        await this.signIn("none");
        return undefined;
      }
      return await this.#comeBack(leaving, configuration);
    } catch (error) {
      this.problem = error instanceof Error ? error.message : String(error);
      this.state = "failed";
      return undefined;
    }
  }

  /** Leaves for the issuer. */
  async signIn(prompt?: "none" | "select_account"): Promise<void> {
    const leaving: Leaving = {
      verifier: oauth.generateRandomCodeVerifier(),
      state: oauth.generateRandomState(),
      nonce: oauth.generateRandomNonce(),
      path: location.pathname + location.search,
    };
    sessionStorage.setItem(LEAVING, JSON.stringify(leaving));
    const address = new URL(this.#server?.authorization_endpoint ?? "");
    const query = {
      client_id: this.#client.client_id,
      redirect_uri: this.#home,
      response_type: "code",
      scope: "openid offline_access",
      code_challenge: await oauth.calculatePKCECodeChallenge(leaving.verifier),
      code_challenge_method: "S256",
      state: leaving.state,
      nonce: leaving.nonce,
      ...(prompt && { prompt }),
    };
    for (const [name, value] of Object.entries(query)) address.searchParams.set(name, value);
    location.assign(address);
  }

  /** Leaves for the issuer, to be forgotten there. */
  signOut(): void {
    this.#leave();
    const end = this.#server?.end_session_endpoint;
    if (end === undefined) return;
    const address = new URL(end);
    address.searchParams.set("client_id", this.#client.client_id);
    address.searchParams.set("post_logout_redirect_uri", this.#home);
    location.assign(address);
  }

  get #home(): string {
    return `${location.origin}${this.#base}/`;
  }

  async #configure(): Promise<Configuration> {
    const answer = await fetch(`${this.#base}/config.json`);
    const configuration = (await answer.json()) as Configuration;
    const { issuer, clientId, commandUrl } = configuration;
    this.#client = { client_id: clientId };
    this.#atlas = createClient({
      commandUrl: commandUrl ?? location.origin,
      queryUrl: location.origin,
      token: () => this.#token(),
    });
    if (issuer !== null) {
      const url = new URL(issuer);
      const found = await oauth.discoveryRequest(url, insecure(url));
      this.#server = await oauth.processDiscoveryResponse(url, found);
    }
    return configuration;
  }

  async #comeBack(leaving: Leaving, { issuer }: Configuration): Promise<string | undefined> {
    const here = new URL(location.href);
    if (!here.searchParams.has("code") && !here.searchParams.has("error")) {
      // Somebody came back from the issuer without its answer.
      this.state = "signedOut";
      return undefined;
    }
    const server = this.#server as oauth.AuthorizationServer;
    const parameters = answered(server, this.#client, here, leaving.state);
    if (parameters === undefined) {
      this.state = "signedOut";
      return leaving.path;
    }
    const answer = await oauth.authorizationCodeGrantRequest(
      server,
      this.#client,
      oauth.None(),
      parameters,
      this.#home,
      leaving.verifier,
      insecure(new URL(issuer ?? "")),
    );
    const expected = { expectedNonce: leaving.nonce, requireIdToken: true };
    this.#take(
      await oauth.processAuthorizationCodeResponse(server, this.#client, answer, expected),
    );
    return leaving.path;
  }

  #take(answer: oauth.TokenEndpointResponse): void {
    const { access_token: access, refresh_token: refresh, expires_in: seconds = 60 } = answer;
    this.#tokens = { access, refresh, ends: Date.now() + seconds * 1_000 };
    const claims = JSON.parse(decoded(access.split(".")[1] ?? "")) as Record<string, string>;
    const { sub = "", role = "", name = "" } = claims;
    this.viewer = { id: sub, role, name };
    this.state = "signedIn";
  }

  async #token(): Promise<string> {
    if (this.#tokens !== undefined && this.#tokens.ends - Date.now() < BEFORE_END) {
      this.#refreshing ??= this.#refresh().finally(() => (this.#refreshing = undefined));
      await this.#refreshing;
    }
    return this.#tokens?.access ?? "";
  }

  async #refresh(): Promise<void> {
    const { refresh } = this.#tokens ?? {};
    const server = this.#server as oauth.AuthorizationServer;
    try {
      const answer = await oauth.refreshTokenGrantRequest(
        server,
        this.#client,
        oauth.None(),
        refresh ?? "",
        insecure(new URL(server.issuer)),
      );
      this.#take(await oauth.processRefreshTokenResponse(server, this.#client, answer));
    } catch (error) {
      // An issuer that is away does not end a token that is still good.
      if (this.#tokens && this.#tokens.ends > Date.now() && !(error instanceof oauth.ResponseBodyError)) return;
      this.#leave();
    }
  }

  /** Nobody is signed in here any more. */
  #leave(): void {
    this.#tokens = undefined;
    this.#changes?.end();
    this.#changes = undefined;
    this.state = "signedOut";
  }
}

/** What was left when this page went to the issuer, once. */
function takeLeaving(): Leaving | undefined {
  const text = sessionStorage.getItem(LEAVING);
  sessionStorage.removeItem(LEAVING);
  return text === null ? undefined : (JSON.parse(text) as Leaving);
}

/** What the issuer answered to this page's own question; undefined if it knows nobody. */
function answered(
  server: oauth.AuthorizationServer,
  client: oauth.Client,
  here: URL,
  state: string,
): URLSearchParams | undefined {
  try {
    return oauth.validateAuthResponse(server, client, here, state);
  } catch (error) {
    if (!(error instanceof oauth.AuthorizationResponseError)) throw error;
    if (NOBODY.includes(error.error)) return undefined;
    const { error: code, error_description: description } = error;
    throw new Error(description ? `${code}: ${description}` : code, { cause: error });
  }
}

/** An issuer on this very machine may speak http. */
function insecure(url: URL) {
  const loopback = ["127.0.0.1", "localhost", "[::1]"].includes(url.hostname);
  return { [oauth.allowInsecureRequests]: loopback };
}

function decoded(part: string): string {
  const bytes = atob(part.replaceAll("-", "+").replaceAll("_", "/"));
  return new TextDecoder().decode(Uint8Array.from(bytes, (each) => each.charCodeAt(0)));
}
