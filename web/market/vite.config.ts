// Bundles the pages; SvelteKit says what of.
import { withoutInlineStyle } from "@artisan-atlas/frame/kit";
import { sveltekit } from "@sveltejs/kit/vite";
import { defineConfig } from "vite";

export default defineConfig({ plugins: [withoutInlineStyle(), sveltekit()] });
