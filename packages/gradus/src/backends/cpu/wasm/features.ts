// What this machine's WebAssembly engine can do, found by handing it tiny modules rather than by asking its version.
// Leans on the assembler for the modules.

import { importNode, isNode } from "../platform.ts";
import { ModuleBuilder } from "./assembler.ts";

export interface Features {
  /** 128-bit vectors. */
  readonly simd: boolean;
  /** Fused multiply-add and other instructions whose results may differ in the last bits between machines. */
  readonly relaxedSimd: boolean;
  /** Memory shared between threads, with atomic instructions. In a browser it takes a cross-origin isolated page. */
  readonly threads: boolean;
}

export function hasSimd(): boolean {
  const module = new ModuleBuilder();
  module
    .defineFunction({ params: ["f32"], results: ["v128"] })
    .get(0)
    .op("f32x4.splat");
  return WebAssembly.validate(module.finish());
}

/** Relaxed SIMD as things stand; `detectFeatures` first turns it on where that takes a flag. */
export function hasRelaxedSimd(): boolean {
  const module = new ModuleBuilder();
  const multiplyAdd = module.defineFunction({ params: ["v128", "v128", "v128"], results: ["v128"] });
  multiplyAdd.get(0).get(1).get(2).op("f32x4.relaxed_madd");
  return WebAssembly.validate(module.finish());
}

export function hasThreads(): boolean {
  if (typeof SharedArrayBuffer === "undefined") return false;
  // Without isolation a browser may build a shared memory, yet refuses to hand it to a worker.
  if (!isNode && !globalThis.crossOriginIsolated) return false;
  const module = new ModuleBuilder();
  module.importMemory("env", "memory", { initial: 1, maximum: 1, shared: true });
  module
    .defineFunction({ params: ["i32"], results: ["i32"] })
    .get(0)
    .memory("i32.atomic.load", 0);
  return WebAssembly.validate(module.finish());
}

let detected: Promise<Features> | undefined;

/**
 * The features of this engine, found once. In Node 20, where relaxed SIMD sits behind a V8 flag, the flag is set here:
 * await this before the first module that uses it is compiled.
 */
export function detectFeatures(): Promise<Features> {
  detected ??= enableRelaxedSimd().then(() => ({
    simd: hasSimd(),
    relaxedSimd: hasRelaxedSimd(),
    threads: hasThreads(),
  }));
  return detected;
}

async function enableRelaxedSimd(): Promise<void> {
  if (!isNode || hasRelaxedSimd()) return;
  try {
    const v8 = await importNode<typeof import("node:v8")>("node:v8");
    v8.setFlagsFromString("--experimental-wasm-relaxed-simd");
  } catch {
    // A runtime without this way in (Bun, Deno) keeps relaxedSimd false; the emitter has plain multiply and add.
  }
}
