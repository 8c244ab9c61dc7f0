// Loops over all indices of a shape, in row-major order.

import { type Shape, sizeOf } from "../../graph/index.ts";

/** Calls `visit` with every index of a shape and its row-major position. The index array is reused: do not keep it. */
export function eachIndex(shape: Shape, visit: (index: readonly number[], position: number) => void): void {
  const size = sizeOf(shape);
  const index = new Array<number>(shape.length).fill(0);
  for (let position = 0; position < size; position++) {
    visit(index, position);
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      if (++index[axis] < shape[axis]) break;
      index[axis] = 0;
    }
  }
}

/** The position of an index in memory with the given strides. */
export function positionOf(index: readonly number[], strides: readonly number[]): number {
  let position = 0;
  for (let axis = 0; axis < strides.length; axis++) position += index[axis] * strides[axis];
  return position;
}

/** An array of a shape, every element made from its index. */
export function build(shape: Shape, element: (index: readonly number[], position: number) => number): Float64Array {
  const result = new Float64Array(sizeOf(shape));
  eachIndex(shape, (index, position) => {
    result[position] = element(index, position);
  });
  return result;
}

/** The index with its entry at `axis` replaced. */
export function replaced(index: readonly number[], axis: number, entry: number): number[] {
  const result = [...index];
  result[axis] = entry;
  return result;
}
