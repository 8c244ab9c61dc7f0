// Transforms of colours: normalization, grayscale, and changes of brightness, contrast, saturation and hue, which expect
// values from 0 to 1 and keep them there. After `torchvision.transforms` and its functional form; the conversion between
// RGB and HSV is that of A. R. Smith, "Color gamut transform pairs", 1978, as Pillow and torchvision compute it.

import { ArgumentError, cat, ShapeError, type Tensor, where } from "gradus";
import { channelTensor } from "./geometry.ts";
import {
  type ChannelValues,
  checkImages,
  checkInterval,
  checkProbability,
  type Interval,
  type PerImage,
  RandomTransform,
  type RandomTransformOptions,
  Transform,
  text,
} from "./transform.ts";

/** (images - mean) / std (`torchvision.transforms.functional.normalize`). */
export function normalize(images: Tensor, mean: ChannelValues, std: ChannelValues): Tensor {
  checkImages("normalize", images);
  return images
    .sub(channelTensor("normalize", "mean", mean, images))
    .div(channelTensor("normalize", "std", std, images));
}

/**
 * Takes away a mean and divides by a deviation, each a number for each channel (`torchvision.transforms.Normalize`).
 *
 * @example
 * new transforms.Normalize([0.4914, 0.4822, 0.4465], [0.247, 0.2435, 0.2616])
 */
export class Normalize extends Transform {
  /**
   * @param mean what is taken away, of all channels or of each
   * @param std what the difference is divided by, of all channels or of each; not 0
   */
  constructor(
    readonly mean: ChannelValues,
    readonly std: ChannelValues,
  ) {
    super();
    const numbers = [mean, std].flat() as readonly number[];
    const deviations = [std].flat() as readonly number[];
    if (!numbers.every(Number.isFinite) || deviations.some((deviation) => deviation === 0)) {
      throw new ArgumentError(
        "Normalize",
        `a mean of ${text(mean)} and a deviation of ${text(std)} normalize nothing`,
        "Use finite numbers, and no deviation of 0.",
      );
    }
  }

  protected transform(images: Tensor): Tensor {
    return normalize(images, this.mean, this.std);
  }

  override extraRepr(): string {
    return `mean=${text(this.mean)}, std=${text(this.std)}`;
  }
}

/** The three channels of colour images, each [..., 1, H, W]. */
function channelsOf(images: Tensor): readonly [red: Tensor, green: Tensor, blue: Tensor] {
  const axis = images.ndim - 3;
  return [0, 1, 2].map((channel) => images.narrow(axis, channel, 1)) as [Tensor, Tensor, Tensor];
}

/** Whether images have colours. @throws ShapeError for what is neither gray nor RGB */
function isColour(operation: string, images: Tensor): boolean {
  checkImages(operation, images);
  const channels = images.shape[images.ndim - 3];
  if (channels !== 1 && channels !== 3) {
    throw new ShapeError(operation, [images.shape], `${channels} channels are neither gray nor red, green and blue`);
  }
  return channels === 3;
}

/** Luma, [..., 1, H, W] (ITU-R BT.601). */
function luma(images: Tensor): Tensor {
  const [red, green, blue] = channelsOf(images);
  return red.mul(0.2989).add(green.mul(0.587)).add(blue.mul(0.114));
}

/**
 * Images without colours, [N, 3 or 1, H, W] to [N, outChannels, H, W]
 * (`torchvision.transforms.functional.rgb_to_grayscale`).
 */
export function rgbToGrayscale(images: Tensor, outChannels: 1 | 3 = 1): Tensor {
  const gray = isColour("rgbToGrayscale", images) ? luma(images) : images;
  return outChannels === 1 ? gray : gray.expand([...images.shape.slice(0, -3), 3, ...images.shape.slice(-2)]);
}

