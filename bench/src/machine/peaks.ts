// What the machine can do, as the harness asks for it: the roofline (Williams, Waterman and Patterson, "Roofline", 2009)
// under which every contestant computes. Native code has wider vectors than WebAssembly, so each kind of code has a peak of
// its own. Measured in a process of its own, whose memory and flags are nobody else's.

import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { measureNativePeaks, NoCompilerError } from "./native.ts";

export interface Peaks {
  /** Billions of operations a second of a register tile, loads included, over all threads. */
  readonly gflops: number;
  /** Billions of bytes a second, read and written, of a copy over all threads. */
  readonly gbs: number;
  readonly threads: number;
  /** Whether the tile's multiply-add is fused; in WebAssembly without relaxed SIMD it is two instructions. */
  readonly fused: boolean;
  /** The instructions, and the tile's rows and columns: "WebAssembly 4x8", "AVX-512 14x32". */
  readonly tile: string;
}

const execute = promisify(execFile);
const program = fileURLToPath(new URL("./measure.js", import.meta.url));

async function measureWebAssemblyPeaks(threads: number): Promise<Peaks> {
  const { stdout } = await execute(process.execPath, [program, String(threads)], { timeout: 60_000 });
  return JSON.parse(stdout) as Peaks;
}

type Measure = (threads: number) => Promise<Peaks>;

/** Code whose peak is the native one where there is a compiler. `auto` is told where nobody chose: the machine at its best. */
const nativeCode: ReadonlySet<string> = new Set(["native", "auto"]);

/**
 * Measures for about a second what the machine gives to code of this kind; any other than native code has WebAssembly's
 * peaks. Without a compiler native code has them, too: `tile` tells. Throws where the platform has no shared memory, or
 * not enough.
 */
export async function measurePeaks(
  threads: number,
  codegen: string,
  native: Measure = measureNativePeaks,
  webAssembly: Measure = measureWebAssemblyPeaks,
): Promise<Peaks> {
  if (!nativeCode.has(codegen)) return webAssembly(threads);
  try {
    return await native(threads);
  } catch (error) {
    if (!(error instanceof NoCompilerError)) throw error;
    return webAssembly(threads);
  }
}

/** The better of two measurements in each respect: whatever disturbs one can only make it smaller. */
export function largerPeaks(a: Peaks, b: Peaks): Peaks {
  return { ...(b.gflops > a.gflops ? b : a), gbs: Math.max(a.gbs, b.gbs) };
}

export function describePeaks({ gflops, gbs, threads, fused, tile }: Peaks): string {
  const kind = fused ? tile : `${tile}, no fused multiply-add`;
  const rates = `${gflops.toPrecision(3)} GFLOP/s register tile (${kind}), ${gbs.toPrecision(3)} GB/s copy`;
  return `machine: ${rates}, ${threads} ${threads === 1 ? "thread" : "threads"}`;
}
