// The process that measures what the machine gives to WebAssembly: GFLOP/s of the register tile of a matrix product, and GB/s of a copy
// too large for caches, by as many threads as its argument says. Prints the peaks as one line of JSON.

import { Worker } from "node:worker_threads";
import { gigabytes, gigaflops, median } from "../statistics.ts";
import { compileKernels } from "./assemble.ts";
import { copiesPerRepeat, memoryPages, panelDepth, threadLayout, tile, tilesPerRepeat } from "./layout.ts";
import type { Peaks } from "./peaks.ts";
import type { Assignment, Timings } from "./worker.ts";

function runWorker(assignment: Assignment): Promise<Timings> {
  const worker = new Worker(new URL("./worker.js", import.meta.url), { workerData: assignment });
  return new Promise((resolve, reject) => worker.once("message", resolve).once("error", reject));
}

/** The median repeat's milliseconds; a repeat lasts from its first thread's start to its last one's end. */
function typicalRepeat(timings: readonly Timings[], kernel: keyof Timings): number {
  const durations = timings[0]![kernel].map((_, repeat) => {
    const intervals = timings.map((own) => own[kernel][repeat]!);
    return Math.max(...intervals.map(([, end]) => end)) - Math.min(...intervals.map(([start]) => start));
  });
  return median(durations);
}

const threads = Number(process.argv[2]);
const { module, fused } = await compileKernels();
const pages = memoryPages(threads);
const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
const timings = await Promise.all(
  Array.from({ length: threads }, (_, thread) => runWorker({ module, memory, thread, threads })),
);

const flops = 2 * tile[0] * tile[1] * panelDepth * tilesPerRepeat * threads;
const bytes = 2 * threadLayout(0, threads).copyBytes * copiesPerRepeat * threads;
const peaks: Peaks = {
  gflops: gigaflops(flops, typicalRepeat(timings, "multiply")),
  gbs: gigabytes(bytes, typicalRepeat(timings, "copy")),
  threads,
  fused,
  tile: `WebAssembly ${tile.join("x")}`,
};
console.log(JSON.stringify(peaks));
