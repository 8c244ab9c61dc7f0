// The dimensions of a contraction by their role: batch, rows, columns, common.

import { type Node, sizeOf } from "../../graph/index.ts";
import type { Index } from "../index-expression.ts";

/** The labels of one role and their extents, in the order in which they are walked. */
export interface Dimensions {
  readonly labels: string;
  readonly extents: readonly number[];
  readonly size: number;
}

/** Indices into the dimensions of one role. */
export interface Part {
  readonly dimensions: Dimensions;
  readonly at: readonly Index[];
}

export function dimensionsOf(
  labels: string,
  operands: readonly { readonly node: Node; readonly labels: string }[],
): Dimensions {
  const extents = [...labels].map((label) => {
    const owner = operands.find((operand) => operand.labels.includes(label))!;
    return owner.node.shape[owner.labels.indexOf(label)];
  });
  return { labels, extents, size: sizeOf(extents) };
}

/** The index of every label, from the part that has it. */
export function positionOf(labels: string, parts: readonly Part[]): Index[] {
  return [...labels].map((label) => {
    const part = parts.find(({ dimensions }) => dimensions.labels.includes(label))!;
    return part.at[part.dimensions.labels.indexOf(label)];
  });
}
