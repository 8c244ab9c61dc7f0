// Reading images at other places than their own pixels: at whole positions that differ from image to image, and at points
// between pixels, by bilinear interpolation. Each is one look-up in the flattened image for each pixel that is read, and
// its places may be computed on the device. After `torch.nn.functional.grid_sample` and `affine_grid`; their use in
// networks: M. Jaderberg, K. Simonyan, A. Zisserman, K. Kavukcuoglu, "Spatial transformer networks", 2015.

import { ArgumentError, arange, ShapeError, stack, type Tensor, where } from "gradus";
import { checkInterpolation, type Interpolation } from "./transform.ts";

/** What lies beyond an image's border. */
export type PaddingMode = "constant" | "edge" | "reflect" | "symmetric";

/** Positions from anywhere, int32, to those of a side of `extent` pixels. */
const folded: { readonly [M in PaddingMode]: (positions: Tensor, extent: number) => Tensor } = {
  // What is read there is replaced afterwards.
  constant: (positions, extent) => positions.clamp(0, extent - 1),
  edge: (positions, extent) => positions.clamp(0, extent - 1),
  // ... 2 1 | 0 1 2 3 | 2 1 ...: the border's pixels stand once.
  reflect: (positions, extent) => {
    if (extent === 1) return positions.mul(0);
    const last = extent - 1;
    return positions
      .remainder(2 * last)
      .sub(last)
      .abs()
      .rsub(last);
  },
  // ... 1 0 | 0 1 2 3 | 3 2 ...: the border's pixels stand twice.
  symmetric: (positions, extent) => {
    const within = positions.remainder(2 * extent);
    return where(within.lt(extent), within, within.rsub(2 * extent - 1));
  },
};

/** Whether positions lie within a side of `extent` pixels. */
const isWithin = (positions: Tensor, extent: number): Tensor => positions.ge(0).logicalAnd(positions.lt(extent));

/** What pixels beyond the border are. */
export interface PickOptions {
  /** Default "constant". */
  readonly paddingMode?: PaddingMode;
  /** What pixels beyond the border are in mode "constant": a number, or a tensor that broadcasts to the result. Default 0. */
  readonly fill?: number | Tensor;
}

/**
 * @param known a table with a row for each mode; by default those of whole pixels
 * @throws ArgumentError for a mode that is none
 */
export function checkPaddingMode(operation: string, mode: string, known: object = folded): void {
  if (!Object.hasOwn(known, mode)) {
    throw new ArgumentError(
      operation,
      `"${mode}" is no padding mode`,
      `Use one of ${Object.keys(known)
        .map((name) => `"${name}"`)
        .join(", ")}.`,
    );
  }
}

/**
 * The pixels at whole positions of rows and columns, which may lie beyond the border.
 *
 * @param images [N, C, H, W]
 * @param rows int32 [N or 1, h, w] or what broadcasts to it, such as [N, h, 1]
 * @param columns int32, as rows, such as [N, 1, w]
 * @returns [N, C, h, w]
 */
export function pickPixels(
  images: Tensor,
  rows: Tensor,
  columns: Tensor,
  { paddingMode = "constant", fill = 0 }: PickOptions = {},
): Tensor {
  const [count, channels, height, width] = images.shape;
  const fold = folded[paddingMode];
  const places = fold(rows, height).mul(width).add(fold(columns, width));
  const [, outHeight, outWidth] = places.shape;
  const pixels = lookUp(images, places.expand([count, outHeight, outWidth]));
  if (paddingMode !== "constant") return pixels;
  const inside = isWithin(rows, height).logicalAnd(isWithin(columns, width));
  return where(inside.expand([count, outHeight, outWidth]).unsqueeze(1), pixels, fill).reshape([
    count,
    channels,
    outHeight,
    outWidth,
  ]);
}

/** Pixels of [N, C, H, W] at positions within a flattened image, int32 [N, h, w], which are those of every channel. */
function lookUp(images: Tensor, places: Tensor): Tensor {
  const [count, channels, height, width] = images.shape;
  const [, outHeight, outWidth] = places.shape;
  const flat = images.reshape([count, channels, height * width]);
  const index = places.reshape([count, 1, outHeight * outWidth]).expand([count, channels, outHeight * outWidth]);
  return flat.gather(2, index).reshape([count, channels, outHeight, outWidth]);
}

/** Options of `affineGrid`. */
export interface AffineGridOptions {
  /** Whether -1 and 1 mean the middles of the outermost pixels, instead of their outer edges. Default false. */
  readonly alignCorners?: boolean;
}

/**
 * The points at which an affine map has each pixel of its result read (`torch.nn.functional.affine_grid`).
 *
 * @param theta float [N, 2, 3]: from a point (x, y, 1) of the result to one of the image, both from -1 to 1
 * @param size the shape of the result, [N, C, H, W]
 * @returns [N, H, W, 2], for `gridSample`
 */
export function affineGrid(
  theta: Tensor,
  size: readonly number[],
  { alignCorners = false }: AffineGridOptions = {},
): Tensor {
  if (theta.ndim !== 3 || theta.shape[1] !== 2 || theta.shape[2] !== 3 || size.length !== 4) {
    throw new ShapeError("affineGrid", [theta.shape, size], "theta must be [N, 2, 3] and the size [N, C, H, W]");
  }
  const [, , height, width] = size;
  // The middles of n pixels, from -1 to 1.
  const middles = (n: number): Tensor =>
    alignCorners
      ? arange(0, n, 1, { dtype: theta.dtype })
          .mul(n > 1 ? 2 / (n - 1) : 0)
          .sub(n > 1 ? 1 : 0)
      : arange(0, n, 1, { dtype: theta.dtype })
          .mul(2 / n)
          .add(1 / n - 1);
  const x = middles(width).reshape([1, 1, width]);
  const y = middles(height).reshape([1, height, 1]);
  return stack(mapPoints(theta, x, y), -1);
}

