// Nothing is rendered before it is here: what a page shows is its viewer's alone.
export const ssr = false;
export const prerender = false;
