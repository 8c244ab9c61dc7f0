// Builds and instantiates one-function modules for the tests of the cpu backend.

import { type FunctionBuilder, type FunctionType, ModuleBuilder } from "../../../src/backends/cpu/wasm/assembler.ts";

export type WasmFunction = (...args: (number | bigint)[]) => number | bigint | undefined;

/** A module with a memory `env.memory` and one exported function `f`. */
export function moduleOf(type: FunctionType, build: (f: FunctionBuilder) => void, shared = false): ModuleBuilder {
  const module = new ModuleBuilder();
  module.importMemory("env", "memory", { initial: 1, maximum: 1, shared });
  const f = module.defineFunction(type, "f");
  module.exportFunction("f", f);
  build(f);
  return module;
}

export function instantiate(module: ModuleBuilder, memory: WebAssembly.Memory): Record<string, WasmFunction> {
  const instance = new WebAssembly.Instance(new WebAssembly.Module(module.finish()), { env: { memory } });
  return instance.exports as Record<string, WasmFunction>;
}

export function compile(type: FunctionType, build: (f: FunctionBuilder) => void, memory = newMemory()): WasmFunction {
  return instantiate(moduleOf(type, build), memory).f!;
}

export function newMemory(shared = false): WebAssembly.Memory {
  return new WebAssembly.Memory({ initial: 1, maximum: 1, shared });
}

/** Numbers in [0, 2^32), the same in every run (Lehmer's generator with a 64-bit state). */
export function randomIntegers(seed: number): () => number {
  let state = BigInt(seed * 2 + 1);
  return () => {
    state = (state * 0xda94_2042_e4dd_58b5n) & 0xffff_ffff_ffff_ffffn;
    return Number(state >> 32n);
  };
}
