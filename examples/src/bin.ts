// What `npm run example` starts.

import { exitOnClosedPipe } from "@gradus/cli";
import { main } from "./main.ts";

exitOnClosedPipe(process.stdout);
process.exitCode = await main(process.argv.slice(2));
