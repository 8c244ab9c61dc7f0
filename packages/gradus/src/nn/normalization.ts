// Normalization layers that treat every sample by itself and keep no statistics (`torch.nn`, normalization layers).
// Those that keep some stand in batch-norm.ts and instance-norm.ts.

import { ArgumentError, type DType, ones, Parameter, type Tensor, zeros } from "../tensor/index.ts";
import {
  groupNorm,
  type LocalResponseNormOptions,
  layerNorm,
  localResponseNorm,
  rmsNorm,
} from "./functional/normalization.ts";
import { checkSizes } from "./linear.ts";
import { Module } from "./module.ts";

/** The normalized shape as a list. @throws ArgumentError if it has no dimension, or an extent that is none */
function normalizedShapeOf(layer: string, shape: number | readonly number[]): readonly number[] {
  const list = typeof shape === "number" ? [shape] : [...shape];
  if (list.length === 0 || list.some((extent) => !(Number.isInteger(extent) && extent >= 0))) {
    throw new ArgumentError(
      layer,
      `[${list.join(", ")}] is no shape to normalize over`,
      "Give the extents of the last dimensions.",
    );
  }
  return list;
}

/** Options of `LayerNorm`. */
export interface LayerNormOptions {
  /** Added to the variance. Default 1e-5. */
  readonly eps?: number;
  /** Whether there is a weight, and a bias, for every element. Default true. */
  readonly elementwiseAffine?: boolean;
  /** Whether there is a bias where there is a weight. Default true. */
  readonly bias?: boolean;
  /** Default float32. */
  readonly dtype?: DType;
}

/**
 * Normalizes over the last dimensions, [..., ...normalizedShape] (`torch.nn.LayerNorm`; Ba et al., 2016).
 *
 * @example
 * new nn.LayerNorm(512)         // the features of each token of [N, L, 512]
 * new nn.LayerNorm([16, 8, 8])  // all of each sample of [N, 16, 8, 8]
 */
export class LayerNorm extends Module {
  /** normalizedShape, or null */
  weight: Parameter | null = null;
  /** normalizedShape, or null */
  bias: Parameter | null = null;
  /** The extents of the last dimensions. */
  readonly normalizedShape: readonly number[];
  /** What is added to the variance. */
  readonly eps: number;
  /** Whether there is a weight for every element. */
  readonly elementwiseAffine: boolean;

  /**
   * @param normalizedShape the extents of the last dimensions, or of the last one
   * @throws ArgumentError if that is no shape
   */
  constructor(normalizedShape: number | readonly number[], options: LayerNormOptions = {}) {
    super();
    const { eps = 1e-5, elementwiseAffine = true, bias = true, dtype = "float32" } = options;
    this.normalizedShape = normalizedShapeOf("LayerNorm", normalizedShape);
    this.eps = eps;
    this.elementwiseAffine = elementwiseAffine;
    if (elementwiseAffine) {
      this.weight = new Parameter(ones(this.normalizedShape, { dtype }));
      if (bias) this.bias = new Parameter(zeros(this.normalizedShape, { dtype }));
    }
  }

  /** @throws ShapeError unless the input ends in the normalized shape */
  forward(x: Tensor): Tensor {
    return layerNorm(x, this.normalizedShape, this);
  }

  override extraRepr(): string {
    const { normalizedShape, eps, elementwiseAffine } = this;
    return `[${normalizedShape.join(", ")}], eps=${eps}, elementwiseAffine=${elementwiseAffine}`;
  }
}

/** Options of `RMSNorm`. */
export interface RMSNormLayerOptions {
  /** Added to the mean square. Default null, for the machine epsilon of the input's dtype. */
  readonly eps?: number | null;
  /** Whether there is a weight for every element. Default true. */
  readonly elementwiseAffine?: boolean;
  /** Default float32. */
  readonly dtype?: DType;
}

/**
 * Divides by the root mean square of the last dimensions, [..., ...normalizedShape] (`torch.nn.RMSNorm` of PyTorch 2.4;
 * Zhang and Sennrich, 2019).
 */
