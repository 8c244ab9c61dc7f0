// Interpolation (`torch.nn.functional.interpolate`), one dimension after the other. Every result along a dimension is a
// weighted sum of a few neighbouring inputs, the *taps*: 2 for linear interpolation, 4 for cubic convolution (Keys, "Cubic
// convolution interpolation for digital image processing", 1981), with the edge repeated beyond the ends. Three ways compute
// it. Where the sizes have a small ratio p / q, the weights repeat every q results, so those are q phases that are sums of
// slices. Else a short dimension is multiplied by the matrix of weights, and from a long one the taps are looked up.
// The product with a matrix, which is mostly zeros, makes what is not finite fill its whole row; the other two do not.

import {
  ArgumentError,
  arange,
  DTypeError,
  isFloat,
  ShapeError,
  stack,
  type Tensor,
  tensor,
  where,
} from "../../tensor/index.ts";
import { averageAlong } from "./adaptive-pooling.ts";
import { extendAlong } from "./padding.ts";
import { type SpatialSize, spatialSizes } from "./sizes.ts";

/**
 * How values between the elements are made. "nearest" takes an element, rounding its position down as PyTorch always did;
 * "nearest-exact" takes the one that is really nearest; "linear", "bilinear" and "trilinear" are for 1, 2 and 3 spatial
 * dimensions, "bicubic" is for 2, the others for all; "area" averages, as adaptive pooling does.
 */
export type InterpolationMode = "nearest" | "nearest-exact" | "linear" | "bilinear" | "trilinear" | "bicubic" | "area";

/** Options of `interpolate`. */
export interface InterpolateOptions {
  /** The size of the result: one number, or one for each spatial dimension. This or `scaleFactor` must be given. */
  readonly size?: SpatialSize | null;
  /** What sizes are multiplied by, above 0, results rounded down: one number, or one for each spatial dimension. */
  readonly scaleFactor?: number | readonly number[] | null;
  /** Default "nearest". */
  readonly mode?: InterpolationMode;
  /**
   * Whether the centers of the corner elements keep their places, rather than the corners of the image. Only for linear and
   * cubic modes. Default false.
   */
  readonly alignCorners?: boolean | null;
  /**
   * Whether distances follow from the sizes, as they do with `size`, rather than from `scaleFactor`, which differs where
   * sizes were rounded. Default false.
   */
  readonly recomputeScaleFactor?: boolean | null;
}

/** Where the results along one dimension stand in the input. */
interface Grid {
  /** The number of inputs and of results. */
  readonly length: number;
  readonly count: number;
  /** The distance of neighbouring results in the input. */
  readonly scale: number;
  /** Whether the first result stands on the first input, rather than the beginning of the first on its beginning. */
  readonly aligned: boolean;
}

type Resample = (x: Tensor, axis: number, grid: Grid) => Tensor;

/** What should be an integer may come out just below it as a product of fractions. */
const rounding = 1e-9;

// Nearest elements -------------------------------------------------------------------------------------------------------

const everyAxisButOne = (ndim: number, axis: number, extent: number): number[] =>
  Array.from({ length: ndim }, (_, i) => (i === axis ? extent : 1));

/** @param offset 0, or one half to compare the centers of elements */
const nearest =
  (offset: number): Resample =>
  (x, axis, { length, count, scale }) => {
    if (count === length && scale === 1) return x;
    if (count % length === 0 && scale === length / count) {
      const shape = [...x.shape.slice(0, axis + 1), count / length, ...x.shape.slice(axis + 1)];
      return x
        .unsqueeze(axis + 1)
        .expand(shape)
        .flatten(axis, axis + 1);
    }
    const step = length / count;
    if (Number.isInteger(step) && scale === step) return x.slice(axis, Math.floor(offset * step), null, step);
    const positions = Array.from({ length: count }, (_, i) =>
      Math.min(length - 1, Math.floor((i + offset) * scale + rounding)),
    );
    return x.indexSelect(axis, tensor(positions, { dtype: "int32" }));
  };

// Weighted sums ----------------------------------------------------------------------------------------------------------

/** The weights of the taps for a result at a distance from 0 to 1 after the tap in the middle (or before it). */
type Kernel = (distance: number) => readonly number[];

const linear: Kernel = (distance) => [1 - distance, distance];

/** Keys's kernel with a = -3 / 4, which PyTorch and OpenCV take. */
const cubic: Kernel = (distance) => {
  const a = -0.75;
  const near = (t: number): number => ((a + 2) * t - (a + 3)) * t * t + 1;
  const far = (t: number): number => ((t - 5) * t + 8) * a * t - 4 * a;
  return [far(1 + distance), near(distance), near(1 - distance), far(2 - distance)];
};

/** The position of the first tap, which may lie before the input, and the weights of all. */
interface Taps {
  readonly first: number;
  readonly weights: readonly number[];
}

function tapsOf(kernel: Kernel, { scale, aligned }: Grid, i: number): Taps {
  const position = aligned ? i * scale : (i + 0.5) * scale - 0.5;
  const whole = Math.floor(position + rounding);
  const weights = kernel(Math.max(0, position - whole));
  return { first: whole - (weights.length / 2 - 1), weights };
}

