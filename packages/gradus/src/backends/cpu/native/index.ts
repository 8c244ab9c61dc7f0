// Native code: programs as C, compiled by the system's compiler, run by a pool of threads of their own. Only Node gets here,
// through the conditional import "#native".

import type { NativeSupport } from "../choose.ts";
import { CompilationError, NativeCompiler } from "./compiler.ts";
import { NativeGenerator } from "./generator.ts";
import { LibraryCache } from "./library-cache.ts";
import { importKoffi, NativeRuntime } from "./runtime.ts";
import { runtimeSource } from "./sources.ts";
import { nativeTarget } from "./target.ts";
import { findToolchain } from "./toolchain.ts";

/** Looks for what native code takes: koffi, a compiler, and a place for what it makes. */
export async function findNative(): Promise<NativeSupport> {
  const koffi = await importKoffi();
  if (typeof koffi === "string") return { missing: koffi };
  const toolchain = await findToolchain();
  if ("missing" in toolchain) return toolchain;
  try {
    const cache = LibraryCache.open();
    const compiler = new NativeCompiler(toolchain, cache);
    const [library] = await compiler.compile([runtimeSource()]);
    const runtime = await NativeRuntime.load(koffi, library);
    const target = nativeTarget(toolchain.macros);
    return {
      create: (heap, threads) => new NativeGenerator({ heap, threads, runtime, compiler, target }),
      note: cache.notice ?? undefined,
    };
  } catch (error) {
    return { missing: `${toolchain.name} did not make the runtime: ${phraseOf(error)}` };
  }
}

/** What went wrong, in one line without a full stop. */
function phraseOf(error: unknown): string {
  if (error instanceof CompilationError) return error.reason;
  return String(error instanceof Error ? error.message : error).replace(/\.$/, "");
}
