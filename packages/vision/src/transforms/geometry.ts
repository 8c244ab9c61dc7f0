// Transforms that move whole pixels: crops, flips and padding. After `torchvision.transforms`.

import { ArgumentError, arange, ShapeError, type Tensor, tensor, where } from "gradus";
import { checkPaddingMode, type PaddingMode, pickPixels } from "./sampling.ts";
import {
  type ChannelValues,
  checkImages,
  checkProbability,
  heightAndWidth,
  type ImageSize,
  RandomTransform,
  type RandomTransformOptions,
  Transform,
  text,
} from "./transform.ts";

/** Pixels added: on all sides, or [left and right, top and bottom], or [left, top, right, bottom]. */
export type Margins = number | readonly [number, number] | readonly [number, number, number, number];

/** Options of `pad` and `Pad`. */
export interface PadOptions {
  /** What is added in mode "constant": a number, or one for each channel. Default 0. */
  readonly fill?: ChannelValues;
  /**
   * "constant" (default); "edge" repeats the outermost pixel, "reflect" mirrors the image without it, "symmetric"
   * with it.
   */
  readonly paddingMode?: PaddingMode;
}

/** Left, top, right, bottom. */
function sidesOf(operation: string, margins: Margins): readonly [number, number, number, number] {
  const list = typeof margins === "number" ? [margins] : margins;
  if (![1, 2, 4].includes(list.length) || list.some((margin) => !Number.isInteger(margin) || margin < 0)) {
    throw new ArgumentError(
      operation,
      `${text(margins)} are no margins`,
      "Use an integer from 0, or [horizontal, vertical], or [left, top, right, bottom].",
    );
  }
  const [left, top = left, right = left, bottom = top] = list;
  return [left, top, right, bottom];
}

/** A number, or [C, 1, 1] for one number a channel. @throws ShapeError if there is not one for each channel */
export function channelTensor(operation: string, name: string, values: ChannelValues, images: Tensor): number | Tensor {
  if (typeof values === "number") return values;
  const channels = images.shape[images.ndim - 3];
  if (values.length === 1) return values[0];
  if (values.length !== channels) {
    throw new ShapeError(
      operation,
      [images.shape],
      `${name} ${text(values)} is for ${values.length} channels, the images have ${channels}`,
      "Give one number, or one for each channel.",
    );
  }
  return tensor([...values], { dtype: images.dtype }).reshape([channels, 1, 1]);
}

/**
 * Images with margins (`torchvision.transforms.functional.pad`): [..., C, H, W] to [..., C, H + top + bottom,
 * W + left + right].
 */
export function pad(images: Tensor, margins: Margins, { fill = 0, paddingMode = "constant" }: PadOptions = {}): Tensor {
  checkImages("pad", images);
  checkPaddingMode("pad", paddingMode);
  const [left, top, right, bottom] = sidesOf("pad", margins);
  if (left + top + right + bottom === 0) return images;
  if (paddingMode === "constant" && typeof fill === "number") return images.pad([left, right, top, bottom], fill);
  const [height, width] = images.shape.slice(-2);
  if (paddingMode === "reflect" && (Math.max(left, right) >= width || Math.max(top, bottom) >= height)) {
    throw new ShapeError("pad", [images.shape], `margins ${text(margins)} reflect more than the image has`);
  }
  const batch = images.ndim === 4 ? images : images.unsqueeze(0);
  const padded = pickPixels(
    batch,
    arange(-top, height + bottom).reshape([1, -1, 1]),
    arange(-left, width + right).reshape([1, 1, -1]),
    { paddingMode, fill: channelTensor("pad", "fill", fill, images) },
  );
  return images.ndim === 4 ? padded : padded.squeeze(0);
}

/** Rows `top` to `top + height`, columns `left` to `left + width` (`torchvision.transforms.functional.crop`). */
export function crop(images: Tensor, top: number, left: number, height: number, width: number): Tensor {
  checkImages("crop", images);
  return images.narrow(-2, top, height).narrow(-1, left, width);
}

/** To the nearest integer, halves to the even one, as Python rounds. */
function roundHalfToEven(value: number): number {
  const floor = Math.floor(value);
  return value - floor === 0.5 ? floor + (floor % 2 === 0 ? 0 : 1) : Math.round(value);
}

/** The middle of images, with zeros around those that are smaller (`torchvision.transforms.functional.center_crop`). */
export function centerCrop(images: Tensor, size: ImageSize): Tensor {
  checkImages("centerCrop", images);
  const [height, width] = heightAndWidth("centerCrop", size);
  const missing = (wanted: number, extent: number): number => Math.max(0, wanted - extent);
  const [rows, columns] = images.shape.slice(-2);
  const [down, across] = [missing(height, rows), missing(width, columns)];
  const padded = pad(images, [
    Math.floor(across / 2),
    Math.floor(down / 2),
    Math.ceil(across / 2),
    Math.ceil(down / 2),
  ]);
  const top = roundHalfToEven((rows + down - height) / 2);
  const left = roundHalfToEven((columns + across - width) / 2);
  return crop(padded, top, left, height, width);
}

