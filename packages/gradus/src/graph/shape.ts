// Arithmetic on shapes: sizes, strides, axes and PyTorch's broadcasting.

import { ArgumentError, ShapeError } from "./errors.ts";

/** The extent of each dimension; `[]` is that of a scalar. */
export type Shape = readonly number[];

/** The number of elements of a shape. */
export function sizeOf(shape: Shape): number {
  let size = 1;
  for (const extent of shape) size *= extent;
  return size;
}

/** @throws ArgumentError unless every extent is an integer from 0 */
export function checkShape(operation: string, shape: Shape): void {
  for (const extent of shape) {
    if (!Number.isInteger(extent) || extent < 0)
      throw new ArgumentError(operation, `${extent} is no size of a dimension`, "Sizes are integers from 0.");
  }
}

/** Row-major strides, in elements. */
export function stridesOf(shape: Shape): number[] {
  const strides = new Array<number>(shape.length);
  let stride = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    strides[axis] = stride;
    stride *= shape[axis];
  }
  return strides;
}

export function sameShape(a: Shape, b: Shape): boolean {
  if (a === b) return true;
  if (a.length !== b.length) return false;
  for (let axis = 0; axis < a.length; axis++) if (a[axis] !== b[axis]) return false;
  return true;
}

/** `count` neighbouring axes: start, start + 1, ... */
export function axesFrom(start: number, count: number): number[] {
  const axes = new Array<number>(count);
  for (let i = 0; i < count; i++) axes[i] = start + i;
  return axes;
}

/** The axis counted from the front, for an axis that may count from the back. */
export function normalizeAxis(operation: string, axis: number, rank: number): number {
  if (!Number.isInteger(axis) || axis < -Math.max(rank, 1) || axis >= Math.max(rank, 1)) {
    throw new ArgumentError(
      operation,
      `dimension ${axis} is out of range for a tensor of ${rank} dimensions`,
      `Dimensions run from ${-Math.max(rank, 1)} to ${Math.max(rank, 1) - 1}.`,
    );
  }
  return axis < 0 ? axis + Math.max(rank, 1) : axis;
}

/** Sorted unique axes; `undefined` means all of them. */
export function normalizeAxes(operation: string, axes: number | readonly number[] | undefined, rank: number): number[] {
  if (axes === undefined) return axesFrom(0, rank);
  if (typeof axes === "number") {
    const axis = normalizeAxis(operation, axes, rank);
    return rank === 0 ? [] : [axis];
  }
  const list = axes.map((axis) => normalizeAxis(operation, axis, rank));
  const unique = [...new Set(list)].sort((a, b) => a - b);
  if (unique.length !== list.length)
    throw new ArgumentError(operation, `dimension ${list.join(", ")} appears more than once`);
  return rank === 0 ? [] : unique;
}

/** The common shape of several shapes under PyTorch's broadcasting rules. */
export function broadcastShapes(operation: string, ...shapes: readonly Shape[]): Shape {
  const [first] = shapes;
  if (shapes.length === 2 && sameShape(first, shapes[1])) return first;
  const rank = Math.max(0, ...shapes.map((shape) => shape.length));
  const result = new Array<number>(rank).fill(1);
  for (const shape of shapes) {
    for (let axis = 0; axis < shape.length; axis++) {
      const target = rank - shape.length + axis;
      const extent = shape[axis];
      if (extent === 1 || extent === result[target]) continue;
      if (result[target] !== 1) {
        throw new ShapeError(
          operation,
          shapes,
          `the shapes do not broadcast: dimension ${target - rank} is ${result[target]} in one and ${extent} in another`,
          "Dimensions, counted from the last, must be equal or one of them 1.",
        );
      }
      result[target] = extent;
    }
  }
  return result;
}
