// How both pages are built: files for the binary of the query API, without a script in the page.

import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import adapterStatic from "@sveltejs/adapter-static";
import type { Adapter, Config } from "@sveltejs/kit";

/** Where the query API takes its files from, from the folder of a page. */
const BUILT = "../../apps/query-api/pages";

/** SvelteKit's configuration of the page that is served under this name. */
export function kit(name: string): Config {
  return {
    kit: {
      adapter: withoutInlineScript(join(BUILT, name)),
      paths: { base: `/${name}`, relative: false },
      output: { bundleStrategy: "split" },
      version: { name: "1" },
    },
  };
}

/** The script by which SvelteKit starts stands in the page. It becomes a file: the policy of the
 * pages forbids every inline script. */
function withoutInlineScript(folder: string): Adapter {
  const files = adapterStatic({ pages: folder, assets: folder, fallback: "index.html" });
  return {
    name: "static files without inline script",
    async adapt(builder) {
      await files.adapt(builder);
      const page = join(folder, "index.html");
      const [before, script, after] = readFileSync(page, "utf8").split(/<script>|<\/script>/);
      if (script === undefined || after === undefined) throw new Error("no script to move");
      const digest = createHash("sha256").update(script).digest("hex").slice(0, 16);
      const { base } = builder.config.kit.paths;
      const file = `_app/immutable/begin.${digest}.js`;
      mkdirSync(join(folder, "_app/immutable"), { recursive: true });
      writeFileSync(join(folder, file), script);
      writeFileSync(page, `${before}<script src="${base}/${file}"></script>${after}`);
    },
  };
}

/** SvelteKit's announcer of pages hides itself by an inline style, which the policy forbids. It
 * takes the class for the same instead. */
export function withoutInlineStyle() {
  return {
    name: "announcer without inline style",
    enforce: "pre" as const,
    transform(code: string, id: string) {
      if (!id.endsWith("/generated/root.svelte")) return undefined;
      const styled = /(<div id="svelte-announcer"[^>]*?) style="[^"]*"/;
      if (!styled.test(code)) throw new Error("no announcer with a style");
      return code.replace(styled, '$1 class="visually-hidden"');
    },
  };
}
