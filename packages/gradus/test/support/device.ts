// Which device the suites run on: every suite has one body for all devices. `GRADUS_TEST_DEVICE` is "cpu" (default) or
// "reference", `GRADUS_TEST_THREADS` a number; in a browser the same names come from Vite with the prefix VITE_.

import { type InitOptions, init } from "gradus";
import { engine } from "../../src/tensor/engine.ts";

function setting(name: string): string | undefined {
  if (typeof process !== "undefined" && process.env?.[name] !== undefined) return process.env[name];
  return (import.meta as { env?: Record<string, string | undefined> }).env?.[`VITE_${name}`];
}

let started: Promise<void> | null = null;

/** Starts the device that the environment asks for, once. */
export function useDevice(): Promise<void> {
  if (started === null) {
    const device = (setting("GRADUS_TEST_DEVICE") ?? "cpu") as NonNullable<InitOptions["device"]>;
    const threads = setting("GRADUS_TEST_THREADS");
    started = init(threads === undefined ? { device } : { device, threads: Number(threads) });
  }
  return started;
}

/** A number from the environment, such as a seed. */
export function numberSetting(name: string, missing: number): number {
  const text = setting(name);
  return text === undefined || text === "" ? missing : Number(text);
}

/** Whether values that are not computed yet can be read at once; not so on a browser's main thread with threads. */
export function canBlock(): boolean {
  return engine.backend.canBlock;
}
