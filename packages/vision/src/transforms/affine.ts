// Transforms that turn, move, scale and shear images, each image by parameters of its own. The maps lead from pixels of
// the result back to points of the image, with the origin in its middle. After `torchvision.transforms`.

import { ArgumentError, arange, cat, full, ShapeError, type Tensor } from "gradus";
import { channelTensor } from "./geometry.ts";
import { mapPoints, samplePixels } from "./sampling.ts";
import {
  type ChannelValues,
  checkImages,
  checkInterpolation,
  checkInterval,
  type Interpolation,
  type Interval,
  type PerImage,
  RandomTransform,
  type RandomTransformOptions,
  text,
} from "./transform.ts";

/** How images are read at other places than their own pixels. */
export interface ResamplingOptions {
  /** Default "nearest". */
  readonly interpolation?: Interpolation;
  /**
   * What lies beyond the border: a number, or one for each channel. Default 0. Pixels that lie partly beyond are blended
   * with it as torchvision does it, which darkens them twice; the functions of `transforms.functional`, without a fill, once.
   */
  readonly fill?: ChannelValues;
}

/** Options of `affine`. */
export interface AffineOptions extends ResamplingOptions {
  /** Degrees, clockwise. Default 0. */
  readonly angle?: PerImage;
  /** Pixels to the right and down. Default [0, 0]. */
  readonly translate?: readonly [PerImage, PerImage];
  /** Default 1. */
  readonly scale?: PerImage;
  /** Degrees by which the axes x and y are sheared. Default [0, 0]. */
  readonly shear?: readonly [PerImage, PerImage];
  /** The point that stays, in pixels from the left and upper edge. Default: the middle. */
  readonly center?: readonly [x: number, y: number];
}

/**
 * Turns, scales and shears images about their middle and moves them (`torchvision.transforms.functional.affine`).
 * Numbers or tensors of numbers make no difference to the program: neither is part of it where they are tensors.
 *
 * @param images [N, C, H, W] or [C, H, W]
 */
export function affine(images: Tensor, options: AffineOptions = {}): Tensor {
  checkImages("affine", images);
  checkInterpolation("affine", options.interpolation ?? "nearest");
  const batch = images.ndim === 4 ? images : images.unsqueeze(0);
  const result = resample(batch, inverseMatrices(batch, options), options);
  return images.ndim === 4 ? result : result.squeeze(0);
}

/** Turns images about their middle by degrees, counter-clockwise (`torchvision.transforms.functional.rotate`). */
export function rotate(
  images: Tensor,
  angle: PerImage,
  options: ResamplingOptions & Pick<AffineOptions, "center"> = {},
): Tensor {
  return affine(images, { ...options, angle: typeof angle === "number" ? -angle : angle.neg() });
}

/** Parameters as a tensor [N or 1, 1]. @throws ShapeError unless there is one for each image */
function column(images: Tensor, value: PerImage): Tensor {
  if (typeof value === "number") return full([1, 1], value, { dtype: images.dtype });
  const [count] = images.shape;
  if (value.numel() !== count) {
    throw new ShapeError(
      "affine",
      [value.shape, images.shape],
      `${value.numel()} parameters are not one for each image`,
    );
  }
  return value.to(images.dtype).reshape([count, 1]);
}

const radians = (degrees: Tensor): Tensor => degrees.mul(Math.PI / 180);

/**
 * The inverse of: shear in y, after shear in x, then turned by `angle` and scaled, then moved. [N, 2, 3], from pixels of
 * the result to pixels of the image, both counted from the middle.
 */
function inverseMatrices(
  images: Tensor,
  { angle = 0, translate = [0, 0], scale = 1, shear = [0, 0], center }: AffineOptions,
): Tensor {
  const [count, , height, width] = images.shape;
  const turn = radians(column(images, angle));
  const [shearX, shearY] = shear.map((degrees) => radians(column(images, degrees)));
  const [moveX, moveY] = translate.map((pixels) => column(images, pixels));
  const factor = column(images, scale);
  const [centerX, centerY] = center === undefined ? [0, 0] : [center[0] - width / 2, center[1] - height / 2];
  // Without the scale, whose determinant is 1: [[a, b], [c, d]].
  const [cosine, sine] = [turn.sub(shearY).cos(), turn.sub(shearY).sin()];
  const a = cosine.div(shearY.cos());
  const b = a.mul(shearX.tan()).add(turn.sin()).neg();
  const c = sine.div(shearY.cos());
  const d = turn.cos().sub(c.mul(shearX.tan()));
  const [m00, m01, m10, m11] = [d, b.neg(), c.neg(), a].map((entry) => entry.div(factor));
  const [fromX, fromY] = [moveX.add(centerX), moveY.add(centerY)];
  const m02 = m00.mul(fromX).add(m01.mul(fromY)).rsub(centerX);
  const m12 = m10.mul(fromX).add(m11.mul(fromY)).rsub(centerY);
  const entries = [m00, m01, m02, m10, m11, m12].map((entry) => entry.expand([count, 1]));
  return cat(entries, 1).reshape([count, 2, 3]);
}

