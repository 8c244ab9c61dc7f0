// Layers that resize images (`torch.nn`, vision layers): interpolation, and the exchange of channels for pixels.

import type { Tensor } from "../tensor/index.ts";
import { type InterpolateOptions, interpolate } from "./functional/interpolate.ts";
import { channelShuffle, pixelShuffle, pixelUnshuffle } from "./functional/shuffle.ts";
import { sizeText } from "./functional/sizes.ts";
import { Module } from "./module.ts";

/**
 * Resizes the spatial dimensions of [N, C, L], [N, C, H, W] or [N, C, D, H, W] (`torch.nn.Upsample`); options are those of
 * `F.interpolate`.
 *
 * @example
 * const up = new nn.Upsample({ scaleFactor: 2, mode: "bilinear" });
 * up.forward(x); // [N, C, 16, 16] to [N, C, 32, 32]
 */
export class Upsample extends Module {
  /** @param options a size or a factor, and how values between pixels are found */
  constructor(readonly options: InterpolateOptions) {
    super();
  }

  forward(x: Tensor): Tensor {
    return interpolate(x, this.options);
  }

  override extraRepr(): string {
    const { size, scaleFactor, mode = "nearest", alignCorners = null } = this.options;
    const extent = scaleFactor ? `scaleFactor=${sizeText(scaleFactor)}` : `size=${size ? sizeText(size) : "null"}`;
    return `${extent}, mode=${mode}${alignCorners === null ? "" : `, alignCorners=${alignCorners}`}`;
  }
}

/** The size of the result, or what sizes are multiplied by: one of them. */
export type Upsampling2dOptions = Pick<InterpolateOptions, "size" | "scaleFactor">;

/** Repeats pixels of [N, C, H, W] (`torch.nn.UpsamplingNearest2d`). */
export class UpsamplingNearest2d extends Upsample {
  /** @param options the size of the result, or the factor of each dimension */
  constructor({ size, scaleFactor }: Upsampling2dOptions) {
    super({ size, scaleFactor, mode: "nearest" });
  }
}

/** Interpolates between the pixels of [N, C, H, W], whose corners stay (`torch.nn.UpsamplingBilinear2d`). */
export class UpsamplingBilinear2d extends Upsample {
  /** @param options the size of the result, or the factor of each dimension */
  constructor({ size, scaleFactor }: Upsampling2dOptions) {
    super({ size, scaleFactor, mode: "bilinear", alignCorners: true });
  }
}

/**
 * Channels become pixels: [..., C r^2, H, W] to [..., C, r H, r W] (`torch.nn.PixelShuffle`; Shi et al., "Real-time single
 * image and video super-resolution using an efficient sub-pixel convolutional neural network", 2016).
 *
 * @example
 * const up = new nn.Sequential(new nn.Conv2d(64, 3 * 4, 3, { padding: 1 }), new nn.PixelShuffle(2));
 * up.forward(x); // [N, 64, H, W] to [N, 3, 2 H, 2 W]
 */
export class PixelShuffle extends Module {
  /** @param upscaleFactor r, an integer from 1 */
  constructor(readonly upscaleFactor: number) {
    super();
  }

  forward(x: Tensor): Tensor {
    return pixelShuffle(x, this.upscaleFactor);
  }

  override extraRepr(): string {
    return `upscaleFactor=${this.upscaleFactor}`;
  }
}

/** The inverse of PixelShuffle: [..., C, r H, r W] to [..., C r^2, H, W] (`torch.nn.PixelUnshuffle`). */
export class PixelUnshuffle extends Module {
  /** @param downscaleFactor r, an integer from 1 that divides height and width */
  constructor(readonly downscaleFactor: number) {
    super();
  }

  forward(x: Tensor): Tensor {
    return pixelUnshuffle(x, this.downscaleFactor);
  }

  override extraRepr(): string {
    return `downscaleFactor=${this.downscaleFactor}`;
  }
}

/**
 * Channels of [N, C, ...] in another order: the first of every group, then the second of every group, and so on
 * (`torch.nn.ChannelShuffle`; Zhang et al., "ShuffleNet", 2018).
 */
export class ChannelShuffle extends Module {
  /** @param groups an integer from 1 that divides the number of channels */
  constructor(readonly groups: number) {
    super();
  }

  forward(x: Tensor): Tensor {
    return channelShuffle(x, this.groups);
  }

  override extraRepr(): string {
    return `groups=${this.groups}`;
  }
}
