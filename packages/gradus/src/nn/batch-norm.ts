// Batch normalization layers (`torch.nn`, normalization layers; Ioffe and Szegedy, 2015). In training a batch is
// normalized by its own statistics, in evaluation by the running ones.

import type { Tensor } from "../tensor/index.ts";
import { batchNorm } from "./functional/normalization.ts";
import { type Layout, RunningNorm, type RunningNormOptions } from "./running-norm.ts";

/** Options of batch normalizations. A `momentum` of null makes the running statistics the mean over all batches. */
export type BatchNormLayerOptions = RunningNormOptions;

/** What batch normalizations of all ranks share. */
abstract class BatchNorm extends RunningNorm {
  /**
   * @param numFeatures the number of channels, C
   * @throws ArgumentError unless it is an integer from 1
   */
  constructor(numFeatures: number, options: BatchNormLayerOptions = {}) {
    super(numFeatures, options);
  }

  /** @throws ShapeError for another shape, and in training where a channel has a single value */
  forward(x: Tensor): Tensor {
    this.checkedLayout(x);
    const { weight, bias, eps, runningMean = null, runningVar = null } = this;
    // Without running statistics a batch is always normalized by its own.
    const training = this.training || runningMean === null;
    const momentum = training ? this.nextMomentum() : 0;
    return batchNorm(x, runningMean, runningVar, { weight, bias, eps, training, momentum });
  }

  /** Counts the batch. The share of the n-th batch in the mean over all is 1 / n. */
  private nextMomentum(): number | Tensor {
    if (this.numBatchesTracked === undefined) return this.momentum ?? 0;
    this.numBatchesTracked.add_(1);
    return this.momentum ?? this.numBatchesTracked.to(this.runningMean!.dtype).reciprocal();
  }
}

/** Normalizes features over a batch, [N, C] or [N, C, L] (`torch.nn.BatchNorm1d`). */
export class BatchNorm1d extends BatchNorm {
  protected override get layouts(): readonly Layout[] {
    return [
      ["N", "C"],
      ["N", "C", "L"],
    ];
  }
}

/**
 * Normalizes channels over a batch, [N, C, H, W] (`torch.nn.BatchNorm2d`).
 *
 * @example
 * new nn.Sequential(new nn.Conv2d(3, 16, 3, { bias: false }), new nn.BatchNorm2d(16), new nn.ReLU())
 */
export class BatchNorm2d extends BatchNorm {
  protected override get layouts(): readonly Layout[] {
    return [["N", "C", "H", "W"]];
  }
}

/** Normalizes channels over a batch, [N, C, D, H, W] (`torch.nn.BatchNorm3d`). */
export class BatchNorm3d extends BatchNorm {
  protected override get layouts(): readonly Layout[] {
    return [["N", "C", "D", "H", "W"]];
  }
}

/** A BatchNorm1d that takes `numFeatures` from its first input (`torch.nn.LazyBatchNorm1d`). */
export class LazyBatchNorm1d extends BatchNorm1d {
  /** @param options as of `BatchNorm1d` */
  constructor(options: BatchNormLayerOptions = {}) {
    super(0, options);
  }
  protected override get isLazy(): boolean {
    return true;
  }
}

/** A BatchNorm2d that takes `numFeatures` from its first input (`torch.nn.LazyBatchNorm2d`). */
export class LazyBatchNorm2d extends BatchNorm2d {
  /** @param options as of `BatchNorm2d` */
  constructor(options: BatchNormLayerOptions = {}) {
    super(0, options);
  }
  protected override get isLazy(): boolean {
    return true;
  }
}

/** A BatchNorm3d that takes `numFeatures` from its first input (`torch.nn.LazyBatchNorm3d`). */
export class LazyBatchNorm3d extends BatchNorm3d {
  /** @param options as of `BatchNorm3d` */
  constructor(options: BatchNormLayerOptions = {}) {
    super(0, options);
  }
  protected override get isLazy(): boolean {
    return true;
  }
}
