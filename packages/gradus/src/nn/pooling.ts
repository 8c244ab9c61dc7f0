// Pooling layers (`torch.nn`, pooling layers) over windows of a given size, and their inverse for maxima.

import type { Tensor } from "../tensor/index.ts";
import {
  type AvgPoolOptions,
  avgPool,
  type LPPoolOptions,
  lpPool,
  type MaxPoolOptions,
  maxPool,
  maxPoolWithIndices,
  type PooledWithIndices,
} from "./functional/pooling.ts";
import { type SpatialSize, sizeText } from "./functional/sizes.ts";
import { type MaxUnpoolOptions, maxUnpool } from "./functional/unpooling.ts";
import { Module } from "./module.ts";

/** What a max pooling layer gives: with `returnIndices` the pair of output and indices, else the output alone. */
export type MaxPooled<ReturnIndices extends boolean> = ReturnIndices extends true ? PooledWithIndices : Tensor;

/** Options of `MaxPool1d`, `MaxPool2d` and `MaxPool3d`. */
export interface MaxPoolLayerOptions<ReturnIndices extends boolean = boolean> extends MaxPoolOptions {
  /** Whether positions are given as well, for `MaxUnpool2d` and its like. Default false. */
  readonly returnIndices?: ReturnIndices;
}

/** "kernelSize=2, stride=2, padding=0", and what is not the default. */
function windowRepr(kernelSize: SpatialSize, options: MaxPoolOptions & AvgPoolOptions): string {
  const { stride = kernelSize, padding = 0, dilation = 1, ceilMode, countIncludePad, divisorOverride } = options;
  return [
    `kernelSize=${sizeText(kernelSize)}, stride=${sizeText(stride)}, padding=${sizeText(padding)}`,
    ...(dilation === 1 ? [] : [`dilation=${sizeText(dilation)}`]),
    ...(ceilMode ? ["ceilMode=true"] : []),
    ...((countIncludePad ?? true) ? [] : ["countIncludePad=false"]),
    ...(divisorOverride === undefined ? [] : [`divisorOverride=${divisorOverride}`]),
  ].join(", ");
}

/** Max pooling of any rank. */
abstract class MaxPooling<ReturnIndices extends boolean> extends Module<[Tensor], MaxPooled<ReturnIndices>> {
  /** Whether positions are given as well. */
  readonly returnIndices: boolean;

  constructor(
    private readonly rank: number,
    /** The size of a window, in all spatial dimensions or in each. */
    readonly kernelSize: SpatialSize,
    /** As they were given; the stride is the kernel's size by default. */
    readonly options: MaxPoolLayerOptions<ReturnIndices>,
  ) {
    super();
    this.returnIndices = options.returnIndices ?? false;
  }

  forward(x: Tensor): MaxPooled<ReturnIndices> {
    const { rank, kernelSize, options } = this;
    const pool = this.returnIndices ? maxPoolWithIndices : maxPool;
    return pool(rank, x, kernelSize, options) as MaxPooled<ReturnIndices>;
  }

  override extraRepr(): string {
    return windowRepr(this.kernelSize, this.options);
  }
}

/**
 * The largest element of each window: [N, C, L] to [N, C, L'], with
 * L' = floor((L + 2 padding - dilation (kernelSize - 1) - 1) / stride) + 1, or the ceiling (`torch.nn.MaxPool1d`). The
 * gradient goes to the first of equal elements.
 */
export class MaxPool1d<ReturnIndices extends boolean = false> extends MaxPooling<ReturnIndices> {
  /**
   * @param kernelSize the size of a window
   * @param options stride (default the kernel's size), padding, dilation, ceiling, and whether indices are given
   */
  constructor(kernelSize: SpatialSize, options: MaxPoolLayerOptions<ReturnIndices> = {}) {
    super(1, kernelSize, options);
  }
}

