// Instance normalization layers (`torch.nn`, normalization layers; Ulyanov et al., 2016): each channel of each sample is
// normalized by its own statistics, in evaluation too unless running statistics are kept. As in PyTorch there are neither
// learned numbers nor running statistics unless they are asked for, and `numBatchesTracked` is never counted up.

import type { Tensor } from "../tensor/index.ts";
import { instanceNorm } from "./functional/normalization.ts";
import { type Layout, RunningNorm, type RunningNormOptions } from "./running-norm.ts";

/** Options of instance normalizations. With a `momentum` of null the running statistics stay as they are. */
export type InstanceNormLayerOptions = RunningNormOptions;

/** What instance normalizations of all ranks share. */
abstract class InstanceNorm extends RunningNorm {
  /**
   * @param numFeatures the number of channels, C; it matters only where there are numbers for each channel
   * @throws ArgumentError unless it is an integer from 1
   */
  constructor(numFeatures: number, options: InstanceNormLayerOptions = {}) {
    super(numFeatures, { affine: false, trackRunningStats: false, ...options });
  }

  /** @throws ShapeError for another shape, and where a channel of a sample has a single value to normalize by */
  forward(x: Tensor): Tensor {
    const batched = this.checkedLayout(x).includes("N");
    const { weight, bias, eps, runningMean = null, runningVar = null } = this;
    const useInputStats = this.training || runningMean === null;
    const options = { weight, bias, eps, useInputStats, momentum: this.momentum ?? 0 };
    const result = instanceNorm(batched ? x : x.unsqueeze(0), runningMean, runningVar, options);
    return batched ? result : result.squeeze(0);
  }
}

/** Normalizes each channel of each sample, [N, C, L] or [C, L] (`torch.nn.InstanceNorm1d`). */
export class InstanceNorm1d extends InstanceNorm {
  protected override get layouts(): readonly Layout[] {
    return [
      ["N", "C", "L"],
      ["C", "L"],
    ];
  }
}

/**
 * Normalizes each channel of each sample, [N, C, H, W] or [C, H, W] (`torch.nn.InstanceNorm2d`).
 *
 * @example
 * new nn.InstanceNorm2d(16)                   // for style transfer: nothing learned
 * new nn.InstanceNorm2d(16, { affine: true }) // with a learned scale and shift
 */
export class InstanceNorm2d extends InstanceNorm {
  protected override get layouts(): readonly Layout[] {
    return [
      ["N", "C", "H", "W"],
      ["C", "H", "W"],
    ];
  }
}

/** Normalizes each channel of each sample, [N, C, D, H, W] or [C, D, H, W] (`torch.nn.InstanceNorm3d`). */
export class InstanceNorm3d extends InstanceNorm {
  protected override get layouts(): readonly Layout[] {
    return [
      ["N", "C", "D", "H", "W"],
      ["C", "D", "H", "W"],
    ];
  }
}

/** An InstanceNorm1d that takes `numFeatures` from its first input (`torch.nn.LazyInstanceNorm1d`). */
export class LazyInstanceNorm1d extends InstanceNorm1d {
  /** @param options as of `InstanceNorm1d` */
  constructor(options: InstanceNormLayerOptions = {}) {
    super(0, options);
  }
  protected override get isLazy(): boolean {
    return true;
  }
}

/** An InstanceNorm2d that takes `numFeatures` from its first input (`torch.nn.LazyInstanceNorm2d`). */
export class LazyInstanceNorm2d extends InstanceNorm2d {
  /** @param options as of `InstanceNorm2d` */
  constructor(options: InstanceNormLayerOptions = {}) {
    super(0, options);
  }
  protected override get isLazy(): boolean {
    return true;
  }
}

/** An InstanceNorm3d that takes `numFeatures` from its first input (`torch.nn.LazyInstanceNorm3d`). */
export class LazyInstanceNorm3d extends InstanceNorm3d {
  /** @param options as of `InstanceNorm3d` */
  constructor(options: InstanceNormLayerOptions = {}) {
    super(0, options);
  }
  protected override get isLazy(): boolean {
    return true;
  }
}
