// Parts of images, of any size and place, brought to one size: "Inception-style" augmentation (C. Szegedy et al., "Going
// deeper with convolutions", 2014, section 6). After `torchvision.transforms.RandomResizedCrop`.

import { arange, rand, type Tensor, where } from "gradus";
import { samplePixels } from "./sampling.ts";
import {
  checkImages,
  checkInterpolation,
  checkInterval,
  heightAndWidth,
  type ImageSize,
  type Interpolation,
  type Interval,
  type PerImage,
  RandomTransform,
  type RandomTransformOptions,
  text,
} from "./transform.ts";

/** Options of `resizedCrop`. */
export interface ResizedCropOptions {
  /** Default "bilinear", of four pixels: what is made smaller is not smoothed before. */
  readonly interpolation?: Interpolation;
}

/**
 * A part of each image, brought to one size (`torchvision.transforms.functional.resized_crop` without antialiasing).
 *
 * @param images [N, C, H, W] or [C, H, W]
 * @param top the first row of the part: one number, or a tensor [N] with one for each image; so are `left`, `height`, `width`
 * @param size of the result: [height, width], or one number for both
 */
export function resizedCrop(
  images: Tensor,
  top: PerImage,
  left: PerImage,
  height: PerImage,
  width: PerImage,
  size: ImageSize,
  { interpolation = "bilinear" }: ResizedCropOptions = {},
): Tensor {
  checkImages("resizedCrop", images);
  checkInterpolation("resizedCrop", interpolation);
  const [rows, columns] = heightAndWidth("resizedCrop", size);
  const batch = images.ndim === 4 ? images : images.unsqueeze(0);
  const y = pointsOf(batch, top, height, rows, interpolation).reshape([-1, rows, 1]);
  const x = pointsOf(batch, left, width, columns, interpolation).reshape([-1, 1, columns]);
  const shape = [batch.shape[0], rows, columns];
  const result = samplePixels(batch, x.expand(shape), y.expand(shape), interpolation);
  return images.ndim === 4 ? result : result.squeeze(0);
}

/** Where `count` pixels are read, [N or 1, count], that a part of a side becomes. Nothing beyond the part is read. */
function pointsOf(images: Tensor, first: PerImage, length: PerImage, count: number, mode: Interpolation): Tensor {
  const column = (value: PerImage): PerImage =>
    typeof value === "number" ? value : value.to(images.dtype).reshape([-1, 1]);
  const extent = column(length);
  const last = typeof extent === "number" ? extent - 1 : extent.sub(1);
  const pixels = arange(0, count, 1, { dtype: images.dtype }).reshape([1, count]);
  // The pixel that a left upper corner lies in, or the middles of pixels on middles.
  const points =
    mode === "nearest"
      ? pixels.mul(extent).div(count).floor()
      : pixels.add(0.5).mul(extent).div(count).sub(0.5).clamp(0);
  return points.minimum(last).add(column(first));
}

/** Options of `RandomResizedCrop`. */
export interface RandomResizedCropOptions extends ResizedCropOptions, RandomTransformOptions {
  /** The part of the image that is cut out, by its area. Default [0.08, 1]. */
  readonly scale?: Interval;
  /** Width by height, uniform in its logarithm. Default [3 / 4, 4 / 3]. */
  readonly ratio?: Interval;
}

/** How often a part is drawn that does not fit, until it is the middle of the image. */
const ATTEMPTS = 10;

/**
 * A part of each image, of a size and at a place of its own, brought to one size: [N, C, H, W] to [N, C, height, width]
 * (`torchvision.transforms.RandomResizedCrop` without antialiasing).
 *
 * @example
 * new transforms.RandomResizedCrop(224)
 */
export class RandomResizedCrop extends RandomTransform {
  /** Of the result. */
  readonly size: readonly [height: number, width: number];
  /** The part of the image that is cut out, by its area. */
  readonly scale: Interval;
  /** Width by height of what is cut out. */
  readonly ratio: Interval;
  /** How values between pixels are found. */
  readonly interpolation: Interpolation;

  /**
   * @param size of the result: [height, width], or one number for both
   * @param options what is cut out
   * @throws ArgumentError for intervals that are none
   */
  constructor(
    size: ImageSize,
    { scale = [0.08, 1], ratio = [3 / 4, 4 / 3], interpolation = "bilinear", ...rest }: RandomResizedCropOptions = {},
  ) {
    super(rest);
    this.size = heightAndWidth("RandomResizedCrop", size);
    this.scale = checkInterval("RandomResizedCrop", "scale", scale, 0, 1);
    this.ratio = checkInterval("RandomResizedCrop", "ratio", ratio, Number.MIN_VALUE);
    this.interpolation = checkInterpolation("RandomResizedCrop", interpolation);
  }

  protected transform(images: Tensor): Tensor {
    const [count, , rows, columns] = images.shape;
    const draw = ([low, high]: Interval, times: number): Tensor =>
      rand([count, times], { generator: this.generator, dtype: images.dtype })
        .mul(high - low)
        .add(low);
    const area = draw(this.scale, ATTEMPTS).mul(rows * columns);
    const ratio = draw([Math.log(this.ratio[0]), Math.log(this.ratio[1])], ATTEMPTS).exp();
    const widths = area.mul(ratio).sqrt().round();
    const heights = area.div(ratio).sqrt().round();
    const within = (sizes: Tensor, most: number): Tensor => sizes.gt(0).logicalAnd(sizes.le(most));
    const fits = within(widths, columns).logicalAnd(within(heights, rows)).to("int32");
    const chosen = fits.argmax(1, { keepdim: true });
    const fit = fits.gather(1, chosen).eq(1);
    const [middleHeight, middleWidth] = this.middleOf(rows, columns);
    const height = where(fit, heights.gather(1, chosen), middleHeight);
    const width = where(fit, widths.gather(1, chosen), middleWidth);
    /** Uniform among the positions 0 to last. */
    const position = (last: Tensor): Tensor => draw([0, 1], 1).mul(last.add(1)).floor().minimum(last);
    const top = where(fit, position(height.rsub(rows)), Math.floor((rows - middleHeight) / 2));
    const left = where(fit, position(width.rsub(columns)), Math.floor((columns - middleWidth) / 2));
    return resizedCrop(images, top, left, height, width, this.size, { interpolation: this.interpolation });
  }

  /** The largest part of these proportions. */
  private middleOf(rows: number, columns: number): readonly [height: number, width: number] {
    const [narrowest, widest] = this.ratio;
    if (columns / rows < narrowest) return [Math.round(columns / narrowest), columns];
    if (columns / rows > widest) return [rows, Math.round(rows * widest)];
    return [rows, columns];
  }

  override extraRepr(): string {
    return `${text(this.size)}, scale=${text(this.scale)}, ratio=${text(this.ratio)}`;
  }
}