/** More phases than this are not taken apart: each is an expression of its own. */
const mostPhases = 8;

/** The ratio p / q of the distance of results to that of inputs, if q is small. */
function smallRatio(scale: number): { p: number; q: number } | null {
  for (let q = 1; q <= mostPhases; q++) {
    const p = Math.round(scale * q);
    if (p >= 1 && Math.abs(p - scale * q) < 1e-9) return { p, q };
  }
  return null;
}

/** Result q i + r is the sum of weights of phase r times inputs p i + (position of the tap): slices with a step of p. */
function byPhases(x: Tensor, axis: number, grid: Grid, kernel: Kernel, { p, q }: { p: number; q: number }): Tensor {
  const blocks = Math.ceil(grid.count / q);
  const phases = Array.from({ length: q }, (_, r) => tapsOf(kernel, grid, r));
  const reach = p * (blocks - 1);
  const lowest = Math.min(...phases.map(({ first }) => first));
  const highest = Math.max(...phases.map(({ first, weights }) => first + weights.length - 1)) + reach;
  const before = Math.max(0, -lowest);
  const padded = extendAlong(x, axis, before, Math.max(0, highest - grid.length + 1), "replicate");
  const sums = phases.map(({ first, weights }) =>
    weights
      .flatMap((weight, tap) => {
        if (weight === 0) return [];
        const from = before + first + tap;
        const part = padded.slice(axis, from, from + reach + 1, p);
        return [weight === 1 ? part : part.mul(weight)];
      })
      .reduce((sum, part) => sum.add(part)),
  );
  const whole = interleave(sums, axis);
  return grid.count === whole.shape[axis] ? whole : whole.narrow(axis, 0, grid.count);
}

/** Element i of every part, then element i + 1 of every part. */
function interleave(parts: readonly Tensor[], axis: number): Tensor {
  const [first, second] = parts;
  if (parts.length === 1) return first;
  if (parts.length > 2) return stack(parts, axis + 1).flatten(axis, axis + 1);
  // Of two, the even and the odd results are chosen as they are needed, which joins other maps; stacking is a copy.
  const shape = [...first.shape.slice(0, axis + 1), 2, ...first.shape.slice(axis + 1)];
  const isEven = arange(2)
    .reshape(everyAxisButOne(shape.length, axis + 1, 2))
    .eq(0);
  return where(isEven, first.unsqueeze(axis + 1), second.unsqueeze(axis + 1)).flatten(axis, axis + 1);
}

/** Dimensions up to this length are multiplied by a matrix: look-ups and above all their gradient cost more. */
const longestForMatrix = 128;

function resample(x: Tensor, axis: number, grid: Grid, kernel: Kernel): Tensor {
  const { length, count, scale } = grid;
  if (count === length && scale === 1) return x;
  // A single aligned result stands on the first input.
  const ratio = count === 1 ? { p: 1, q: 1 } : smallRatio(scale);
  if (ratio !== null) return byPhases(x, axis, grid, kernel, ratio);
  const taps = Array.from({ length: count }, (_, i) => tapsOf(kernel, grid, i));
  const clamped = (position: number): number => Math.min(length - 1, Math.max(0, position));
  const columns = kernel(0).map((_, tap) => ({
    positions: tensor(
      taps.map(({ first }) => clamped(first + tap)),
      { dtype: "int32" },
    ),
    weights: tensor(
      taps.map(({ weights }) => weights[tap]),
      { dtype: x.dtype },
    ),
  }));
  if (length > longestForMatrix) {
    const along = everyAxisButOne(x.ndim, axis, count);
    return columns
      .map(({ positions, weights }) => x.indexSelect(axis, positions).mul(weights.reshape(along)))
      .reduce((sum, part) => sum.add(part));
  }
  const inputs = arange(length).reshape([length, 1]);
  const matrix = columns
    .map(({ positions, weights }) => where(inputs.eq(positions), weights, 0))
    .reduce((sum, part) => sum.add(part));
  const last = x.ndim - 1;
  return x.transpose(axis, last).matmul(matrix).transpose(axis, last);
}

// Modes ------------------------------------------------------------------------------------------------------------------

interface ModeRow {
  readonly resample: Resample;
  /** The only number of spatial dimensions that it is for, if there is one. */
  readonly rank?: number;
  /** Whether it makes values that the input does not have, and so takes floats only. */
  readonly makesValues: boolean;
  /** Whether it heeds `alignCorners`. */
  readonly heedsCorners: boolean;
}

const smooth = (kernel: Kernel, rank: number): ModeRow => ({
  resample: (x, axis, grid) => {
    // PyTorch leaves a size that stays alone in linear modes, whatever factor it was rounded down from.
    return kernel === linear && grid.count === grid.length ? x : resample(x, axis, grid, kernel);
  },
  rank,
  makesValues: true,
  heedsCorners: true,
});

