// Pass 4, plan: every intermediate value gets an offset in one arena, so that values that do not live at the same time
// share memory. Values are placed in order of falling size, each at the lowest offset that is free for its whole life
// (greedy by size: Pisarchyk and Lee, "Efficient memory management for deep neural net inference", 2020).
// The plan also says where threads must meet: only where a kernel touches what another has written since the last time.

import { dtypes } from "../graph/index.ts";
import type { BufferReference } from "./ir.ts";

/** What one kernel reads and writes. Its own workspace is both. */
export interface KernelAccess {
  readonly reads: readonly BufferReference[];
  readonly writes: readonly BufferReference[];
}

export interface MemoryPlan {
  readonly offsets: ReadonlyMap<BufferReference, number>;
  readonly arenaBytes: number;
  /** The most bytes that are alive at one time: what no plan can go below. */
  readonly liveBytes: number;
  /** For every kernel whether a barrier stands before it. */
  readonly barriers: readonly boolean[];
}

interface Life {
  readonly buffer: BufferReference;
  readonly bytes: number;
  readonly first: number;
  readonly last: number;
}

/** A cache line, so that threads do not share one between two values. */
const alignment = 64;
const aligned = (bytes: number): number => Math.ceil(bytes / alignment) * alignment;

export const bytesOf = (buffer: BufferReference): number => buffer.elements * dtypes[buffer.dtype].bytes;

export function plan(kernels: readonly KernelAccess[]): MemoryPlan {
  const lives = livesOf(kernels);
  const offsets = new Map<BufferReference, number>();
  const placed: (Life & { offset: number })[] = [];
  let arenaBytes = 0;
  for (const life of [...lives].sort((a, b) => b.bytes - a.bytes || a.first - b.first)) {
    const neighbours = placed
      .filter((other) => other.first <= life.last && life.first <= other.last)
      .sort((a, b) => a.offset - b.offset);
    let offset = 0;
    for (const other of neighbours) {
      if (offset + life.bytes <= other.offset) break;
      offset = Math.max(offset, other.offset + other.bytes);
    }
    offsets.set(life.buffer, offset);
    placed.push({ ...life, offset });
    arenaBytes = Math.max(arenaBytes, offset + life.bytes);
  }
  return { offsets, arenaBytes, liveBytes: peakOf(lives, kernels.length), barriers: barriersOf(kernels, offsets) };
}

function livesOf(kernels: readonly KernelAccess[]): Life[] {
  const lives = new Map<BufferReference, Life>();
  kernels.forEach(({ reads, writes }, i) => {
    for (const buffer of [...writes, ...reads]) {
      if (buffer.space !== "arena") continue;
      const first = lives.get(buffer)?.first ?? i;
      lives.set(buffer, { buffer, bytes: aligned(bytesOf(buffer)), first, last: i });
    }
  });
  return [...lives.values()];
}

function peakOf(lives: readonly Life[], kernels: number): number {
  let peak = 0;
  for (let i = 0; i < kernels; i++) {
    const alive = lives.reduce((sum, life) => (life.first <= i && i <= life.last ? sum + life.bytes : sum), 0);
    peak = Math.max(peak, alive);
  }
  return peak;
}

/** Memory as a place and a range; two values in the arena may share it, others only with themselves. */
interface Range {
  readonly place: string;
  readonly start: number;
  readonly end: number;
}

function rangeOf(buffer: BufferReference, offsets: ReadonlyMap<BufferReference, number>): Range {
  if (buffer.space !== "arena") return { place: `${buffer.space}:${buffer.name}`, start: 0, end: 1 };
  const start = offsets.get(buffer)!;
  return { place: "arena", start, end: start + aligned(bytesOf(buffer)) };
}

const overlap = (a: Range, b: Range): boolean => a.place === b.place && a.start < b.end && b.start < a.end;

function barriersOf(kernels: readonly KernelAccess[], offsets: ReadonlyMap<BufferReference, number>): boolean[] {
  let read: Range[] = [];
  let written: Range[] = [];
  return kernels.map(({ reads, writes }) => {
    const reading = reads.map((buffer) => rangeOf(buffer, offsets));
    const writing = writes.map((buffer) => rangeOf(buffer, offsets));
    const conflict =
      reading.some((range) => written.some((other) => overlap(range, other))) ||
      writing.some((range) => [...read, ...written].some((other) => overlap(range, other)));
    if (conflict) {
      read = [];
      written = [];
    }
    read.push(...reading);
    written.push(...writing);
    return conflict;
  });
}
