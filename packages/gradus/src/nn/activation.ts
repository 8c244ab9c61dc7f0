// Activation functions as layers (`torch.nn`, non-linear activations). What each computes, and where it comes from,
// stands with its function in functional/activation.ts. All take any shape and give the same one, unless they say
// otherwise. There is no `inplace`: the compiler decides what memory a value takes.

import { type DType, full, Parameter, type Tensor } from "../tensor/index.ts";
import * as functional from "./functional/activation.ts";
import { checkSizes } from "./linear.ts";
import { Module } from "./module.ts";

// Without options -----------------------------------------------------------------------------------------------------

/** max(x, 0) (`torch.nn.ReLU`). */
export class ReLU extends Module {
  forward(x: Tensor): Tensor {
    return functional.relu(x);
  }
}

/** min(max(x, 0), 6) (`torch.nn.ReLU6`). */
export class ReLU6 extends Module {
  forward(x: Tensor): Tensor {
    return functional.relu6(x);
  }
}

/** 1 / (1 + exp(-x)) (`torch.nn.Sigmoid`). */
export class Sigmoid extends Module {
  forward(x: Tensor): Tensor {
    return functional.sigmoid(x);
  }
}

/** The hyperbolic tangent (`torch.nn.Tanh`). */
export class Tanh extends Module {
  forward(x: Tensor): Tensor {
    return functional.tanh(x);
  }
}

/** x sigmoid(x), also called swish (`torch.nn.SiLU`). */
export class SiLU extends Module {
  forward(x: Tensor): Tensor {
    return functional.silu(x);
  }
}

/** x tanh(softplus(x)) (`torch.nn.Mish`). */
export class Mish extends Module {
  forward(x: Tensor): Tensor {
    return functional.mish(x);
  }
}

/** The self-normalizing exponential unit (`torch.nn.SELU`). With it belong LeCun's initial weights and `AlphaDropout`. */
export class SELU extends Module {
  forward(x: Tensor): Tensor {
    return functional.selu(x);
  }
}

/** log(sigmoid(x)) (`torch.nn.LogSigmoid`). */
export class LogSigmoid extends Module {
  forward(x: Tensor): Tensor {
    return functional.logsigmoid(x);
  }
}

/** x / (1 + |x|) (`torch.nn.Softsign`). */
export class Softsign extends Module {
  forward(x: Tensor): Tensor {
    return functional.softsign(x);
  }
}

/** x - tanh(x) (`torch.nn.Tanhshrink`). */
export class Tanhshrink extends Module {
  forward(x: Tensor): Tensor {
    return functional.tanhshrink(x);
  }
}

/** 0 below -3, 1 above 3, and a line between them (`torch.nn.Hardsigmoid`). */
export class Hardsigmoid extends Module {
  forward(x: Tensor): Tensor {
    return functional.hardsigmoid(x);
  }
}

/** x times its hard sigmoid (`torch.nn.Hardswish`). */
export class Hardswish extends Module {
  forward(x: Tensor): Tensor {
    return functional.hardswish(x);
  }
}

// With options --------------------------------------------------------------------------------------------------------

/** x where it is positive, else a little of it (`torch.nn.LeakyReLU`). */
export class LeakyReLU extends Module {
  /** @param negativeSlope the slope where x is not positive. Default 0.01 */
  constructor(readonly negativeSlope = 0.01) {
    super();
  }
  forward(x: Tensor): Tensor {
    return functional.leakyRelu(x, this.negativeSlope);
  }
  override extraRepr(): string {
    return `negativeSlope=${this.negativeSlope}`;
  }
}

/** Options of `PReLU`. */
export interface PReLUOptions {
  /** The slope to begin with. Default 0.25. */
  readonly init?: number;
  /** Default float32. */
  readonly dtype?: DType;
}

/**
 * The leaky ReLU that learns its slopes (`torch.nn.PReLU`): [N, C, ...], or any shape for a single slope. Weight decay
 * would pull the slopes towards 0; leave them out of it.
 *
 * @example
 * new nn.PReLU()   // one slope
 * new nn.PReLU(16) // one for each of 16 channels
 */
export class PReLU extends Module {
  /** The slopes below 0, [numParameters]. */
  weight: Parameter;

  /**
   * @param numParameters 1 (default), or the number of channels
   * @param options where the slopes begin, and their dtype
   */
  constructor(
    readonly numParameters = 1,
    { init = 0.25, dtype = "float32" }: PReLUOptions = {},
  ) {
    super();
    checkSizes("PReLU", { numParameters });
    this.weight = new Parameter(full([numParameters], init, { dtype }));
  }
  forward(x: Tensor): Tensor {
    return functional.prelu(x, this.weight);
  }
  override extraRepr(): string {
    return `numParameters=${this.numParameters}`;
  }
}

/**
 * The leaky ReLU with random slopes in training and their mean in evaluation (`torch.nn.RReLU`). The random numbers are
 * the default generator's.
 */