export class RMSNorm extends Module {
  /** normalizedShape, or null */
  weight: Parameter | null = null;
  /** The extents of the last dimensions. */
  readonly normalizedShape: readonly number[];
  /** What is added to the mean square; null for the machine epsilon of the input's dtype. */
  readonly eps: number | null;
  /** Whether there is a weight for every element. */
  readonly elementwiseAffine: boolean;

  /**
   * @param normalizedShape the extents of the last dimensions, or of the last one
   * @throws ArgumentError if that is no shape
   */
  constructor(normalizedShape: number | readonly number[], options: RMSNormLayerOptions = {}) {
    super();
    const { eps = null, elementwiseAffine = true, dtype = "float32" } = options;
    this.normalizedShape = normalizedShapeOf("RMSNorm", normalizedShape);
    this.eps = eps;
    this.elementwiseAffine = elementwiseAffine;
    if (elementwiseAffine) this.weight = new Parameter(ones(this.normalizedShape, { dtype }));
  }

  /** @throws ShapeError unless the input ends in the normalized shape */
  forward(x: Tensor): Tensor {
    return rmsNorm(x, this.normalizedShape, this);
  }

  override extraRepr(): string {
    const { normalizedShape, eps, elementwiseAffine } = this;
    return `[${normalizedShape.join(", ")}], eps=${eps}, elementwiseAffine=${elementwiseAffine}`;
  }
}

/** Options of `GroupNorm`. */
export interface GroupNormOptions {
  /** Added to the variance. Default 1e-5. */
  readonly eps?: number;
  /** Whether there is a weight and a bias for every channel. Default true. */
  readonly affine?: boolean;
  /** Default float32. */
  readonly dtype?: DType;
}

/** Normalizes each sample over groups of channels, [N, C, ...] (`torch.nn.GroupNorm`; Wu and He, 2018). */
export class GroupNorm extends Module {
  /** [numChannels], or null */
  weight: Parameter | null = null;
  /** [numChannels], or null */
  bias: Parameter | null = null;
  /** What is added to the variance. */
  readonly eps: number;

  /**
   * @param numGroups how many groups; it divides numChannels
   * @param numChannels C
   * @throws ArgumentError if it does not
   */
  constructor(
    readonly numGroups: number,
    readonly numChannels: number,
    options: GroupNormOptions = {},
  ) {
    super();
    const { eps = 1e-5, affine = true, dtype = "float32" } = options;
    checkSizes("GroupNorm", { numGroups, numChannels });
    if (numChannels % numGroups !== 0) {
      throw new ArgumentError(
        "GroupNorm",
        `${numChannels} channels cannot be divided into ${numGroups} groups`,
        "Use a number of groups that divides the channels.",
      );
    }
    this.eps = eps;
    if (affine) {
      this.weight = new Parameter(ones([numChannels], { dtype }));
      this.bias = new Parameter(zeros([numChannels], { dtype }));
    }
  }

  /** @throws ShapeError for another number of channels, or where all there is is a single value */
  forward(x: Tensor): Tensor {
    return groupNorm(x, this.numGroups, this);
  }

  override extraRepr(): string {
    return `${this.numGroups}, ${this.numChannels}, eps=${this.eps}, affine=${this.weight !== null}`;
  }
}

/** Divides by what neighbouring channels do, [N, C, ...] (`torch.nn.LocalResponseNorm`; Krizhevsky et al., 2012). */
export class LocalResponseNorm extends Module {
  /** How much the neighbours count. */
  readonly alpha: number;
  /** The power of the divisor. */
  readonly beta: number;
  /** The divisor where all neighbours are 0, before its power is taken. */
  readonly k: number;

  /**
   * @param size how many neighbouring channels
   * @throws ArgumentError unless it is an integer from 1
   */
  constructor(
    readonly size: number,
    { alpha = 1e-4, beta = 0.75, k = 1 }: LocalResponseNormOptions = {},
  ) {
    super();
    checkSizes("LocalResponseNorm", { size });
    this.alpha = alpha;
    this.beta = beta;
    this.k = k;
  }

  /** @throws ShapeError for fewer than three dimensions */
  forward(x: Tensor): Tensor {
    return localResponseNorm(x, this.size, this);
  }

  override extraRepr(): string {
    return `${this.size}, alpha=${this.alpha}, beta=${this.beta}, k=${this.k}`;
  }
}
