// Which device computes. `init` chooses it once; without it the first value that is read takes the default.

import type { Backend } from "../backends/backend.ts";
import { ArgumentError } from "../graph/index.ts";
import { engine } from "./engine.ts";

/** What `init` chooses: the device, and how it makes its code. */
export interface InitOptions {
  /** `cpu` compiles every step; `reference` interprets it in float64, slowly, as the oracle of tests. */
  readonly device?: "cpu" | "reference";
  /**
   * What the cpu device compiles to. `native` is C, made into machine code by the system's compiler and kept on disk for
   * the next time; `wasm` is WebAssembly. Default: the environment variable GRADUS_CODEGEN, else native code where a
   * compiler (cc, gcc or clang) and the npm package koffi are there, else WebAssembly.
   */
  readonly codegen?: "wasm" | "native";
  /**
   * With `wasm`, WebAssembly runs every program for as long as its native code is being made, and the first step does not
   * wait for the compiler. When the code changes depends on how quick the compiler is, so a run with the same seed need
   * not give the same bits. Default: the first step waits.
   */
  readonly warmup?: "wasm";
  /** Threads that share a program's work; default: the machine's cores, at most 16. Results do not depend on it. */
  readonly threads?: number;
}

/** What runs: for logs and bug reports. */
export interface Config {
  /** Which device computes. */
  readonly device: "cpu" | "reference";
  /** What its programs are compiled to; the reference device interprets them. */
  readonly codegen: "interpret" | "wasm" | "native";
  /** How many threads share a program's work. */
  readonly threads: number;
  /** One line on the choice, where there is something to say: what native code lacks, or that it cannot be kept on disk. */
  readonly note?: string;
}

const makers: { readonly [D in NonNullable<InitOptions["device"]>]: (options: InitOptions) => Promise<Backend> } = {
  cpu: async (options) => (await import("../backends/cpu/backend.ts")).CpuBackend.create(options),
  reference: async () => new (await import("../backends/reference/backend.ts")).ReferenceBackend(),
};

let starting: Promise<void> | null = null;

/**
 * Starts a device and uses it for all further work. Calling it again replaces the device; tensors that were realized
 * on another device cannot be used any more.
 * @throws ArgumentError for an unknown device, code generator or warm-up, or a thread count below 1
 * @throws CpuBackendError where native code is asked for by name and cannot be made
 */
export function init(options: InitOptions = {}): Promise<void> {
  const device = options.device ?? "cpu";
  if (!(device in makers)) {
    throw new ArgumentError("init", `there is no device "${device}"`, `Use one of ${Object.keys(makers).join(", ")}.`);
  }
  if (options.threads !== undefined && !(Number.isInteger(options.threads) && options.threads >= 1)) {
    throw new ArgumentError("init", `${options.threads} is no number of threads`, "Use 1 or more.");
  }
  checkChoice("codegen", options.codegen, ["wasm", "native"]);
  checkChoice("warmup", options.warmup, ["wasm"]);
  const start = (async () => {
    const backend = await makers[device](options);
    const replaced = engine.hasBackend ? engine.backend : null;
    // At once: what is ended must not be run, nor be ended again by another call.
    engine.use(backend);
    await replaced?.dispose();
  })();
  starting = start;
  // A device that could not be started leaves things as they were.
  start.catch(() => {
    if (starting === start) starting = null;
  });
  return start;
}

function checkChoice(name: string, value: string | undefined, choices: readonly string[]): void {
  if (value === undefined || choices.includes(value)) return;
  throw new ArgumentError("init", `there is no ${name} "${value}"`, `Use ${choices.join(" or ")}, or leave it out.`);
}

/** Waits for the device, starting the default one if none was chosen. */
export async function ready(): Promise<void> {
  if (engine.hasBackend && starting === null) return;
  await (starting ?? init());
  starting = null;
}

/** What runs at present. */
export function config(): Config {
  const { name, codegen, threads, note } = engine.backend;
  return { device: name, codegen, threads, ...(note === undefined ? {} : { note }) };
}

/** Ends the device's threads and frees its memory. Needed only where a process must not end by itself. */
export async function shutdown(): Promise<void> {
  if (!engine.hasBackend) return;
  const { backend } = engine;
  starting = null;
  engine.use(null);
  await backend.dispose();
}
