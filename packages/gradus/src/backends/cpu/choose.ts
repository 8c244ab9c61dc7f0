// Which emitters the cpu backend works with, and on which heap: native code by itself where a compiler and koffi are
// there, WebAssembly everywhere else.

import { GradusError } from "../../graph/index.ts";
import type { CodeGenerator } from "./code-generator.ts";
import { controlLayout } from "./control.ts";
import { Heap } from "./heap.ts";
import { defaultThreads, environmentVariable, isNode } from "./platform.ts";
import { detectFeatures, type Features } from "./wasm/features.ts";
import { WasmGenerator } from "./wasm/generator.ts";

export type Codegen = "wasm" | "native";

/** The device lacks what Gradus needs, or was used wrongly. */
export class CpuBackendError extends GradusError {}

/** Native code, ready to be made over a heap; or why it cannot be. */
export type NativeSupport =
  | { readonly create: (heap: Heap, threads: number) => CodeGenerator; readonly note: string | undefined }
  | { readonly missing: string | undefined };

export interface Wishes {
  readonly threads?: number;
  readonly codegen?: Codegen;
  readonly warmup?: "wasm";
}

export interface Choice {
  readonly heap: Heap;
  /** The one wanted, then those that serve until its code is ready. */
  readonly generators: readonly CodeGenerator[];
  /** One line of whole sentences for who wonders: why native code is not what runs, or that its cache could not be used. */
  readonly note: string | undefined;
}

/** What was asked for by name: in the options, else in the environment. */
function wanted({ codegen }: Wishes): Codegen | undefined {
  const name = codegen ?? environmentVariable("GRADUS_CODEGEN");
  if (name === undefined || name === "" || name === "wasm" || name === "native") return name || undefined;
  throw new CpuBackendError(
    `There is no code generator "${name}". Set GRADUS_CODEGEN to wasm or native, or leave it out.`,
  );
}

const lacking = (what: string): string => `Native code cannot be made: ${what.replace(/\s+/g, " ")}.`;

export async function chooseGenerators(wishes: Wishes): Promise<Choice> {
  const codegen = wanted(wishes);
  const features = await detectFeatures();
  const threads = wishes.threads ?? (await defaultThreads());
  // Browsers without a bundler know no "#native".
  const possible = isNode && codegen !== "wasm";
  const native = possible ? await (await import("#native")).findNative() : { missing: undefined };
  const isNative = "create" in native;
  if (codegen === "native" && !isNative) {
    throw new CpuBackendError(
      `${lacking(native.missing ?? "it takes Node")} Install a C compiler (gcc or clang) and the npm package koffi, or ` +
        "leave the choice to Gradus.",
    );
  }
  // Shared memory stays where it is when it grows, and native code has its address.
  const heap = new Heap({ shared: features.threads && (threads > 1 || isNative), reservedBytes: controlLayout.size });
  if (!isNative) {
    const note = native.missing === undefined ? undefined : lacking(native.missing);
    return { heap, generators: [await openWasm(heap, threads, features)], note };
  }
  const warmup = wishes.warmup === "wasm" ? [await openWasm(heap, threads, features)] : [];
  return { heap, generators: [native.create(heap, threads), ...warmup], note: native.note };
}

async function openWasm(heap: Heap, threads: number, features: Features): Promise<CodeGenerator> {
  if (!features.simd) {
    throw new CpuBackendError(
      "cpu: this platform's WebAssembly has no SIMD. Use Node 20 or later, or a browser of 2023 or later.",
    );
  }
  return WasmGenerator.create(heap, features.threads ? threads : 1, features);
}