/** Points (x, y) through affine maps [N, 2, 3]: x and y of the results. */
export function mapPoints(theta: Tensor, x: Tensor, y: Tensor): [x: Tensor, y: Tensor] {
  const entry = (row: number, column: number): Tensor => theta.narrow(1, row, 1).narrow(2, column, 1);
  const mapped = (row: number): Tensor => entry(row, 0).mul(x).add(entry(row, 1).mul(y)).add(entry(row, 2));
  return [mapped(0), mapped(1)];
}

/** What `gridSample` reads beyond the border. */
export type GridPaddingMode = "zeros" | "border" | "reflection";

/** Options of `gridSample`. */
export interface GridSampleOptions extends AffineGridOptions {
  /** Default "bilinear". */
  readonly mode?: Interpolation;
  /** Default "zeros". */
  readonly paddingMode?: GridPaddingMode;
}

/**
 * Reads images at the points of a grid (`torch.nn.functional.grid_sample`). Gradients pass to the images, and in mode
 * "bilinear" to the grid.
 *
 * @param images [N, C, H, W]
 * @param grid [N, h, w, 2], of the images' dtype: x, then y, from -1 at the left and upper edge to 1 at the others
 * @returns [N, C, h, w]
 */
export function gridSample(
  images: Tensor,
  grid: Tensor,
  { mode = "bilinear", paddingMode = "zeros", alignCorners = false }: GridSampleOptions = {},
): Tensor {
  if (images.ndim !== 4 || grid.ndim !== 4 || grid.shape[3] !== 2 || grid.shape[0] !== images.shape[0]) {
    throw new ShapeError(
      "gridSample",
      [images.shape, grid.shape],
      "images must be [N, C, H, W] and the grid [N, h, w, 2] with the same N",
    );
  }
  checkInterpolation("gridSample", mode);
  checkPaddingMode("gridSample", paddingMode, bordered);
  const [, , height, width] = images.shape;
  /** From -1 ... 1 to pixels, whose middles are the integers. */
  const toPixels = (points: Tensor, extent: number): Tensor => {
    const pixels = alignCorners
      ? points.add(1).mul((extent - 1) / 2)
      : points
          .add(1)
          .mul(extent / 2)
          .sub(0.5);
    return bordered[paddingMode](pixels, extent, alignCorners);
  };
  const x = toPixels(grid.narrow(3, 0, 1).squeeze(3), width);
  const y = toPixels(grid.narrow(3, 1, 1).squeeze(3), height);
  return samplePixels(images, x, y, mode);
}

/** Where points beyond the border are read, in pixels. */
const bordered: {
  readonly [M in GridPaddingMode]: (points: Tensor, extent: number, alignCorners: boolean) => Tensor;
} = {
  zeros: (points) => points,
  border: (points, extent) => points.clamp(0, extent - 1),
  reflection: (points, extent, alignCorners) => {
    // About the middles of the outermost pixels, or about their edges.
    const [low, span] = alignCorners ? [0, extent - 1] : [-0.5, extent];
    if (span === 0) return points.mul(0);
    const reflected = points
      .sub(low)
      .remainder(2 * span)
      .sub(span)
      .abs()
      .rsub(span)
      .add(low);
    return reflected.clamp(0, extent - 1);
  },
};

/**
 * Reads images at points in pixels, whose middles are the integers.
 *
 * @param images [N, C, H, W]
 * @param x float [N, h, w]
 * @param y float [N, h, w]
 * @param fill what lies beyond the border, a number or a tensor [C, 1, 1]: pixels are blended with it by how much of them
 *   lies there, and after they were blended with 0, as torchvision does. Default: 0, blended once
 * @returns [N, C, h, w]
 */
export function samplePixels(
  images: Tensor,
  x: Tensor,
  y: Tensor,
  mode: Interpolation,
  fill?: number | Tensor,
): Tensor {
  const [, , height, width] = images.shape;
  // Every point must fit an int32. Far beyond the border one is like the other, and a NaN lies nowhere else.
  const bounded = (points: Tensor, extent: number): Tensor =>
    where(points.gt(-2).logicalAnd(points.lt(extent + 1)), points, -2);
  if (mode === "nearest") {
    // Halves to the even pixel, as PyTorch does.
    const nearest = (points: Tensor, extent: number): Tensor => bounded(points, extent).round().to("int32");
    return pickPixels(images, nearest(y, height), nearest(x, width), { fill });
  }
  const [left, top] = [bounded(x, width).floor(), bounded(y, height).floor()];
  const [toRight, toBottom] = [x.sub(left), y.sub(top)];
  const corners = [0, 1].flatMap((down) =>
    [0, 1].map((right) => {
      const [row, column] = [top.to("int32").add(down), left.to("int32").add(right)];
      const vertical = down === 1 ? toBottom : toBottom.rsub(1);
      const horizontal = right === 1 ? toRight : toRight.rsub(1);
      const inside = isWithin(row, height).logicalAnd(isWithin(column, width));
      // What lies beyond the border has no weight, so any pixel may be looked up for it.
      const weight = where(inside, vertical.mul(horizontal), 0).unsqueeze(1);
      const places = folded.constant(row, height).mul(width).add(folded.constant(column, width));
      return { weight, value: lookUp(images, places).mul(weight) };
    }),
  );
  const sum = (terms: readonly Tensor[]): Tensor => terms.reduce((total, term) => total.add(term));
  const read = sum(corners.map(({ value }) => value));
  if (fill === undefined) return read;
  const inside = sum(corners.map(({ weight }) => weight));
  return read.sub(fill).mul(inside).add(fill);
}
