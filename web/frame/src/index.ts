// What both pages stand in. Start at `Session` and `Shell`.

export { default as Moved } from "./Moved.svelte";
export { default as Panel } from "./Panel.svelte";
export { default as Refusal } from "./Refusal.svelte";
export { default as Shell } from "./Shell.svelte";
export { default as Timeline } from "./Timeline.svelte";
export { Live } from "./live.svelte.ts";
export { Session, type Viewer } from "./session.svelte.ts";
export { readWholeTimeline } from "./timeline.ts";
export { COMMANDS, CONSOLE, MARKET, WORDS, say } from "./words.ts";
export { day, instant, zone } from "./zone.svelte.ts";
