// Random erasing: Z. Zhong, L. Zheng, G. Kang, S. Li, Y. Yang, "Random erasing data augmentation", 2017. After
// `torchvision.transforms.RandomErasing`.

import { ArgumentError, arange, isTensor, rand, randn, type Tensor, where } from "gradus";
import { channelTensor } from "./geometry.ts";
import {
  type ChannelValues,
  checkImages,
  checkInterval,
  checkProbability,
  type Interval,
  RandomTransform,
  type RandomTransformOptions,
  text,
} from "./transform.ts";

/** One number for all images, or a tensor of integers [N] with one for each. */
export type PixelPosition = number | Tensor;

/**
 * Images with a value in a rectangle (`torchvision.transforms.functional.erase`): of rows `top` to `top + height` and
 * columns `left` to `left + width`.
 *
 * @param images [N, C, H, W] or [C, H, W]
 * @param value a number, one for each channel, or a tensor that broadcasts to the images
 */
export function erase(
  images: Tensor,
  top: PixelPosition,
  left: PixelPosition,
  height: PixelPosition,
  width: PixelPosition,
  value: ChannelValues | Tensor,
): Tensor {
  checkImages("erase", images);
  const [rows, columns] = images.shape.slice(-2);
  const perImage = (position: PixelPosition): PixelPosition =>
    typeof position === "number" ? position : position.reshape([-1, ...new Array<number>(images.ndim - 1).fill(1)]);
  const covered = (extent: number, first: PixelPosition, length: PixelPosition): Tensor => {
    const from = arange(0, extent).sub(perImage(first));
    return from.ge(0).logicalAnd(from.lt(perImage(length)));
  };
  const lines = covered(rows, top, height);
  const rectangle = lines.reshape([...lines.shape.slice(0, -2), rows, 1]).logicalAnd(covered(columns, left, width));
  return where(rectangle, isTensor(value) ? value : channelTensor("erase", "value", value, images), images);
}

/** Options of `RandomErasing`. */
export interface RandomErasingOptions extends RandomTransformOptions {
  /** With which probability an image loses a rectangle. Default 0.5. */
  readonly p?: number;
  /** The part of the image that the rectangle covers. Default [0.02, 0.33]. */
  readonly scale?: Interval;
  /** Height by width, uniform in its logarithm. Default [0.3, 3.3]. */
  readonly ratio?: Interval;
  /** What it is filled with: a number, one for each channel, or "random" for normal noise. Default 0. */
  readonly value?: ChannelValues | "random";
}

/** How often a rectangle is drawn that does not fit, until the image stays whole. */
const ATTEMPTS = 10;

/**
 * Takes a rectangle out of each image, of a size and at a place of its own: images that are normalized already, whose
 * mean is 0 (`torchvision.transforms.RandomErasing`).
 */
export class RandomErasing extends RandomTransform {
  /** The probability that an image loses a rectangle. */
  readonly p: number;
  /** The part of the image that the rectangle covers. */
  readonly scale: Interval;
  /** Height by width. */
  readonly ratio: Interval;
  /** What the rectangle is filled with. */
  readonly value: ChannelValues | "random";

  /**
   * @param options how often, what, and with what it is filled
   * @throws ArgumentError for a p that is no probability, and for intervals that are none
   */
  constructor({ p = 0.5, scale = [0.02, 0.33], ratio = [0.3, 3.3], value = 0, ...rest }: RandomErasingOptions = {}) {
    super(rest);
    checkProbability("RandomErasing", p);
    if (typeof value === "string" && value !== "random") {
      throw new ArgumentError("RandomErasing", `"${String(value)}" is no value`, 'Use numbers or "random".');
    }
    this.p = p;
    this.scale = checkInterval("RandomErasing", "scale", scale, 0, 1);
    this.ratio = checkInterval("RandomErasing", "ratio", ratio, Number.MIN_VALUE);
    this.value = value;
  }

  protected transform(images: Tensor): Tensor {
    const [count, , rows, columns] = images.shape;
    const { generator } = this;
    const draw = ([low, high]: Interval, times = ATTEMPTS): Tensor =>
      rand([count, times], { generator, dtype: images.dtype })
        .mul(high - low)
        .add(low);
    const area = draw(this.scale).mul(rows * columns);
    const ratio = draw([Math.log(this.ratio[0]), Math.log(this.ratio[1])]).exp();
    const heights = area.mul(ratio).sqrt().round();
    const widths = area.div(ratio).sqrt().round();
    const fits = heights.lt(rows).logicalAnd(widths.lt(columns)).to("int32");
    // The first that fits; where none does it is 0, and the rectangle is as empty as its fit.
    const chosen = fits.argmax(1, { keepdim: true });
    const fit = fits.gather(1, chosen).mul(this.chance(images, this.p).reshape([count, 1]).to("int32"));
    const [height, width] = [heights, widths].map((sizes) => sizes.gather(1, chosen));
    /** Uniform among the positions 0 to last. */
    const position = (last: Tensor): Tensor => {
      const drawn = draw([0, 1], 1).mul(last.add(1)).floor();
      return drawn.minimum(last).to("int32");
    };
    const top = position(height.rsub(rows));
    const left = position(width.rsub(columns));
    const value = this.value === "random" ? randn(images.shape, { generator, dtype: images.dtype }) : this.value;
    return erase(images, top, left, height.to("int32").mul(fit), width.to("int32"), value);
  }

  override extraRepr(): string {
    return `p=${this.p}, scale=${text(this.scale)}, ratio=${text(this.ratio)}, value=${text(this.value)}`;
  }
}
