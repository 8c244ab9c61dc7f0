#!/usr/bin/env node
// What `gradus` starts.

import { main } from "./main.ts";
import { exitOnClosedPipe } from "./program.ts";

exitOnClosedPipe(process.stdout);
process.exitCode = await main(process.argv.slice(2));
