// The public face of @gradus/cli: the command as a function.

export type { Output } from "./commands/train.ts";
export { main } from "./main.ts";
