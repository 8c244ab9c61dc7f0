// Blur and noise. After `torchvision.transforms` (v2): GaussianBlur and GaussianNoise.

import { ArgumentError, arange, randn, ShapeError, type Tensor } from "gradus";
import { pad } from "./geometry.ts";
import {
  checkImages,
  checkInterval,
  heightAndWidth,
  type ImageSize,
  type Interval,
  type PerImage,
  RandomTransform,
  type RandomTransformOptions,
  text,
} from "./transform.ts";

/**
 * Images blurred by a Gaussian bell; beyond the border they are mirrored
 * (`torchvision.transforms.functional.gaussian_blur`).
 *
 * @param images [N, C, H, W] or [C, H, W]
 * @param kernelSize odd: how many pixels are averaged, in both directions or [vertically, horizontally]
 * @param sigma pixels: one number, or a tensor [N] with one for each image
 */
export function gaussianBlur(images: Tensor, kernelSize: ImageSize, sigma: PerImage): Tensor {
  checkImages("gaussianBlur", images);
  const [height, width] = kernelOf("gaussianBlur", kernelSize);
  const batch = images.ndim === 4 ? images : images.unsqueeze(0);
  if (typeof sigma !== "number" && sigma.numel() !== batch.shape[0]) {
    throw new ShapeError(
      "gaussianBlur",
      [sigma.shape, images.shape],
      `${sigma.numel()} sigmas are not one for each image`,
    );
  }
  const across = (width - 1) / 2;
  const down = (height - 1) / 2;
  const padded = pad(batch, [across, down], { paddingMode: "reflect" });
  const blurred = blurAlong(blurAlong(padded, -1, width, sigma), -2, height, sigma);
  return images.ndim === 4 ? blurred : blurred.squeeze(0);
}

function kernelOf(operation: string, kernelSize: ImageSize): readonly [number, number] {
  const sizes = heightAndWidth(operation, kernelSize);
  if (sizes.some((size) => size % 2 === 0)) {
    throw new ArgumentError(operation, `a kernel of ${text(kernelSize)} has no middle`, "Use odd numbers.");
  }
  return sizes;
}

/** The weighted sum of neighbours along one axis, which becomes shorter by size - 1. */
function blurAlong(images: Tensor, axis: -2 | -1, size: number, sigma: PerImage): Tensor {
  if (size === 1) return images;
  const scaled = arange(0, size, 1, { dtype: images.dtype })
    .sub((size - 1) / 2)
    .reshape([1, size])
    .div(typeof sigma === "number" ? sigma : sigma.to(images.dtype).reshape([-1, 1]));
  const bell = scaled.square().mul(-0.5).exp();
  const weights = bell.div(bell.sum(1, { keepdim: true }));
  const length = images.shape[images.ndim + axis] - size + 1;
  const terms = Array.from({ length: size }, (_, i) =>
    images.narrow(axis, i, length).mul(weights.narrow(1, i, 1).reshape([-1, 1, 1, 1])),
  );
  return terms.reduce((sum, term) => sum.add(term));
}

/** Options of `GaussianBlur`. */
export interface GaussianBlurOptions extends RandomTransformOptions {
  /** Pixels: an interval from which it is drawn for each image, or a number for all. Default [0.1, 2]. */
  readonly sigma?: number | Interval;
}

/** Blurs each image by a Gaussian bell of a width of its own (`torchvision.transforms.GaussianBlur`). */
export class GaussianBlur extends RandomTransform {
  /** Pixels: the interval from which the width is drawn. */
  readonly sigma: Interval;

  /**
   * @param kernelSize odd: how many pixels are averaged, in both directions or [vertically, horizontally]
   * @param options how wide the bell is
   */
  constructor(
    readonly kernelSize: ImageSize,
    { sigma = [0.1, 2], ...rest }: GaussianBlurOptions = {},
  ) {
    super(rest);
    kernelOf("GaussianBlur", kernelSize);
    const interval = typeof sigma === "number" ? ([sigma, sigma] as const) : sigma;
    this.sigma = checkInterval("GaussianBlur", "sigma", interval, Number.MIN_VALUE);
  }

  protected transform(images: Tensor): Tensor {
    return gaussianBlur(images, this.kernelSize, this.uniform(images, this.sigma));
  }

  override extraRepr(): string {
    return `${text(this.kernelSize)}, sigma=${text(this.sigma)}`;
  }
}

/** Options of `GaussianNoise`. */
export interface GaussianNoiseOptions extends RandomTransformOptions {
  /** Default 0. */
  readonly mean?: number;
  /** Default 0.1. */
  readonly sigma?: number;
  /** Whether values stay from 0 to 1. Default true. */
  readonly clip?: boolean;
}

/** Adds normal noise to every pixel (`torchvision.transforms.v2.GaussianNoise`). */
export class GaussianNoise extends RandomTransform {
  /** Of the noise. */
  readonly mean: number;
  /** The noise's standard deviation. */
  readonly sigma: number;
  /** Whether values stay from 0 to 1. */
  readonly clip: boolean;

  /**
   * @param options how strong the noise is
   * @throws ArgumentError for a negative deviation
   */
  constructor({ mean = 0, sigma = 0.1, clip = true, ...rest }: GaussianNoiseOptions = {}) {
    super(rest);
    if (!(Number.isFinite(mean) && Number.isFinite(sigma) && sigma >= 0)) {
      throw new ArgumentError("GaussianNoise", `a mean of ${mean} and a deviation of ${sigma} are no noise`);
    }
    this.mean = mean;
    this.sigma = sigma;
    this.clip = clip;
  }

  protected transform(images: Tensor): Tensor {
    const noise = randn(images.shape, { generator: this.generator, dtype: images.dtype });
    const noisy = images.add(noise.mul(this.sigma).add(this.mean));
    return this.clip ? noisy.clamp(0, 1) : noisy;
  }

  override extraRepr(): string {
    return `mean=${this.mean}, sigma=${this.sigma}, clip=${this.clip}`;
  }
}
