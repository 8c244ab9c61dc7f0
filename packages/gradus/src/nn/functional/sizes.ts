// Sizes of windows and steps, which PyTorch takes as one number for all spatial dimensions or one for each, and the check
// of what they are applied to.

import { ArgumentError, ShapeError, type Tensor } from "../../tensor/index.ts";

/** One number for every spatial dimension, or a list with one for each. */
export type SpatialSize = number | readonly number[];

const spatialNames = ["L", "H, W", "D, H, W"];

/** What spatial layers of a rank take: "[N, C, H, W] or [C, H, W]". */
const layouts = (rank: number): string => `[N, C, ${spatialNames[rank - 1]}] or [C, ${spatialNames[rank - 1]}]`;

/** A size as it is printed and stands in messages: 3 or (3, 2). */
export const sizeText = (size: SpatialSize | readonly (number | null)[]): string =>
  typeof size === "number" ? String(size) : `(${size.map(String).join(", ")}${size.length === 1 ? "," : ""})`;

/** One number for each of `rank` spatial dimensions. @throws ArgumentError unless they are integers from `minimum` */
export function spatialSizes(
  operation: string,
  name: string,
  value: SpatialSize,
  rank: number,
  minimum: number,
): readonly number[] {
  const sizes = typeof value === "number" ? new Array<number>(rank).fill(value) : value;
  if (sizes.length !== rank || sizes.some((size) => !Number.isInteger(size) || size < minimum)) {
    throw new ArgumentError(
      operation,
      `${name} ${typeof value === "number" ? value : `[${value.join(", ")}]`} does not fit ${rank} spatial dimensions`,
      `Give one integer from ${minimum}, or ${rank} of them.`,
    );
  }
  return sizes;
}

/**
 * The sizes wanted of an output, given as its spatial dimensions or as its whole shape.
 * @throws ArgumentError unless they are integers from 1
 */
export function outputSizes(
  operation: string,
  outputSize: readonly number[],
  x: Tensor,
  rank: number,
): readonly number[] {
  return spatialSizes(
    operation,
    "outputSize",
    outputSize.length === x.ndim ? outputSize.slice(-rank) : outputSize,
    rank,
    1,
  );
}

/** @throws ShapeError unless x is [N, C, ...] or [C, ...] with `rank` spatial dimensions. @param verb "pooled" */
export function checkSpatialInput(operation: string, x: Tensor, rank: number, verb: string): void {
  if (x.ndim === rank + 1 || x.ndim === rank + 2) return;
  throw new ShapeError(
    operation,
    [x.shape],
    `an input of ${x.ndim} dimensions cannot be ${verb}`,
    `Give it ${layouts(rank)}.`,
  );
}