/** Images without colours: [N, 3, H, W] to [N, outChannels, H, W] (`torchvision.transforms.Grayscale`). */
export class Grayscale extends Transform {
  /** @param outChannels 1 (default), or 3 channels that are alike */
  constructor(readonly outChannels: 1 | 3 = 1) {
    super();
    if (outChannels !== 1 && outChannels !== 3) {
      throw new ArgumentError("Grayscale", `${String(outChannels)} channels cannot be made`, "Use 1 or 3.");
    }
  }

  protected transform(images: Tensor): Tensor {
    return rgbToGrayscale(images, this.outChannels);
  }

  override extraRepr(): string {
    return `outChannels=${this.outChannels}`;
  }
}

/** A factor that broadcasts to images. @throws ShapeError unless there is one for each image */
function factorOf(operation: string, factor: PerImage, images: Tensor): PerImage {
  if (typeof factor === "number") return factor;
  const count = images.ndim === 4 ? images.shape[0] : 1;
  if (factor.numel() !== count) {
    throw new ShapeError(
      operation,
      [factor.shape, images.shape],
      `${factor.numel()} factors are not one for each image`,
    );
  }
  return factor.to(images.dtype).reshape(images.ndim === 4 ? [count, 1, 1, 1] : [1, 1, 1]);
}

/** Between other images (factor 0) and these (factor 1), or beyond, within 0 and 1. */
function blend(images: Tensor, other: Tensor | number, factor: PerImage): Tensor {
  const rest = typeof factor === "number" ? 1 - factor : factor.rsub(1);
  const part = typeof other === "number" ? other : other.mul(rest);
  return images.mul(factor).add(part).clamp(0, 1);
}

/** Brighter by a factor from 0, which is black (`torchvision.transforms.functional.adjust_brightness`). */
export function adjustBrightness(images: Tensor, factor: PerImage): Tensor {
  checkImages("adjustBrightness", images);
  return blend(images, 0, factorOf("adjustBrightness", factor, images));
}

/** More contrast by a factor from 0, which is all gray (`torchvision.transforms.functional.adjust_contrast`). */
export function adjustContrast(images: Tensor, factor: PerImage): Tensor {
  const gray = rgbToGrayscale(images);
  return blend(images, gray.mean([-3, -2, -1], { keepdim: true }), factorOf("adjustContrast", factor, images));
}

/**
 * Stronger colours by a factor from 0, which is without (`torchvision.transforms.functional.adjust_saturation`). Gray images
 * stay as they are.
 */
export function adjustSaturation(images: Tensor, factor: PerImage): Tensor {
  if (!isColour("adjustSaturation", images)) return images;
  return blend(images, luma(images), factorOf("adjustSaturation", factor, images));
}

/**
 * Colours turned about the circle of hues: by a factor from -0.5 to 0.5, both of which mean its other side
 * (`torchvision.transforms.functional.adjust_hue`). Gray images stay as they are.
 */
export function adjustHue(images: Tensor, factor: PerImage): Tensor {
  if (!isColour("adjustHue", images)) return images;
  if (typeof factor === "number") checkInterval("adjustHue", "the factor", [factor, factor], -0.5, 0.5);
  const [red, green, blue] = channelsOf(images);
  const largest = red.maximum(green).maximum(blue);
  const smallest = red.minimum(green).minimum(blue);
  const range = largest.sub(smallest);
  const isGray = range.eq(0);
  const saturation = range.div(where(isGray, 1, largest));
  const from = (channel: Tensor): Tensor => largest.sub(channel).div(where(isGray, 1, range));
  const [fromRed, fromGreen, fromBlue] = [from(red), from(green), from(blue)];
  const sixths = where(
    largest.eq(red),
    fromBlue.sub(fromGreen),
    where(largest.eq(green), fromRed.sub(fromBlue).add(2), fromGreen.sub(fromRed).add(4)),
  );
  const hue = sixths
    .div(6)
    .add(1)
    .remainder(1)
    .add(factorOf("adjustHue", factor, images))
    .remainder(1)
    .mul(6);
  // Each channel rises from value - value * saturation to value over a sixth of the circle, stays for two, and falls.
  const axis = images.ndim - 3;
  const channel = (start: number): Tensor => {
    const k = hue.add(start).remainder(6);
    const height = k.minimum(k.rsub(4)).clamp(0, 1);
    return largest.sub(largest.mul(saturation).mul(height));
  };
  return cat([channel(5), channel(3), channel(1)], axis);
}

