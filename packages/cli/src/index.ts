// The public face of @gradus/cli: the command as a function, and what commands of one's own are made with.

export { checkFolder, flagOf, HIGHEST_SEED, integer, numberFrom, positiveNumber } from "./arguments.ts";
export { UsageError } from "./errors.ts";
export { main } from "./main.ts";
export { configured, EXIT, exitOnClosedPipe, type Output, runProgram } from "./program.ts";
export { newRunFolder } from "./run-folder.ts";