/**
 * The largest element of each window: [N, C, H, W] to [N, C, H', W'], with sizes as of `MaxPool1d` (`torch.nn.MaxPool2d`).
 *
 * @example
 * const pool = new nn.MaxPool2d(2, { returnIndices: true });
 * const [output, indices] = pool.forward(x); // both [N, C, H / 2, W / 2]
 * new nn.MaxUnpool2d(2).forward(output, indices); // [N, C, H, W]
 */
export class MaxPool2d<ReturnIndices extends boolean = false> extends MaxPooling<ReturnIndices> {
  /**
   * @param kernelSize the size of a window: one number, or [height, width]
   * @param options stride (default the kernel's size), padding, dilation, ceiling, and whether indices are given
   */
  constructor(kernelSize: SpatialSize, options: MaxPoolLayerOptions<ReturnIndices> = {}) {
    super(2, kernelSize, options);
  }
}

/**
 * The largest element of each window: [N, C, D, H, W] to [N, C, D', H', W'], with sizes as of `MaxPool1d`
 * (`torch.nn.MaxPool3d`).
 */
export class MaxPool3d<ReturnIndices extends boolean = false> extends MaxPooling<ReturnIndices> {
  /**
   * @param kernelSize the size of a window: one number, or [depth, height, width]
   * @param options stride (default the kernel's size), padding, dilation, ceiling, and whether indices are given
   */
  constructor(kernelSize: SpatialSize, options: MaxPoolLayerOptions<ReturnIndices> = {}) {
    super(3, kernelSize, options);
  }
}

/** Average pooling of any rank. */
abstract class AvgPooling extends Module {
  constructor(
    private readonly rank: number,
    /** The size of a window, in all spatial dimensions or in each. */
    readonly kernelSize: SpatialSize,
    /** As they were given; the stride is the kernel's size by default. */
    readonly options: AvgPoolOptions,
  ) {
    super();
  }

  forward(x: Tensor): Tensor {
    return avgPool(this.rank, x, this.kernelSize, this.options);
  }

  override extraRepr(): string {
    return windowRepr(this.kernelSize, this.options);
  }
}

/**
 * The mean of each window: [N, C, L] to [N, C, L'], with L' = floor((L + 2 padding - kernelSize) / stride) + 1, or the
 * ceiling (`torch.nn.AvgPool1d`).
 */
export class AvgPool1d extends AvgPooling {
  /**
   * @param kernelSize the size of a window
   * @param options stride (default the kernel's size), padding, ceiling, and what the sum is divided by
   */
  constructor(kernelSize: SpatialSize, options: AvgPoolOptions = {}) {
    super(1, kernelSize, options);
  }
}

/** The mean of each window: [N, C, H, W] to [N, C, H', W'], with sizes as of `AvgPool1d` (`torch.nn.AvgPool2d`). */
export class AvgPool2d extends AvgPooling {
  /**
   * @param kernelSize the size of a window: one number, or [height, width]
   * @param options stride (default the kernel's size), padding, ceiling, and what the sum is divided by
   */
  constructor(kernelSize: SpatialSize, options: AvgPoolOptions = {}) {
    super(2, kernelSize, options);
  }
}

/** The mean of each window: [N, C, D, H, W] to [N, C, D', H', W'], with sizes as of `AvgPool1d` (`torch.nn.AvgPool3d`). */
export class AvgPool3d extends AvgPooling {
  /**
   * @param kernelSize the size of a window: one number, or [depth, height, width]
   * @param options stride (default the kernel's size), padding, ceiling, and what the sum is divided by
   */
  constructor(kernelSize: SpatialSize, options: AvgPoolOptions = {}) {
    super(3, kernelSize, options);
  }
}

/** Pooling by norms, of any rank. */
abstract class LPPooling extends Module {
  constructor(
    private readonly rank: number,
    /** p, the order of the norm. */
    readonly normType: number,
    /** The size of a window, in all spatial dimensions or in each. */
    readonly kernelSize: SpatialSize,
    /** As they were given; the stride is the kernel's size by default. */
    readonly options: LPPoolOptions,
  ) {
    super();
  }

  forward(x: Tensor): Tensor {
    return lpPool(this.rank, x, this.normType, this.kernelSize, this.options);
  }

