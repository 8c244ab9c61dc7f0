// Sizes of windows and steps, which PyTorch takes as one number for all spatial dimensions or one for each.

import { ArgumentError } from "../../tensor/index.ts";

/** One number for every spatial dimension, or a list with one for each. */
export type SpatialSize = number | readonly number[];

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
