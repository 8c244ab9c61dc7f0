#!/usr/bin/env node
// What `gradus` starts.

import { main } from "./main.ts";

// Whoever reads the output may stop reading, as `head` does: then there is nobody left to write for.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(0);
  throw error;
});

process.exitCode = await main(process.argv.slice(2));
