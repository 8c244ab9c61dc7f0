// What every transform is made from: a module from images to images, which takes a batch [N, C, H, W] or one image
// [C, H, W], and draws its random parameters for each image on the device. They are tensors and never numbers of the
// host, so a training step with augmentation stays one program from step to step.
// After `torchvision.transforms` (v2), whose transforms are modules as well and do not look at the training mode either.

import { ArgumentError, DTypeError, type Generator, isFloat, nn, rand, ShapeError, type Tensor } from "gradus";

/** An interval of numbers, both ends included. */
export type Interval = readonly [low: number, high: number];

/** What every random transform takes. */
export interface RandomTransformOptions {
  /** Where random numbers come from. Default: the default generator, which `gd.manualSeed` seeds. */
  readonly generator?: Generator;
}

/** A transform of images: float [N, C, H, W] or [C, H, W] to the same with another height and width, or other channels. */
export abstract class Transform extends nn.Module {
  /** @throws ShapeError, DTypeError for what are no images of floats */
  forward(images: Tensor): Tensor {
    checkImages("transform", images);
    return images.ndim === 4 ? this.transform(images) : this.transform(images.unsqueeze(0)).squeeze(0);
  }

  /** Transforms a batch, [N, C, H, W]. */
  protected abstract transform(images: Tensor): Tensor;
}

/** Throws unless a tensor is a batch of images or an image, of floats. */
export function checkImages(operation: string, images: Tensor): void {
  if (images.ndim !== 3 && images.ndim !== 4) {
    throw new ShapeError(
      operation,
      [images.shape],
      `images have 4 dimensions or 3, not ${images.ndim}`,
      "Give [N, C, H, W] or [C, H, W].",
    );
  }
  if (!isFloat(images.dtype)) {
    throw new DTypeError(operation, [images.dtype], "images must be floats", "Convert bytes with toTensor(...).");
  }
}

/** A transform whose parameters are drawn anew for each image of each batch. */
export abstract class RandomTransform extends Transform {
  /** Where random numbers come from; undefined for the default generator. */
  protected readonly generator: Generator | undefined;

  /** @param options where random numbers come from */
  constructor({ generator }: RandomTransformOptions = {}) {
    super();
    this.generator = generator;
  }

  /** A number for each image, [N, 1, 1, 1], uniform in [low, high). */
  protected uniform(images: Tensor, [low, high]: Interval): Tensor {
    return this.rand(images)
      .mul(high - low)
      .add(low);
  }

  /** Whether something with probability p happens to each image: bool [N, 1, 1, 1]. */
  protected chance(images: Tensor, p: number): Tensor {
    return this.rand(images).lt(p);
  }

  private rand(images: Tensor): Tensor {
    return rand([images.shape[0], 1, 1, 1], { generator: this.generator, dtype: images.dtype });
  }
}

/** One number for all channels, or a list with one for each. */
export type ChannelValues = number | readonly number[];

/** One number for all images of a batch, or a tensor [N] with one for each. */
export type PerImage = number | Tensor;

/** How values between pixels are found: by the nearest pixel, or by a mean of the four around. */
export type Interpolation = "nearest" | "bilinear";

/** One number for all sides, or [height, width]. */
export type ImageSize = number | readonly [height: number, width: number];

/** @throws ArgumentError unless both are integers from 1 */
export function heightAndWidth(operation: string, size: ImageSize): readonly [number, number] {
  const sides = typeof size === "number" ? ([size, size] as const) : size;
  if (sides.length !== 2 || sides.some((side) => !Number.isInteger(side) || side < 1)) {
    throw new ArgumentError(operation, `${text(size)} is no size of images`, "Use an integer from 1, or two of them.");
  }
  return sides;
}

/** @throws ArgumentError for an interpolation that is none */
export function checkInterpolation(operation: string, mode: Interpolation): Interpolation {
  if (mode === "nearest" || mode === "bilinear") return mode;
  throw new ArgumentError(operation, `"${String(mode)}" is no interpolation`, 'Use "nearest" or "bilinear".');
}

/** @throws ArgumentError unless p is from 0 to 1 */
export function checkProbability(operation: string, p: number): void {
  if (!(p >= 0 && p <= 1)) throw new ArgumentError(operation, `${p} is no probability`, "Use a number from 0 to 1.");
}

/** @throws ArgumentError unless the ends are finite, in order, and within the bounds */
export function checkInterval(
  operation: string,
  name: string,
  interval: Interval,
  lowest = Number.NEGATIVE_INFINITY,
  highest = Number.POSITIVE_INFINITY,
): Interval {
  const [low, high] = interval;
  if (interval.length !== 2 || !interval.every(Number.isFinite) || low > high || low < lowest || high > highest) {
    const bounds = [
      ...(Number.isFinite(lowest) ? [`from ${lowest}`] : []),
      ...(Number.isFinite(highest) ? [`up to ${highest}`] : []),
    ];
    throw new ArgumentError(
      operation,
      `${name} ${text(interval)} is no interval`,
      `Use two numbers${bounds.length > 0 ? ` ${bounds.join(" ")}` : ""}, the smaller one first.`,
    );
  }
  return interval;
}

/** An argument as it is shown. */
export function text(value: number | string | readonly number[]): string {
  return Array.isArray(value) ? `[${value.join(", ")}]` : String(value);
}
