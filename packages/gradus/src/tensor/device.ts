// Which device computes. `init` chooses it once; without it the first value that is read takes the default.

import type { Backend } from "../backends/backend.ts";
import { ArgumentError } from "../graph/index.ts";
import { engine } from "./engine.ts";

export interface InitOptions {
  /** `cpu` compiles every step to WebAssembly; `reference` interprets it in float64, slowly, as the oracle of tests. */
  readonly device?: "cpu" | "reference";
  /** Threads that share a program's work; default: the machine's cores, at most 16. Results do not depend on it. */
  readonly threads?: number;
}

/** What runs: for logs and bug reports. */
export interface Config {
  readonly device: "cpu" | "reference";
  readonly codegen: "interpret" | "wasm";
  readonly threads: number;
}

const makers: { readonly [D in NonNullable<InitOptions["device"]>]: (options: InitOptions) => Promise<Backend> } = {
  cpu: async (options) => (await import("../backends/cpu/backend.ts")).CpuBackend.create(options),
  reference: async () => new (await import("../backends/reference/backend.ts")).ReferenceBackend(),
};

let starting: Promise<void> | null = null;

/**
 * Starts a device and uses it for all further work. Calling it again replaces the device; tensors that were realized
 * on another device cannot be used any more.
 * @throws ArgumentError for an unknown device or a thread count below 1
 */
export function init(options: InitOptions = {}): Promise<void> {
  const device = options.device ?? "cpu";
  if (!(device in makers)) {
    throw new ArgumentError("init", `there is no device "${device}"`, `Use one of ${Object.keys(makers).join(", ")}.`);
  }
  if (options.threads !== undefined && !(Number.isInteger(options.threads) && options.threads >= 1)) {
    throw new ArgumentError("init", `${options.threads} is no number of threads`, "Use 1 or more.");
  }
  starting = (async () => {
    const backend = await makers[device](options);
    if (engine.hasBackend) await engine.backend.dispose();
    engine.use(backend);
  })();
  return starting;
}

/** Waits for the device, starting the default one if none was chosen. */
export async function ready(): Promise<void> {
  if (engine.hasBackend && starting === null) return;
  await (starting ?? init());
  starting = null;
}

/** What runs at present. */
export function config(): Config {
  const { name, codegen, threads } = engine.backend;
  return { device: name, codegen, threads };
}

/** Ends the device's threads and frees its memory. Needed only where a process must not end by itself. */
export async function shutdown(): Promise<void> {
  if (!engine.hasBackend) return;
  const { backend } = engine;
  starting = null;
  engine.use(null);
  await backend.dispose();
}