const modes: { readonly [M in InterpolationMode]: ModeRow } = {
  nearest: { resample: nearest(0), makesValues: false, heedsCorners: false },
  "nearest-exact": { resample: nearest(0.5), makesValues: false, heedsCorners: false },
  linear: smooth(linear, 1),
  bilinear: smooth(linear, 2),
  trilinear: smooth(linear, 3),
  bicubic: smooth(cubic, 2),
  area: { resample: (x, axis, { count }) => averageAlong(x, axis, count), makesValues: true, heedsCorners: false },
};

/** The sizes of the result, and the factor for each dimension unless distances follow from the sizes. */
function sizesOf(
  x: Tensor,
  options: InterpolateOptions,
): { sizes: readonly number[]; factors: readonly number[] | null } {
  const rank = x.ndim - 2;
  const size = options.size ?? null;
  const scaleFactor = options.scaleFactor ?? null;
  if ((size === null) === (scaleFactor === null)) {
    throw new ArgumentError(
      "interpolate",
      `${size === null ? "neither" : "both"} size and scaleFactor are given`,
      "Give one of them.",
    );
  }
  if (size !== null) return { sizes: spatialSizes("interpolate", "size", size, rank, 1), factors: null };
  const factors = typeof scaleFactor === "number" ? new Array<number>(rank).fill(scaleFactor) : scaleFactor!;
  if (factors.length !== rank || !factors.every((factor) => factor > 0 && Number.isFinite(factor))) {
    throw new ArgumentError(
      "interpolate",
      `scaleFactor ${factors.join(", ")} does not fit ${rank} spatial dimensions`,
      `Give one number above 0, or ${rank} of them.`,
    );
  }
  const sizes = factors.map((factor, i) => Math.floor(x.shape[i + 2] * factor));
  return { sizes, factors: options.recomputeScaleFactor ? null : factors };
}

function checkArguments(x: Tensor, mode: InterpolationMode, alignCorners: boolean | null): void {
  if (x.ndim < 3 || x.ndim > 5) {
    throw new ShapeError(
      "interpolate",
      [x.shape],
      `an input of ${x.ndim} dimensions cannot be interpolated`,
      "Give it [N, C, L], [N, C, H, W] or [N, C, D, H, W].",
    );
  }
  if (!Object.hasOwn(modes, mode)) {
    throw new ArgumentError(
      "interpolate",
      `there is no mode "${mode}"`,
      `Use one of ${Object.keys(modes).join(", ")}.`,
    );
  }
  const { rank, makesValues, heedsCorners } = modes[mode];
  if (rank !== undefined && rank !== x.ndim - 2) {
    throw new ShapeError(
      "interpolate",
      [x.shape],
      `mode "${mode}" is for ${rank + 2} dimensions, not for ${x.ndim}`,
      `Use "${x.ndim === 3 ? "linear" : x.ndim === 4 ? "bilinear" : "trilinear"}", or "nearest" for any.`,
    );
  }
  if (!heedsCorners && alignCorners !== null) {
    throw new ArgumentError("interpolate", `alignCorners means nothing in mode "${mode}"`, "Leave it out.");
  }
  if (makesValues && !isFloat(x.dtype)) {
    throw new DTypeError(
      "interpolate",
      [x.dtype],
      `mode "${mode}" makes numbers between those of the input`,
      'Cast the input with .to("float32").',
    );
  }
}

/**
 * Resizes the spatial dimensions (`torch.nn.functional.interpolate`).
 *
 * @param x [N, C, L], [N, C, H, W] or [N, C, D, H, W]; any dtype for the nearest modes, else floats
 * @returns the same dtype, sizes as `size` says or floor(size times `scaleFactor`)
 * @throws ArgumentError unless one of `size` and `scaleFactor` is given and options fit the mode
 * @throws ShapeError where the mode is not for so many dimensions, or a size becomes 0
 * @example
 * F.interpolate(x, { scaleFactor: 2 }); // [N, C, 8, 8] to [N, C, 16, 16], every element four times
 * F.interpolate(x, { size: [20, 30], mode: "bilinear" }); // to [N, C, 20, 30]
 */
export function interpolate(x: Tensor, options: InterpolateOptions): Tensor {
  const mode = options.mode ?? "nearest";
  checkArguments(x, mode, options.alignCorners ?? null);
  const { sizes, factors } = sizesOf(x, options);
  if ([...sizes, ...x.shape.slice(2)].includes(0)) {
    throw new ShapeError("interpolate", [x.shape], `sizes ${sizes.join(", ")} cannot be made`, "No size may be 0.");
  }
  const aligned = options.alignCorners ?? false;
  let result = x;
  // The last dimension first: the others, which are quicker, then work on what it has made larger.
  for (let i = sizes.length - 1; i >= 0; i--) {
    const [length, count] = [x.shape[i + 2], sizes[i]];
    const distance = factors === null ? length / count : 1 / factors[i];
    const scale = aligned ? (count > 1 ? (length - 1) / (count - 1) : 0) : distance;
    result = modes[mode].resample(result, i + 2, { length, count, scale, aligned });
  }
  return result;
}
