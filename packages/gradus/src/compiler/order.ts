// The order in which kernels run, so that little memory is alive at a time: of the kernels whose inputs are there, the one
// is next that leaves the least alive behind it (list scheduling). In a training step the gradient of a layer's weights is
// so computed as soon as it can be, and lets go of the layer's input, instead of after the whole backward pass.

import { dtypes, type Node, sizeOf } from "../graph/index.ts";
import type { Kernel } from "./kernel.ts";

const bytesOf = ({ shape, dtype }: Node): number => sizeOf(shape) * dtypes[dtype].bytes;

/**
 * @param kernels in any order; of equals the first is first
 * @param stored what kernels store
 * @param outputs the program's outputs, which are not in its arena
 */
export function orderForMemory(
  kernels: readonly Kernel[],
  stored: ReadonlySet<Node>,
  outputs: ReadonlySet<Node>,
): Kernel[] {
  const producer = new Map<Node, Kernel>();
  for (const kernel of kernels) for (const node of kernel.outputs) producer.set(node, kernel);
  /** Kernels that have yet to read a value. */
  const readersLeft = new Map<Node, number>();
  const readersOf = new Map<Kernel, Kernel[]>();
  const sourcesLeft = new Map<Kernel, number>();
  const inArena = (node: Node): boolean => stored.has(node) && !outputs.has(node);
  for (const kernel of kernels) {
    const sources = new Set<Kernel>();
    for (const node of kernel.reads) {
      readersLeft.set(node, (readersLeft.get(node) ?? 0) + 1);
      const source = producer.get(node);
      if (source !== undefined) sources.add(source);
    }
    sourcesLeft.set(kernel, sources.size);
    for (const source of sources) readersOf.set(source, [...(readersOf.get(source) ?? []), kernel]);
  }

  /** Bytes that are alive after a kernel and were not before it. */
  const growth = ({ outputs: results, reads }: Kernel): number => {
    let bytes = 0;
    for (const node of results) if (inArena(node)) bytes += bytesOf(node);
    for (const node of reads) if (inArena(node) && readersLeft.get(node) === 1) bytes -= bytesOf(node);
    return bytes;
  };

  const result: Kernel[] = [];
  const ready = kernels.filter((kernel) => sourcesLeft.get(kernel) === 0);
  while (ready.length > 0) {
    let best = 0;
    let least = growth(ready[0]);
    for (let i = 1; i < ready.length; i++) {
      const bytes = growth(ready[i]);
      if (bytes < least) [best, least] = [i, bytes];
    }
    const [kernel] = ready.splice(best, 1);
    result.push(kernel);
    for (const node of kernel.reads) readersLeft.set(node, readersLeft.get(node)! - 1);
    for (const reader of readersOf.get(kernel) ?? []) {
      const left = sourcesLeft.get(reader)! - 1;
      sourcesLeft.set(reader, left);
      if (left === 0) ready.push(reader);
    }
  }
  return result;
}
