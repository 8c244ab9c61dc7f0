// What a contraction is to the engine: two operands by the labels of their dimensions, and what becomes of the results.
// Dimensions have a role: batch, rows, columns, common.

import { sizeOf } from "../../graph/index.ts";
import type { Index } from "../index-expression.ts";
import type { BufferReference, Expression } from "../ir.ts";

export interface Operand {
  /** One for each dimension. */
  readonly labels: string;
  readonly shape: readonly number[];
  /** The element at a position; what it loads is loaded where the guard holds. */
  readonly at: (position: readonly Index[], guard: Expression | null) => Expression;
}

/** A value of the epilogue and where it goes. */
export interface Result {
  readonly buffer: BufferReference;
  readonly index: Index;
  readonly value: Expression;
}

/** A sum over the labels that both operands have and `out` has not. */
export interface Product {
  /** Names its memory. */
  readonly name: string;
  readonly a: Operand;
  readonly b: Operand;
  readonly out: string;
  /** What is stored of a sum that is the `flat`-th in row-major order over `out`. */
  readonly finish: (flat: Index, sum: Expression) => readonly Result[];
}

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

export function dimensionsOf(labels: string, operands: readonly Operand[]): Dimensions {
  const extents = [...labels].map((label) => {
    const owner = operands.find((operand) => operand.labels.includes(label))!;
    return owner.shape[owner.labels.indexOf(label)];
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
