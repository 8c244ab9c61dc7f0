// Kernels that are alike but for where their data lie, as the layers of a network often are: lowered once, their loops serve
// all of them under other names of buffers.

import type { Node } from "../graph/index.ts";
import type { BufferReference } from "./ir.ts";
import type { Kernel } from "./kernel.ts";
import type { Stores } from "./lower/map-reduce.ts";
import type { Storage } from "./lower/values.ts";
import { isStaged } from "./stages.ts";

export interface Likeness {
  /** Equal for groups of kernels whose loops are the same. */
  readonly key: string;
  /** The buffers of other kernels that these read and write; where keys are equal they correspond in this order. */
  readonly buffers: readonly BufferReference[];
}

/** What a group of kernels computes, from values and into places that have numbers instead of names. */
export function likenessOf(group: readonly Kernel[], storage: Storage, stores: Stores): Likeness {
  const kernels = group.flatMap((kernel) => (isStaged(kernel) ? kernel.stages.map((stage) => stage.kernel) : [kernel]));
  const own = new Set(kernels.flatMap(({ outputs, anchors }) => [...outputs, ...anchors]));
  const numbers = new Map<Node, number>();
  const buffers: BufferReference[] = [];
  const parts: (string | number)[] = [];
  const visit = (node: Node): number => {
    const known = numbers.get(node);
    if (known !== undefined) return known;
    const buffer = own.has(node) ? undefined : storage.bufferOf(node);
    const inputs = buffer === undefined ? node.inputs.map(visit) : [];
    if (buffer === undefined) parts.push(`n${node.kind.id}`, ...inputs, storage.isShared(node) ? "s" : "");
    else {
      parts.push(`b${node.kind.type.id}`, buffer.space === "scalars" ? "s" : "");
      buffers.push(buffer);
    }
    numbers.set(node, numbers.size);
    return numbers.size - 1;
  };
  for (const kernel of group) {
    parts.push(kernel.kind);
    if (!isStaged(kernel)) describe(kernel, []);
    else {
      parts.push(kernel.rows);
      for (const stage of kernel.stages) describe(stage.kernel, stage.pinned);
      parts.push("internal", ...[...kernel.internal].map(visit).sort((a, b) => a - b));
    }
  }
  function describe({ kind, shape, anchors, outputs }: Kernel, pinned: readonly number[]): void {
    parts.push(`k${kind}`, ...shape, "a", ...anchors.map(visit), "p", ...pinned);
    for (const node of outputs) {
      const places = stores(node);
      parts.push("o", visit(node), places.length);
      buffers.push(...places);
    }
  }
  return { key: parts.join(" "), buffers };
}
