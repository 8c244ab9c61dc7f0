// Convolutions that take their number of input channels from the first input they see, or from a state dict
// (`torch.nn.LazyConv*`). Until then they have no parameters.

import {
  Conv1d,
  Conv2d,
  Conv3d,
  type ConvLayerOptions,
  ConvTranspose1d,
  ConvTranspose2d,
  ConvTranspose3d,
  type ConvTransposeLayerOptions,
} from "./conv.ts";
import type { SpatialSize } from "./functional/sizes.ts";

/** A Conv1d that takes `inChannels` from its first input (`torch.nn.LazyConv1d`). */
export class LazyConv1d extends Conv1d {
  /** @throws ArgumentError where sizes or options do not fit each other */
  constructor(outChannels: number, kernelSize: SpatialSize, options: ConvLayerOptions = {}) {
    super(0, outChannels, kernelSize, options);
  }

  protected override get isLazy(): boolean {
    return true;
  }
}

/**
 * A Conv2d that takes `inChannels` from its first input (`torch.nn.LazyConv2d`).
 *
 * @example
 * const net = new nn.Sequential(new nn.LazyConv2d(6, 5), new nn.ReLU(), new nn.LazyConv2d(16, 5));
 * net.forward(images); // [N, C, H, W] for any C; from then on it is fixed
 */
export class LazyConv2d extends Conv2d {
  /** @throws ArgumentError where sizes or options do not fit each other */
  constructor(outChannels: number, kernelSize: SpatialSize, options: ConvLayerOptions = {}) {
    super(0, outChannels, kernelSize, options);
  }

  protected override get isLazy(): boolean {
    return true;
  }
}

/** A Conv3d that takes `inChannels` from its first input (`torch.nn.LazyConv3d`). */
export class LazyConv3d extends Conv3d {
  /** @throws ArgumentError where sizes or options do not fit each other */
  constructor(outChannels: number, kernelSize: SpatialSize, options: ConvLayerOptions = {}) {
    super(0, outChannels, kernelSize, options);
  }

  protected override get isLazy(): boolean {
    return true;
  }
}

/** A ConvTranspose1d that takes `inChannels` from its first input (`torch.nn.LazyConvTranspose1d`). */
export class LazyConvTranspose1d extends ConvTranspose1d {
  /** @throws ArgumentError where sizes or options do not fit each other */
  constructor(outChannels: number, kernelSize: SpatialSize, options: ConvTransposeLayerOptions = {}) {
    super(0, outChannels, kernelSize, options);
  }

  protected override get isLazy(): boolean {
    return true;
  }
}

/** A ConvTranspose2d that takes `inChannels` from its first input (`torch.nn.LazyConvTranspose2d`). */
export class LazyConvTranspose2d extends ConvTranspose2d {
  /** @throws ArgumentError where sizes or options do not fit each other */
  constructor(outChannels: number, kernelSize: SpatialSize, options: ConvTransposeLayerOptions = {}) {
    super(0, outChannels, kernelSize, options);
  }

  protected override get isLazy(): boolean {
    return true;
  }
}

/** A ConvTranspose3d that takes `inChannels` from its first input (`torch.nn.LazyConvTranspose3d`). */
export class LazyConvTranspose3d extends ConvTranspose3d {
  /** @throws ArgumentError where sizes or options do not fit each other */
  constructor(outChannels: number, kernelSize: SpatialSize, options: ConvTransposeLayerOptions = {}) {
    super(0, outChannels, kernelSize, options);
  }

  protected override get isLazy(): boolean {
    return true;
  }
}
