// What the machine can do, as the harness asks for it: the roofline (Williams, Waterman and Patterson, "Roofline", 2009)
// under which every contestant computes. Measured in a process of its own, whose memory and flags are nobody else's.

import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

export interface Peaks {
  /** Billions of operations a second of a register tile in WebAssembly, loads included, over all threads. */
  readonly gflops: number;
  /** Billions of bytes a second, read and written, of a copy in WebAssembly over all threads. */
  readonly gbs: number;
  readonly threads: number;
  /** Whether the tile's multiply-add is fused; without relaxed SIMD it is two instructions. */
  readonly fused: boolean;
}

const execute = promisify(execFile);
const program = fileURLToPath(new URL("./measure.js", import.meta.url));

/** Measures for about a second. Throws where the platform has no shared memory, or not enough. */
export async function measurePeaks(threads: number): Promise<Peaks> {
  const { stdout } = await execute(process.execPath, [program, String(threads)], { timeout: 60_000 });
  return JSON.parse(stdout) as Peaks;
}

/** The better of two measurements in each respect: whatever disturbs one can only make it smaller. */
export function largerPeaks(a: Peaks, b: Peaks): Peaks {
  return { ...a, gflops: Math.max(a.gflops, b.gflops), gbs: Math.max(a.gbs, b.gbs) };
}

export function describePeaks({ gflops, gbs, threads, fused }: Peaks): string {
  const tile = `${gflops.toPrecision(3)} GFLOP/s register tile${fused ? "" : " (no fused multiply-add)"}`;
  return `machine: ${tile}, ${gbs.toPrecision(3)} GB/s copy, ${threads} ${threads === 1 ? "thread" : "threads"}`;
}