/** Margins around images: [N, C, H, W] to [N, C, H + top + bottom, W + left + right] (`torchvision.transforms.Pad`). */
export class Pad extends Transform {
  /**
   * @param padding pixels on all sides, or [horizontal, vertical], or [left, top, right, bottom]
   * @param options what is added
   */
  constructor(
    readonly padding: Margins,
    readonly options: PadOptions = {},
  ) {
    super();
    sidesOf("Pad", padding);
    checkPaddingMode("Pad", options.paddingMode ?? "constant");
  }

  protected transform(images: Tensor): Tensor {
    return pad(images, this.padding, this.options);
  }

  override extraRepr(): string {
    return text(this.padding);
  }
}

/** The middle of images: [N, C, H, W] to [N, C, height, width] (`torchvision.transforms.CenterCrop`). */
export class CenterCrop extends Transform {
  /** Of the result. */
  readonly size: readonly [height: number, width: number];

  /** @param size of the result: [height, width], or one number for both */
  constructor(size: ImageSize) {
    super();
    this.size = heightAndWidth("CenterCrop", size);
  }

  protected transform(images: Tensor): Tensor {
    return centerCrop(images, this.size);
  }

  override extraRepr(): string {
    return text(this.size);
  }
}

/** Options of `RandomCrop`. */
export interface RandomCropOptions extends PadOptions, RandomTransformOptions {
  /** Margins that are laid around the images before: one number, [horizontal, vertical] or all four. Default 0. */
  readonly padding?: Margins;
}

/**
 * A part of each image, at a place of its own: [N, C, H, W] to [N, C, height, width]
 * (`torchvision.transforms.RandomCrop`).
 *
 * @example
 * new transforms.RandomCrop(32, { padding: 4 }) // moves CIFAR's images by up to four pixels
 */
export class RandomCrop extends RandomTransform {
  /** Of the result. */
  readonly size: readonly [height: number, width: number];
  private readonly sides: readonly [left: number, top: number, right: number, bottom: number];

  /**
   * @param size of the result: [height, width], or one number for both
   * @param options the margins that are laid around before, and what they are
   */
  constructor(
    size: ImageSize,
    readonly options: RandomCropOptions = {},
  ) {
    super(options);
    this.size = heightAndWidth("RandomCrop", size);
    this.sides = sidesOf("RandomCrop", options.padding ?? 0);
    checkPaddingMode("RandomCrop", options.paddingMode ?? "constant");
  }

  /** @throws ShapeError if the images with their margins are smaller than what is to be cut out */
  protected transform(images: Tensor): Tensor {
    const [height, width] = this.size;
    const [left, top, right, bottom] = this.sides;
    const [, , rows, columns] = images.shape;
    const [down, across] = [rows + top + bottom - height, columns + left + right - width];
    if (down < 0 || across < 0) {
      throw new ShapeError(
        "crop",
        [images.shape],
        `no ${height}x${width} pixels can be cut out of ${rows + top + bottom}x${columns + left + right}`,
        "Use a smaller size, or padding.",
      );
    }
    const { fill = 0, paddingMode } = this.options;
    return pickPixels(
      images,
      this.firstOf(images, down)
        .sub(top)
        .add(arange(0, height).reshape([1, height, 1])),
      this.firstOf(images, across)
        .sub(left)
        .add(arange(0, width).reshape([1, 1, width])),
      { paddingMode, fill: channelTensor("crop", "fill", fill, images) },
    );
  }

  /** One of the positions 0 to `last` for each image, int32 [N, 1, 1]. */
  private firstOf(images: Tensor, last: number): Tensor {
    // A product may be rounded up to its end, though the number that is drawn is less than 1.
    return this.uniform(images, [0, last + 1])
      .floor()
      .clamp(0, last)
      .to("int32")
      .squeeze(3);
  }

  override extraRepr(): string {
    return `${text(this.size)}, padding=${text(this.options.padding ?? 0)}`;
  }
}

/** Mirrors each image, left to right, with probability p (`torchvision.transforms.RandomHorizontalFlip`). */
export class RandomHorizontalFlip extends RandomTransform {
  /**
   * @param p the probability. Default 0.5
   * @param options where random numbers come from
   */
  constructor(
    readonly p = 0.5,
    options: RandomTransformOptions = {},
  ) {
    super(options);
    checkProbability("RandomHorizontalFlip", p);
  }

  protected transform(images: Tensor): Tensor {
    return where(this.chance(images, this.p), images.flip(-1), images);
  }

  override extraRepr(): string {
    return `p=${this.p}`;
  }
}

/** Mirrors each image, top to bottom, with probability p (`torchvision.transforms.RandomVerticalFlip`). */
export class RandomVerticalFlip extends RandomTransform {
  /**
   * @param p the probability. Default 0.5
   * @param options where random numbers come from
   */
  constructor(
    readonly p = 0.5,
    options: RandomTransformOptions = {},
  ) {
    super(options);
    checkProbability("RandomVerticalFlip", p);
  }

  protected transform(images: Tensor): Tensor {
    return where(this.chance(images, this.p), images.flip(-2), images);
  }

  override extraRepr(): string {
    return `p=${this.p}`;
  }
}
