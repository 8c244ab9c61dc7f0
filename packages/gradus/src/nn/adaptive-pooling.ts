// Adaptive pooling layers (`torch.nn`): as many windows as are wanted, whatever the input's size.

import type { Tensor } from "../tensor/index.ts";
import { type AdaptiveSize, adaptiveAvgPool, adaptiveMaxPoolWithIndices } from "./functional/adaptive-pooling.ts";
import { sizeText } from "./functional/sizes.ts";
import { Module } from "./module.ts";
import type { MaxPooled } from "./pooling.ts";

/** Adaptive average pooling of any rank. */
abstract class AdaptiveAvgPooling extends Module {
  constructor(
    private readonly rank: number,
    /** How many windows there are, in all spatial dimensions or in each; null keeps a dimension. */
    readonly outputSize: AdaptiveSize,
  ) {
    super();
  }

  forward(x: Tensor): Tensor {
    return adaptiveAvgPool(this.rank, x, this.outputSize);
  }

  override extraRepr(): string {
    return `outputSize=${sizeText(this.outputSize)}`;
  }
}

/** Means over as many windows as are wanted: [N, C, L] to [N, C, outputSize] (`torch.nn.AdaptiveAvgPool1d`). */
export class AdaptiveAvgPool1d extends AdaptiveAvgPooling {
  /** @param outputSize how many windows there are; null keeps the length */
  constructor(outputSize: AdaptiveSize) {
    super(1, outputSize);
  }
}

/**
 * Means over as many windows as are wanted: [N, C, H, W] to [N, C, ...outputSize] (`torch.nn.AdaptiveAvgPool2d`).
 *
 * @example
 * new nn.AdaptiveAvgPool2d(1); // the mean of every feature map
 * new nn.AdaptiveAvgPool2d([null, 7]); // the height stays
 */
export class AdaptiveAvgPool2d extends AdaptiveAvgPooling {
  /** @param outputSize one number or [H', W']; null keeps a dimension */
  constructor(outputSize: AdaptiveSize) {
    super(2, outputSize);
  }
}

/** Means over as many windows as are wanted: [N, C, D, H, W] to [N, C, ...outputSize] (`torch.nn.AdaptiveAvgPool3d`). */
export class AdaptiveAvgPool3d extends AdaptiveAvgPooling {
  /** @param outputSize one number or [D', H', W']; null keeps a dimension */
  constructor(outputSize: AdaptiveSize) {
    super(3, outputSize);
  }
}

/** Options of the adaptive max pooling layers. */
export interface AdaptiveMaxPoolOptions<ReturnIndices extends boolean = boolean> {
  /** Whether positions in the flattened spatial dimensions are given as well. Default false. */
  readonly returnIndices?: ReturnIndices;
}

/** Adaptive max pooling of any rank. */
abstract class AdaptiveMaxPooling<ReturnIndices extends boolean> extends Module<[Tensor], MaxPooled<ReturnIndices>> {
  /** Whether positions are given as well. */
  readonly returnIndices: boolean;

  constructor(
    private readonly rank: number,
    /** How many windows there are, in all spatial dimensions or in each; null keeps a dimension. */
    readonly outputSize: AdaptiveSize,
    { returnIndices = false as ReturnIndices }: AdaptiveMaxPoolOptions<ReturnIndices>,
  ) {
    super();
    this.returnIndices = returnIndices;
  }

  forward(x: Tensor): MaxPooled<ReturnIndices> {
    const pair = adaptiveMaxPoolWithIndices(this.rank, x, this.outputSize);
    return (this.returnIndices ? pair : pair[0]) as MaxPooled<ReturnIndices>;
  }

  override extraRepr(): string {
    return `outputSize=${sizeText(this.outputSize)}`;
  }
}

/** Maxima over as many windows as are wanted: [N, C, L] to [N, C, outputSize] (`torch.nn.AdaptiveMaxPool1d`). */
export class AdaptiveMaxPool1d<ReturnIndices extends boolean = false> extends AdaptiveMaxPooling<ReturnIndices> {
  /** @param outputSize how many windows there are; null keeps the length */
  constructor(outputSize: AdaptiveSize, options: AdaptiveMaxPoolOptions<ReturnIndices> = {}) {
    super(1, outputSize, options);
  }
}

/** Maxima over as many windows as are wanted: [N, C, H, W] to [N, C, ...outputSize] (`torch.nn.AdaptiveMaxPool2d`). */
export class AdaptiveMaxPool2d<ReturnIndices extends boolean = false> extends AdaptiveMaxPooling<ReturnIndices> {
  /** @param outputSize one number or [H', W']; null keeps a dimension */
  constructor(outputSize: AdaptiveSize, options: AdaptiveMaxPoolOptions<ReturnIndices> = {}) {
    super(2, outputSize, options);
  }
}

/** Maxima over as many windows as are wanted: [N, C, D, H, W] to [N, C, ...outputSize] (`torch.nn.AdaptiveMaxPool3d`). */
export class AdaptiveMaxPool3d<ReturnIndices extends boolean = false> extends AdaptiveMaxPooling<ReturnIndices> {
  /** @param outputSize one number or [D', H', W']; null keeps a dimension */
  constructor(outputSize: AdaptiveSize, options: AdaptiveMaxPoolOptions<ReturnIndices> = {}) {
    super(3, outputSize, options);
  }
}