/** Reads each image where its matrix [2, 3] says. */
function resample(images: Tensor, matrices: Tensor, { interpolation = "nearest", fill }: ResamplingOptions): Tensor {
  const [count, , height, width] = images.shape;
  const middles = (extent: number): Tensor => arange(0, extent, 1, { dtype: images.dtype }).sub((extent - 1) / 2);
  const points = mapPoints(matrices, middles(width).reshape([1, 1, width]), middles(height).reshape([1, height, 1]));
  const [x, y] = points.map((coordinates) => coordinates.expand([count, height, width]));
  return samplePixels(
    images,
    x.add((width - 1) / 2),
    y.add((height - 1) / 2),
    interpolation,
    fill === undefined ? undefined : channelTensor("affine", "fill", fill, images),
  );
}

/** Degrees: a number from 0 for both directions, or an interval. */
export type DegreeRange = number | Interval;

function degreeInterval(operation: string, name: string, degrees: DegreeRange): Interval {
  if (typeof degrees !== "number") return checkInterval(operation, name, degrees);
  if (!(degrees >= 0 && Number.isFinite(degrees))) {
    throw new ArgumentError(operation, `${name} ${degrees} is no range`, "Use a number from 0, or [low, high].");
  }
  return [-degrees, degrees];
}

/** Options of `RandomRotation`. */
export interface RandomRotationOptions extends ResamplingOptions, RandomTransformOptions {
  /** The point that stays, in pixels from the left and upper edge. Default: the middle. */
  readonly center?: readonly [x: number, y: number];
}

/**
 * Turns each image by an angle of its own; the size stays (`torchvision.transforms.RandomRotation`).
 *
 * @example
 * new transforms.RandomRotation(15, { interpolation: "bilinear" }) // by -15 to 15 degrees
 */
export class RandomRotation extends RandomTransform {
  /** Degrees, counter-clockwise. */
  readonly degrees: Interval;

  /**
   * @param degrees a number from 0 for both directions, or [low, high]
   * @param options how images are read, and the point that stays
   */
  constructor(
    degrees: DegreeRange,
    readonly options: RandomRotationOptions = {},
  ) {
    super(options);
    this.degrees = degreeInterval("RandomRotation", "degrees", degrees);
    checkInterpolation("RandomRotation", options.interpolation ?? "nearest");
  }

  protected transform(images: Tensor): Tensor {
    return rotate(images, this.uniform(images, this.degrees), { fill: 0, ...this.options });
  }

  override extraRepr(): string {
    return `degrees=${text(this.degrees)}, interpolation=${this.options.interpolation ?? "nearest"}`;
  }
}

/** Options of `RandomAffine`. */
export interface RandomAffineOptions extends RandomRotationOptions {
  /** The most that images are moved, as fractions of their width and height, by whole pixels. Default: not at all. */
  readonly translate?: readonly [x: number, y: number];
  /** Default: unchanged. */
  readonly scale?: Interval;
  /** Degrees for x, or [x low, x high, y low, y high]. Default: not at all. */
  readonly shear?: DegreeRange | readonly [number, number, number, number];
}

/**
 * Turns, moves, scales and shears each image by parameters of its own (`torchvision.transforms.RandomAffine`).
 *
 * @example
 * new transforms.RandomAffine(10, { translate: [0.1, 0.1], scale: [0.9, 1.1], interpolation: "bilinear" })
 */
export class RandomAffine extends RandomTransform {
  /** Degrees, clockwise. */
  readonly degrees: Interval;
  private readonly shears: readonly [x: Interval, y: Interval] | null;

  /**
   * @param degrees a number from 0 for both directions, or [low, high]
   * @param options how images are moved, scaled, sheared and read
   */
  constructor(
    degrees: DegreeRange,
    readonly options: RandomAffineOptions = {},
  ) {
    super(options);
    const { translate, scale, shear, interpolation = "nearest" } = options;
    this.degrees = degreeInterval("RandomAffine", "degrees", degrees);
    for (const part of translate ?? []) checkInterval("RandomAffine", "translate", [0, part], 0, 1);
    if (scale !== undefined) checkInterval("RandomAffine", "scale", scale, Number.MIN_VALUE);
    this.shears = shear === undefined ? null : shearIntervals(shear);
    checkInterpolation("RandomAffine", interpolation);
  }

  protected transform(images: Tensor): Tensor {
    const { translate, scale, interpolation, fill = 0, center } = this.options;
    const [, , height, width] = images.shape;
    const move = (most: number): Tensor => this.uniform(images, [-most, most]).round();
    return affine(images, {
      angle: this.uniform(images, this.degrees),
      translate: translate && [move(translate[0] * width), move(translate[1] * height)],
      scale: scale && this.uniform(images, scale),
      shear:
        this.shears === null ? undefined : [this.uniform(images, this.shears[0]), this.uniform(images, this.shears[1])],
      interpolation,
      fill,
      center,
    });
  }

  override extraRepr(): string {
    const { translate, scale, shear, interpolation = "nearest" } = this.options;
    return [
      `degrees=${text(this.degrees)}`,
      ...(translate ? [`translate=${text(translate)}`] : []),
      ...(scale ? [`scale=${text(scale)}`] : []),
      ...(shear !== undefined ? [`shear=${text(shear)}`] : []),
      `interpolation=${interpolation}`,
    ].join(", ");
  }
}

function shearIntervals(shear: NonNullable<RandomAffineOptions["shear"]>): readonly [Interval, Interval] {
  if (typeof shear === "number" || shear.length === 2) {
    return [degreeInterval("RandomAffine", "shear", shear), [0, 0]];
  }
  return [
    checkInterval("RandomAffine", "shear", [shear[0], shear[1]]),
    checkInterval("RandomAffine", "shear", [shear[2], shear[3]]),
  ];
}
