// One measuring thread. All threads go through the same list of repeats and begin each together; what each took is sent
// home in the end.

import { parentPort, workerData } from "node:worker_threads";
import type { Kernels } from "./assemble.ts";
import { copiesPerRepeat, panelDepth, threadLayout, tilesPerRepeat } from "./layout.ts";

export interface Assignment {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  readonly thread: number;
  readonly threads: number;
}

/** When a repeat began and ended, in milliseconds of a clock that all threads share. */
export type Interval = readonly [start: number, end: number];

/** Every repeat of either kernel. */
export type Timings = Readonly<Record<keyof Kernels, readonly Interval[]>>;

const repeats = 15;
/** Milliseconds of running unmeasured: until the engine's better compiler is through, and each page was touched. */
const warmUp = 150;

const { module, memory, thread, threads } = workerData as Assignment;
const { multiply, copy } = new WebAssembly.Instance(module, { env: { memory } }).exports as unknown as Kernels;
const { a, b, c, from, to, copyBytes } = threadLayout(thread, threads);
const [arrived, meetings] = [0, 1];
const meeting = new Int32Array(memory.buffer, 0, 2);

/** Returns when every thread is here. */
function meet(): void {
  const before = Atomics.load(meeting, meetings);
  if (Atomics.add(meeting, arrived, 1) === threads - 1) {
    Atomics.store(meeting, arrived, 0);
    Atomics.add(meeting, meetings, 1);
    Atomics.notify(meeting, meetings);
  } else {
    while (Atomics.load(meeting, meetings) === before) Atomics.wait(meeting, meetings, before);
  }
}

// Unlike `performance.now()`, which counts from the start of its thread.
const now = (): number => Number(process.hrtime.bigint()) / 1e6;

/** `work` does its task so many times. */
function measure(work: (times: number) => void, timesPerRepeat: number, timesToWarmUp: number): Interval[] {
  for (const start = now(); now() - start < warmUp; ) work(timesToWarmUp);
  return Array.from({ length: repeats }, () => {
    meet();
    const start = now();
    work(timesPerRepeat);
    return [start, now()];
  });
}

// Ordinary numbers in the panels: an engine must not gain by zeros, nor lose by denormals.
new Float32Array(memory.buffer, a, (c - a) / 4).fill(0.5);
// And in what is copied: pages that nobody has written to are all one page of zeros, which a cache holds.
new Float32Array(memory.buffer, from, copyBytes / 4).fill(0.5);
const tiles = (times: number): void => multiply(a, b, c, panelDepth, times);
const copies = (times: number): void => {
  for (let i = 0; i < times; i++) copy(from, to, copyBytes);
};
const timings: Timings = { multiply: measure(tiles, tilesPerRepeat, 500), copy: measure(copies, copiesPerRepeat, 1) };
parentPort!.postMessage(timings);
