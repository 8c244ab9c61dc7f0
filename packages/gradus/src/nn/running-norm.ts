// What batch and instance normalization layers share: a scale and a shift for each channel, running statistics of each
// channel, and lazy layers that take the number of channels from their first input (`torch.nn.modules.batchnorm._NormBase`).

import { type DType, ones, Parameter, ShapeError, type Tensor, zeros } from "../tensor/index.ts";
import { checkSizes } from "./linear.ts";
import { Module } from "./module.ts";

/** Options of batch and instance normalization layers. */
export interface RunningNormOptions {
  /** Added to the variance. Default 1e-5. */
  readonly eps?: number;
  /** How much of a running statistic is the newest batch's. Default 0.1; what null means stands with the layers. */
  readonly momentum?: number | null;
  /** Whether there is a learned weight and bias for every channel. Default true for batches, false for instances. */
  readonly affine?: boolean;
  /** Whether running statistics are kept for evaluation. Default true for batches, false for instances. */
  readonly trackRunningStats?: boolean;
  /** Default float32. */
  readonly dtype?: DType;
}

/** The names of an input's dimensions: N is the batch, C the channels. */
export type Layout = readonly ("N" | "C" | "D" | "H" | "W" | "L")[];

/** A normalization of each channel, with statistics of its own. */
export abstract class RunningNorm extends Module {
  /** [numFeatures], or null */
  weight: Parameter | null = null;
  /** [numFeatures], or null */
  bias: Parameter | null = null;
  /** [numFeatures] */
  declare readonly runningMean?: Tensor;
  /** [numFeatures], of the unbiased variance */
  declare readonly runningVar?: Tensor;
  /** int32: how many batches the running statistics have seen. */
  declare readonly numBatchesTracked?: Tensor;
  /** The number of channels; 0 in a lazy layer that has seen no input. */
  numFeatures: number;
  /** What is added to the variance, so that it has a root. */
  readonly eps: number;
  /** How much of a running statistic is the newest batch's; null stands for what the layers say of it. */
  readonly momentum: number | null;
  /** Whether there is a learned weight and bias for every channel. */
  readonly affine: boolean;
  /** Whether running statistics are kept for evaluation. */
  readonly trackRunningStats: boolean;
  /** Of the parameters and buffers. */
  protected readonly dtype: DType;

  constructor(numFeatures: number, options: RunningNormOptions) {
    super();
    this.numFeatures = numFeatures;
    this.eps = options.eps ?? 1e-5;
    this.momentum = options.momentum === undefined ? 0.1 : options.momentum;
    this.affine = options.affine ?? true;
    this.trackRunningStats = options.trackRunningStats ?? true;
    this.dtype = options.dtype ?? "float32";
    if (!this.isLazy) this.create(numFeatures);
  }

  /** What an input may look like; one layout for each number of dimensions. */
  protected abstract get layouts(): readonly Layout[];

  /** Whether the number of channels comes from the first input. */
  protected get isLazy(): boolean {
    return false;
  }

  override hasUninitializedParams(): boolean {
    return this.isLazy && this.numFeatures === 0 && (this.affine || this.trackRunningStats);
  }

  override initializeParameters(x: Tensor): void {
    this.create(x.shape[this.layoutOf(x).indexOf("C")]);
  }

  override initializeFromState(shapes: ReadonlyMap<string, readonly number[]>): boolean {
    const shape = shapes.get(this.affine ? "weight" : "running_mean");
    if (shape?.length !== 1) return false;
    this.create(shape[0]);
    return true;
  }

  private create(numFeatures: number): void {
    checkSizes(this.typeName, { numFeatures });
    this.numFeatures = numFeatures;
    const { dtype } = this;
    if (this.affine) {
      this.weight = new Parameter(ones([numFeatures], { dtype }));
      this.bias = new Parameter(zeros([numFeatures], { dtype }));
    }
    if (this.trackRunningStats) {
      this.registerBuffer("running_mean", zeros([numFeatures], { dtype }));
      this.registerBuffer("running_var", ones([numFeatures], { dtype }));
      this.registerBuffer("num_batches_tracked", zeros([], { dtype: "int32" }));
    }
  }

  /** Forgets what the running statistics have seen (`reset_running_stats`). */
  resetRunningStats(): void {
    this.runningMean?.zero_();
    this.runningVar?.fill_(1);
    this.numBatchesTracked?.zero_();
  }

  private get shapes(): string {
    const channels = this.numFeatures === 0 ? "C" : this.numFeatures;
    return this.layouts
      .map((layout) => `[${layout.map((name) => (name === "C" ? channels : name)).join(", ")}]`)
      .join(" or ");
  }

  /** The layout of an input. @throws ShapeError if there is none for its number of dimensions */
  protected layoutOf(x: Tensor): Layout {
    const layout = this.layouts.find(({ length }) => length === x.ndim);
    if (layout !== undefined) return layout;
    throw new ShapeError(this.typeName, [x.shape], `the input must be ${this.shapes}`, "Reshape the input.");
  }

  /** The layout of an input that has as many channels as there are numbers for. @throws ShapeError if it has not */
  protected checkedLayout(x: Tensor): Layout {
    const layout = this.layoutOf(x);
    const channels = x.shape[layout.indexOf("C")];
    if (channels === this.numFeatures || !(this.affine || this.trackRunningStats)) return layout;
    throw new ShapeError(
      this.typeName,
      [x.shape, [this.numFeatures]],
      `the input must be ${this.shapes}`,
      `Make the layer as ${this.typeName}(${channels}), or reshape the input.`,
    );
  }

  override extraRepr(): string {
    const { numFeatures, eps, momentum, affine, trackRunningStats } = this;
    return `${numFeatures}, eps=${eps}, momentum=${momentum}, affine=${affine}, trackRunningStats=${trackRunningStats}`;
  }
}
