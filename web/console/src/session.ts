// The one session of this page.
import { base } from "$app/paths";
import { Session } from "@artisan-atlas/frame";

export const session = new Session(base);
