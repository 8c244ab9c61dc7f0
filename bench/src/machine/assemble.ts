// The machine's kernels, from their text to a compiled module. Leans on wabt, the WebAssembly Binary Toolkit, as assembler.

import { readFileSync } from "node:fs";
import { setFlagsFromString } from "node:v8";
import makeWabt from "wabt";

/** What kernels.wat exports. Addresses and sizes are in bytes. */
export interface Kernels {
  multiply(a: number, b: number, c: number, depth: number, times: number): void;
  copy(from: number, to: number, bytes: number): void;
}

export interface CompiledKernels {
  readonly module: WebAssembly.Module;
  /** Whether products and sums are fused, which takes relaxed SIMD. */
  readonly fused: boolean;
}

// One path serves the built file as well as the source: both lie two folders below bench.
const source = new URL("../../src/machine/kernels.wat", import.meta.url);

const fusedSum = /\(f32x4\.relaxed_madd (\(local\.get \$\w+\)) (\(local\.get \$\w+\)) (\(local\.get \$\w+\))\)/g;

async function assemble(text: string): Promise<Uint8Array<ArrayBuffer>> {
  const wabt = await makeWabt();
  const module = wabt.parseWat("kernels.wat", text, { simd: true, threads: true, relaxed_simd: true });
  try {
    return new Uint8Array(module.toBinary({}).buffer);
  } finally {
    module.destroy();
  }
}

/** The kernels with fused multiply-add where the engine has it, in Node 20 behind a flag; `fused: false` forgoes it. */
export async function compileKernels({ fused = true }: { readonly fused?: boolean } = {}): Promise<CompiledKernels> {
  const text = readFileSync(source, "utf8");
  if (fused) {
    const binary = await assemble(text);
    // Newer engines know no such flag, and need none.
    if (!WebAssembly.validate(binary)) setFlagsFromString("--experimental-wasm-relaxed-simd");
    if (WebAssembly.validate(binary)) return { module: await WebAssembly.compile(binary), fused: true };
  }
  const plain = text.replaceAll(fusedSum, "(f32x4.add $3 (f32x4.mul $1 $2))");
  return { module: await WebAssembly.compile(await assemble(plain)), fused: false };
}
