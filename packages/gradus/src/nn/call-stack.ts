// Which modules are running, so that an error inside a layer can say where it happened: "features.3 (Conv2d): ...".
// Leans on nothing but the errors of the graph.

import { GradusError } from "../tensor/index.ts";

/** What an error needs to know of a module. */
export interface Locatable {
  readonly typeName: string;
  namedModules(): readonly (readonly [string, Locatable])[];
}

const running: Locatable[] = [];
/** The module in which an error was first seen: the innermost one. */
const origins = new WeakMap<Error, Locatable>();

/** Runs the forward pass of a module. A Gradus error that leaves the outermost module names the layer it came from. */
export function runWithin<T>(module: Locatable, body: () => T): T {
  running.push(module);
  try {
    return body();
  } catch (error) {
    if (error instanceof GradusError) {
      if (!origins.has(error)) origins.set(error, module);
      if (running.length === 1) nameOrigin(error, module);
    }
    throw error;
  } finally {
    running.pop();
  }
}

/** Puts the path of the layer before an error's message, and into its stack, which was written before. */
function nameOrigin(error: Error, outermost: Locatable): void {
  const origin = origins.get(error)!;
  const path = outermost.namedModules().find(([, module]) => module === origin)?.[0] ?? "";
  const place = path === "" ? origin.typeName : `${path} (${origin.typeName})`;
  // The stack is read first: some engines write it only then, from the message of the moment.
  const { message, stack } = error;
  error.message = `${place}: ${message}`;
  error.stack = stack?.replace(message, () => error.message);
}