  override extraRepr(): string {
    const { stride = this.kernelSize, ceilMode = false } = this.options;
    const { normType, kernelSize } = this;
    return `normType=${normType}, kernelSize=${sizeText(kernelSize)}, stride=${sizeText(stride)}, ceilMode=${ceilMode}`;
  }
}

/** The p-norm of each window of [N, C, L], p being `normType` (`torch.nn.LPPool1d`). Where it is 0 so is the gradient. */
export class LPPool1d extends LPPooling {
  /**
   * @param normType p, the order of the norm
   * @param kernelSize the size of a window
   * @param options stride (default the kernel's size) and ceiling
   */
  constructor(normType: number, kernelSize: SpatialSize, options: LPPoolOptions = {}) {
    super(1, normType, kernelSize, options);
  }
}

/** The p-norm of each window of [N, C, H, W], as `LPPool1d` (`torch.nn.LPPool2d`). */
export class LPPool2d extends LPPooling {
  /**
   * @param normType p, the order of the norm
   * @param kernelSize the size of a window: one number, or [height, width]
   * @param options stride (default the kernel's size) and ceiling
   */
  constructor(normType: number, kernelSize: SpatialSize, options: LPPoolOptions = {}) {
    super(2, normType, kernelSize, options);
  }
}

/** Options of `MaxUnpool1d`, `MaxUnpool2d` and `MaxUnpool3d`: stride and padding of the pooling that is undone. */
export type MaxUnpoolLayerOptions = Omit<MaxUnpoolOptions, "outputSize">;

/** The inverse of max pooling, of any rank. */
abstract class MaxUnpooling extends Module<[x: Tensor, indices: Tensor, outputSize?: readonly number[]]> {
  constructor(
    private readonly rank: number,
    /** The size of the windows that were pooled, in all spatial dimensions or in each. */
    readonly kernelSize: SpatialSize,
    /** As they were given; the stride is the kernel's size by default. */
    readonly options: MaxUnpoolLayerOptions,
  ) {
    super();
  }

  /**
   * Puts every element back where it was, zeros elsewhere.
   * @param indices where `x` was, as max pooling with `returnIndices` gives them
   * @param outputSize the size of what was pooled, where it is not the smallest that fits: spatial dimensions or all
   */
  forward(x: Tensor, indices: Tensor, outputSize?: readonly number[]): Tensor {
    return maxUnpool(this.rank, x, indices, this.kernelSize, { ...this.options, outputSize });
  }

  override extraRepr(): string {
    return windowRepr(this.kernelSize, this.options);
  }
}

/** Largest elements back to their places, [N, C, L'] to [N, C, L], zeros elsewhere (`torch.nn.MaxUnpool1d`). */
export class MaxUnpool1d extends MaxUnpooling {
  /**
   * @param kernelSize the size of the windows that were pooled
   * @param options the stride (default the kernel's size) and padding of the pooling
   */
  constructor(kernelSize: SpatialSize, options: MaxUnpoolLayerOptions = {}) {
    super(1, kernelSize, options);
  }
}

/** Largest elements back to their places, [N, C, H', W'] to [N, C, H, W], zeros elsewhere (`torch.nn.MaxUnpool2d`). */
export class MaxUnpool2d extends MaxUnpooling {
  /**
   * @param kernelSize the size of the windows that were pooled: one number, or [height, width]
   * @param options the stride (default the kernel's size) and padding of the pooling
   */
  constructor(kernelSize: SpatialSize, options: MaxUnpoolLayerOptions = {}) {
    super(2, kernelSize, options);
  }
}

/** Largest elements back to their places, [N, C, D', H', W'] to [N, C, D, H, W] (`torch.nn.MaxUnpool3d`). */
export class MaxUnpool3d extends MaxUnpooling {
  /**
   * @param kernelSize the size of the windows that were pooled: one number, or [depth, height, width]
   * @param options the stride (default the kernel's size) and padding of the pooling
   */
  constructor(kernelSize: SpatialSize, options: MaxUnpoolLayerOptions = {}) {
    super(3, kernelSize, options);
  }
}
