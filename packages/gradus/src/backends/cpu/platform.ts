// Where the code runs, and the way to Node's own modules that keeps browser bundles free of them: no import at the
// top level, and a specifier that no bundler follows.

/** Node, or a runtime that offers Node's modules (Deno, Bun). */
export const isNode: boolean = typeof process !== "undefined" && typeof process.versions?.node === "string";

/** Loads a built-in module such as "node:v8". Only to be called where `isNode` holds. */
export async function importNode<Module>(specifier: `node:${string}`): Promise<Module> {
  const builtin = process.getBuiltinModule as ((specifier: string) => unknown) | undefined; // Node 20.16, 22.3 and later
  if (builtin !== undefined) return builtin(specifier) as Module;
  return import(/* @vite-ignore */ /* webpackIgnore: true */ specifier);
}

/** The machine's cores, at most 16: what a pool has unless told otherwise. */
export async function defaultThreads(): Promise<number> {
  if (isNode) {
    const os = await importNode<typeof import("node:os")>("node:os");
    return Math.min(16, os.availableParallelism());
  }
  return Math.min(16, globalThis.navigator?.hardwareConcurrency ?? 1);
}

/** A variable of the environment; undefined where there is none, as in browsers. */
export function environmentVariable(name: string): string | undefined {
  return typeof process === "undefined" ? undefined : process.env?.[name];
}
