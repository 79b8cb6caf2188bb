// How the console is built: frame/kit.ts.
import { kit } from "@artisan-atlas/frame/kit";

export default kit("console");
