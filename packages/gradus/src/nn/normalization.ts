// Normalization layers (`torch.nn`, normalization layers).

import { type DType, ones, Parameter, ShapeError, type Tensor, zeros } from "../tensor/index.ts";
import { batchNorm, groupNorm, instanceNorm, layerNorm } from "./functional/normalization.ts";
import { checkSizes } from "./linear.ts";
import { Module } from "./module.ts";

export interface BatchNormLayerOptions {
  /** Added to the variance. Default 1e-5. */
  readonly eps?: number;
  /** How much of a running statistic is the newest batch's; null for the mean over all batches. Default 0.1. */
  readonly momentum?: number | null;
  /** Whether there is a weight and a bias. Default true. */
  readonly affine?: boolean;
  /** Whether running statistics are kept for evaluation. Default true. */
  readonly trackRunningStats?: boolean;
  readonly dtype?: DType;
}

/** What batch normalizations of all ranks share. */
abstract class BatchNorm extends Module {
  weight: Parameter | null = null;
  bias: Parameter | null = null;
  declare readonly runningMean?: Tensor;
  declare readonly runningVar?: Tensor;
  /** int32: how many batches the running statistics have seen. */
  declare readonly numBatchesTracked?: Tensor;
  readonly eps: number;
  readonly momentum: number | null;
  readonly affine: boolean;
  readonly trackRunningStats: boolean;

  /** Which numbers of dimensions an input may have. */
  protected abstract readonly ranks: readonly number[];

  constructor(
    readonly numFeatures: number,
    options: BatchNormLayerOptions = {},
  ) {
    super();
    const { eps = 1e-5, momentum = 0.1, affine = true, trackRunningStats = true, dtype = "float32" } = options;
    checkSizes(this.typeName, { numFeatures });
    this.eps = eps;
    this.momentum = momentum;
    this.affine = affine;
    this.trackRunningStats = trackRunningStats;
    if (affine) {
      this.weight = new Parameter(ones([numFeatures], { dtype }));
      this.bias = new Parameter(zeros([numFeatures], { dtype }));
    }
    if (trackRunningStats) {
      this.registerBuffer("running_mean", zeros([numFeatures], { dtype }));
      this.registerBuffer("running_var", ones([numFeatures], { dtype }));
      this.registerBuffer("num_batches_tracked", zeros([], { dtype: "int32" }));
    }
  }

  forward(x: Tensor): Tensor {
    if (!this.ranks.includes(x.ndim) || x.shape[1] !== this.numFeatures) {
      const shapes = this.ranks.map((rank) => ["N", this.numFeatures, "H", "W"].slice(0, rank).join(", "));
      throw new ShapeError(
        "batchNorm",
        [x.shape, [this.numFeatures]],
        `the input must be [${shapes.join("] or [")}]`,
        `Make the layer as ${this.typeName}(${x.shape[1] ?? 1}), or reshape the input.`,
      );
    }
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

  override extraRepr(): string {
    const { numFeatures, eps, momentum, affine, trackRunningStats } = this;
    return `${numFeatures}, eps=${eps}, momentum=${momentum}, affine=${affine}, trackRunningStats=${trackRunningStats}`;
  }
}

/** Normalizes features over a batch [N, C] or [N, C, L] (`torch.nn.BatchNorm1d`). */
export class BatchNorm1d extends BatchNorm {
  protected override get ranks(): readonly number[] {
    return [2, 3];
  }
}

/** Normalizes channels over a batch [N, C, H, W] (`torch.nn.BatchNorm2d`). */
export class BatchNorm2d extends BatchNorm {
  protected override get ranks(): readonly number[] {
    return [4];
  }
}

export interface LayerNormOptions {
  /** Default 1e-5. */
  readonly eps?: number;
  /** Whether there is a weight and a bias for every element. Default true. */
  readonly elementwiseAffine?: boolean;
  readonly dtype?: DType;
}

/** Normalizes over the last dimensions (`torch.nn.LayerNorm`). */
export class LayerNorm extends Module {
  weight: Parameter | null = null;
  bias: Parameter | null = null;
  readonly normalizedShape: readonly number[];
  readonly eps: number;
  readonly elementwiseAffine: boolean;

  constructor(normalizedShape: number | readonly number[], options: LayerNormOptions = {}) {
    super();
    const { eps = 1e-5, elementwiseAffine = true, dtype = "float32" } = options;
    this.normalizedShape = typeof normalizedShape === "number" ? [normalizedShape] : normalizedShape;
    this.eps = eps;
    this.elementwiseAffine = elementwiseAffine;
    if (elementwiseAffine) {
      this.weight = new Parameter(ones(this.normalizedShape, { dtype }));
      this.bias = new Parameter(zeros(this.normalizedShape, { dtype }));
    }
  }

  forward(x: Tensor): Tensor {
    return layerNorm(x, this.normalizedShape, this);
  }

  override extraRepr(): string {
    const { normalizedShape, eps, elementwiseAffine } = this;
    return `[${normalizedShape.join(", ")}], eps=${eps}, elementwiseAffine=${elementwiseAffine}`;
  }
}

export interface GroupNormOptions {
  /** Default 1e-5. */
  readonly eps?: number;
  /** Whether there is a weight and a bias for every channel. */
  readonly affine?: boolean;
  readonly dtype?: DType;
}

/** Normalizes each sample over groups of channels (`torch.nn.GroupNorm`). Affine by default. */
export class GroupNorm extends Module {
  weight: Parameter | null = null;
  bias: Parameter | null = null;
  readonly eps: number;

  constructor(
    readonly numGroups: number,
    readonly numChannels: number,
    options: GroupNormOptions = {},
  ) {
    super();
    const { eps = 1e-5, affine = true, dtype = "float32" } = options;
    checkSizes("GroupNorm", { numGroups, numChannels });
    this.eps = eps;
    if (affine) {
      this.weight = new Parameter(ones([numChannels], { dtype }));
      this.bias = new Parameter(zeros([numChannels], { dtype }));
    }
  }

  forward(x: Tensor): Tensor {
    return groupNorm(x, this.numGroups, this);
  }

  override extraRepr(): string {
    return `${this.numGroups}, ${this.numChannels}, eps=${this.eps}, affine=${this.weight !== null}`;
  }
}

/** Normalizes each channel of each sample, [N, C, H, W] (`torch.nn.InstanceNorm2d`). Not affine by default. */
export class InstanceNorm2d extends Module {
  weight: Parameter | null = null;
  bias: Parameter | null = null;
  readonly eps: number;

  constructor(
    readonly numFeatures: number,
    options: GroupNormOptions = {},
  ) {
    super();
    const { eps = 1e-5, affine = false, dtype = "float32" } = options;
    checkSizes("InstanceNorm2d", { numFeatures });
    this.eps = eps;
    if (affine) {
      this.weight = new Parameter(ones([numFeatures], { dtype }));
      this.bias = new Parameter(zeros([numFeatures], { dtype }));
    }
  }

  forward(x: Tensor): Tensor {
    return instanceNorm(x, this);
  }

  override extraRepr(): string {
    return `${this.numFeatures}, eps=${this.eps}, affine=${this.weight !== null}`;
  }
}