export class RReLU extends Module {
  /**
   * @param lower the least slope. Default 1/8
   * @param upper the largest slope. Default 1/3
   */
  constructor(
    readonly lower = 1 / 8,
    readonly upper = 1 / 3,
  ) {
    super();
  }
  forward(x: Tensor): Tensor {
    return functional.rrelu(x, this.lower, this.upper, { training: this.training });
  }
  override extraRepr(): string {
    return `lower=${this.lower}, upper=${this.upper}`;
  }
}

/** x where it is positive, else alpha (exp(x) - 1) (`torch.nn.ELU`). */
export class ELU extends Module {
  /** @param alpha minus the limit towards minus infinity. Default 1 */
  constructor(readonly alpha = 1) {
    super();
  }
  forward(x: Tensor): Tensor {
    return functional.elu(x, this.alpha);
  }
  override extraRepr(): string {
    return `alpha=${this.alpha}`;
  }
}

/** The ELU without a kink, whatever alpha is (`torch.nn.CELU`). */
export class CELU extends Module {
  /** @param alpha minus the limit towards minus infinity, not 0. Default 1 */
  constructor(readonly alpha = 1) {
    super();
  }
  forward(x: Tensor): Tensor {
    return functional.celu(x, this.alpha);
  }
  override extraRepr(): string {
    return `alpha=${this.alpha}`;
  }
}

/** x times the normal distribution function of x (`torch.nn.GELU`). */
export class GELU extends Module {
  /** @param options the exact function, or the approximation that GPT-2 uses */
  constructor(readonly options: functional.GeluOptions = {}) {
    super();
  }
  forward(x: Tensor): Tensor {
    return functional.gelu(x, this.options);
  }
  override extraRepr(): string {
    return `approximate=${this.options.approximate ?? "none"}`;
  }
}

/** log(1 + exp(beta x)) / beta (`torch.nn.Softplus`). */
export class Softplus extends Module {
  /**
   * @param beta how sharp the bend is. Default 1
   * @param threshold x itself is given where beta x exceeds this. Default 20
   */
  constructor(
    readonly beta = 1,
    readonly threshold = 20,
  ) {
    super();
  }
  forward(x: Tensor): Tensor {
    return functional.softplus(x, this.beta, this.threshold);
  }
  override extraRepr(): string {
    return `beta=${this.beta}, threshold=${this.threshold}`;
  }
}

/** x moved towards 0 by `lambd`, and 0 where it would change its sign (`torch.nn.Softshrink`). */
export class Softshrink extends Module {
  /** @param lambd from 0. Default 0.5 */
  constructor(readonly lambd = 0.5) {
    super();
  }
  forward(x: Tensor): Tensor {
    return functional.softshrink(x, this.lambd);
  }
  override extraRepr(): string {
    return `lambd=${this.lambd}`;
  }
}

/** x where its magnitude exceeds `lambd`, else 0 (`torch.nn.Hardshrink`). */
export class Hardshrink extends Module {
  /** @param lambd default 0.5 */
  constructor(readonly lambd = 0.5) {
    super();
  }
  forward(x: Tensor): Tensor {
    return functional.hardshrink(x, this.lambd);
  }
  override extraRepr(): string {
    return `lambd=${this.lambd}`;
  }
}

/** x limited to an interval, on whose ends the slope is 0 (`torch.nn.Hardtanh`). */
export class Hardtanh extends Module {
  /**
   * @param minVal default -1
   * @param maxVal default 1
   * @throws ArgumentError unless minVal < maxVal
   */
  constructor(
    readonly minVal = -1,
    readonly maxVal = 1,
  ) {
    super();
    functional.checkBounds("Hardtanh", minVal, maxVal);
  }
  forward(x: Tensor): Tensor {
    return functional.hardtanh(x, this.minVal, this.maxVal);
  }
  override extraRepr(): string {
    return `minVal=${this.minVal}, maxVal=${this.maxVal}`;
  }
}

/** x where it is above a threshold, else a value (`torch.nn.Threshold`). */
export class Threshold extends Module {
  /**
   * @param threshold what x has to exceed
   * @param value what stands where it does not
   */
  constructor(
    readonly threshold: number,
    readonly value: number,
  ) {
    super();
  }
  forward(x: Tensor): Tensor {
    return functional.threshold(x, this.threshold, this.value);
  }
  override extraRepr(): string {
    return `threshold=${this.threshold}, value=${this.value}`;
  }
}

/** The first half of a dimension times the sigmoid of the second: [..., 2 C, ...] to [..., C, ...] (`torch.nn.GLU`). */
export class GLU extends Module {
  /** @param dim the dimension that is halved. Default -1 */
  constructor(readonly dim = -1) {
    super();
  }
  forward(x: Tensor): Tensor {
    return functional.glu(x, this.dim);
  }
  override extraRepr(): string {
    return `dim=${this.dim}`;
  }
}

/** 1 where x is positive, else 0, with a gradient of 0: the step of the perceptron (after `torch.heaviside`). */
export class Heaviside extends Module {
  /** @param valueAtZero what a 0 becomes. Default 0 */
  constructor(readonly valueAtZero = 0) {
    super();
  }
  forward(x: Tensor): Tensor {
    return functional.heaviside(x, this.valueAtZero);
  }
  override extraRepr(): string {
    return `valueAtZero=${this.valueAtZero}`;
  }
}