/** Options of `ColorJitter`. */
export interface ColorJitterOptions extends RandomTransformOptions {
  /** The factor is from 1 - brightness, but not below 0, to 1 + brightness, or from an interval. Default 0. */
  readonly brightness?: number | Interval;
  /** As brightness. Default 0. */
  readonly contrast?: number | Interval;
  /** As brightness. Default 0. */
  readonly saturation?: number | Interval;
  /** Parts of the circle of hues in both directions, up to 0.5, or an interval. Default 0. */
  readonly hue?: number | Interval;
}

/** The interval of a factor; null if it is always the one that changes nothing. */
function factorInterval(
  name: string,
  given: number | Interval,
  center: number,
  lowest: number,
  highest: number,
): Interval | null {
  if (typeof given === "number" && !(given >= 0)) {
    throw new ArgumentError("ColorJitter", `${name} ${given} is no range`, "Use a number from 0, or [low, high].");
  }
  const [low, high] =
    typeof given === "number" ? [center === 1 ? Math.max(0, 1 - given) : -given, center + given] : given;
  checkInterval("ColorJitter", name, [low, high], lowest, highest);
  return low === center && high === center ? null : [low, high];
}

/**
 * Changes brightness, contrast, saturation and hue of each image by factors of its own
 * (`torchvision.transforms.ColorJitter`). They are changed in this order, where torchvision draws an order for each call.
 *
 * @example
 * new transforms.ColorJitter({ brightness: 0.2, contrast: 0.2, saturation: 0.2, hue: 0.05 })
 */
export class ColorJitter extends RandomTransform {
  private readonly changes: readonly (readonly [(images: Tensor, factor: PerImage) => Tensor, Interval])[];

  /**
   * @param options how much may change
   * @throws ArgumentError for an interval that is none
   */
  constructor(readonly options: ColorJitterOptions = {}) {
    super(options);
    const { brightness = 0, contrast = 0, saturation = 0, hue = 0 } = options;
    const most = Number.POSITIVE_INFINITY;
    const changes = [
      [adjustBrightness, factorInterval("brightness", brightness, 1, 0, most)],
      [adjustContrast, factorInterval("contrast", contrast, 1, 0, most)],
      [adjustSaturation, factorInterval("saturation", saturation, 1, 0, most)],
      [adjustHue, factorInterval("hue", hue, 0, -0.5, 0.5)],
    ] as const;
    this.changes = changes.flatMap(([change, interval]) => (interval === null ? [] : [[change, interval] as const]));
  }

  protected transform(images: Tensor): Tensor {
    return this.changes.reduce(
      (changed, [change, interval]) => change(changed, this.uniform(images, interval)),
      images,
    );
  }

  override extraRepr(): string {
    const { brightness = 0, contrast = 0, saturation = 0, hue = 0 } = this.options;
    return Object.entries({ brightness, contrast, saturation, hue })
      .map(([name, value]) => `${name}=${text(value)}`)
      .join(", ");
  }
}

/** Turns each image into its negative with probability p (`torchvision.transforms.RandomInvert`). */
export class RandomInvert extends RandomTransform {
  /**
   * @param p the probability. Default 0.5
   * @param options where random numbers come from
   */
  constructor(
    readonly p = 0.5,
    options: RandomTransformOptions = {},
  ) {
    super(options);
    checkProbability("RandomInvert", p);
  }

  protected transform(images: Tensor): Tensor {
    return where(this.chance(images, this.p), images.rsub(1), images);
  }

  override extraRepr(): string {
    return `p=${this.p}`;
  }
}
