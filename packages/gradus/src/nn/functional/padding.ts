// Padding (`torch.nn.functional.pad`) by constants, by reflection, by the edge, and around the corner. Every dimension is
// padded by itself: what comes before and after it are slices of the input, so the gradient is slices and sums, and no
// look-up is made.

import { ArgumentError, cat, ShapeError, type Tensor } from "../../tensor/index.ts";
import type { PaddingPairs } from "./conv.ts";

/**
 * What padding is made of: "constant" a number; "reflect" the input mirrored at its edge, which is not repeated;
 * "replicate" the edge, repeated; "circular" the other end of the input.
 */
export type PaddingMode = "constant" | "reflect" | "replicate" | "circular";

/** Options of `pad`. */
export interface PadOptions {
  /** Default "constant". */
  readonly mode?: PaddingMode;
  /** The number that mode "constant" pads with. Default 0. */
  readonly value?: number;
}

/** What continues an input beyond its ends. */
interface Border {
  /** How much of it there is for a dimension of a length. */
  readonly most: (length: number) => number;
  readonly before: (x: Tensor, axis: number, amount: number) => Tensor;
  readonly after: (x: Tensor, axis: number, amount: number) => Tensor;
}

const repeated = (edge: Tensor, axis: number, amount: number): Tensor =>
  edge.expand(edge.shape.map((extent, i) => (i === axis ? amount : extent)));

const borders: { readonly [M in Exclude<PaddingMode, "constant">]: Border } = {
  reflect: {
    most: (length) => length - 1,
    before: (x, axis, amount) => x.narrow(axis, 1, amount).flip(axis),
    after: (x, axis, amount) => x.narrow(axis, x.shape[axis] - 1 - amount, amount).flip(axis),
  },
  replicate: {
    most: (length) => (length > 0 ? Number.POSITIVE_INFINITY : 0),
    before: (x, axis, amount) => repeated(x.narrow(axis, 0, 1), axis, amount),
    after: (x, axis, amount) => repeated(x.narrow(axis, x.shape[axis] - 1, 1), axis, amount),
  },
  circular: {
    most: (length) => length,
    before: (x, axis, amount) => x.narrow(axis, x.shape[axis] - amount, amount),
    after: (x, axis, amount) => x.narrow(axis, 0, amount),
  },
};

/** The input continued along one dimension, by amounts from 0. */
export function extendAlong(
  x: Tensor,
  axis: number,
  before: number,
  after: number,
  mode: Exclude<PaddingMode, "constant">,
): Tensor {
  const border = borders[mode];
  const length = x.shape[axis];
  if (Math.max(before, after) > border.most(length)) {
    throw new ShapeError(
      "pad",
      [x.shape],
      `mode "${mode}" cannot add ${before} and ${after} to dimension ${axis} of ${length}`,
      `Add at most ${border.most(length)} on each side.`,
    );
  }
  if (before === 0 && after === 0) return x;
  return cat(
    [...(before > 0 ? [border.before(x, axis, before)] : []), x, ...(after > 0 ? [border.after(x, axis, after)] : [])],
    axis,
  );
}

/** Cuts off what negative amounts say. */
function cropAlong(x: Tensor, axis: number, before: number, after: number): Tensor {
  const start = Math.max(0, -before);
  const rest = x.shape[axis] - start - Math.max(0, -after);
  if (rest < 0) {
    throw new ShapeError("pad", [x.shape], `cropping ${-before} and ${-after} leaves less than nothing`);
  }
  return rest === x.shape[axis] ? x : x.narrow(axis, start, rest);
}

/**
 * Pads the last dimensions (`torch.nn.functional.pad`). Unlike PyTorch's, every mode takes any number of dimensions.
 *
 * @param padding pairs (before, after), the last dimension first: `[1, 1, 2, 2]` adds a column on the left and right and
 * two rows above and below. Negative amounts crop.
 * @throws ArgumentError unless there is a pair of integers for each dimension, or for an unknown mode
 * @throws ShapeError where the input is too short to be mirrored or repeated that far
 * @example
 * const framed = F.pad(images, [1, 1, 1, 1], { mode: "reflect" }); // [N, C, H, W] to [N, C, H + 2, W + 2]
 */
export function pad(x: Tensor, padding: readonly number[], { mode = "constant", value = 0 }: PadOptions = {}): Tensor {
  if (mode === "constant") return x.pad(padding, value);
  if (!Object.hasOwn(borders, mode)) {
    throw new ArgumentError(
      "pad",
      `there is no mode "${mode}"`,
      'Use "constant", "reflect", "replicate" or "circular".',
    );
  }
  if (padding.length % 2 !== 0 || padding.length > 2 * x.ndim || !padding.every(Number.isInteger)) {
    throw new ArgumentError(
      "pad",
      `${padding.length} amounts, ${padding.join(", ")}, do not fit ${x.ndim} dimensions`,
      "Give a pair of integers for each dimension, the last one first.",
    );
  }
  let result = x;
  for (let pair = 0; pair < padding.length / 2; pair++) {
    const axis = x.ndim - 1 - pair;
    const [before, after] = padding.slice(2 * pair, 2 * pair + 2);
    const extend = (of: Tensor): Tensor => extendAlong(of, axis, Math.max(0, before), Math.max(0, after), mode);
    const crop = (of: Tensor): Tensor => cropAlong(of, axis, before, after);
    // As PyTorch does: what is cropped can still be mirrored, but it is not what comes around the corner.
    result = mode === "circular" ? extend(crop(result)) : crop(extend(result));
  }
  return result;
}

/** Pads the last dimensions by pairs that stand in their order, the first of them first. */
export function padPairs(x: Tensor, { low, high }: PaddingPairs, options: PadOptions): Tensor {
  const amounts = low.map((before, i) => [before, high[i]]).reverse();
  return pad(x, amounts.flat(), options);
}
