// Activation functions that act on every element by itself (`torch.nn.functional`, non-linear activations). Pieces are
// chosen by comparisons, so that the gradient is a choice as well and fuses with what surrounds it; which piece a kink
// belongs to is PyTorch's choice. Where a formula would overflow on the branch that is not taken, that branch is given
// a harmless number, so that its gradient is no NaN. A NaN stays a NaN.

import { ArgumentError, isFloat, rand, ShapeError, type Tensor, where } from "../../tensor/index.ts";

// Pieces of lines -----------------------------------------------------------------------------------------------------

/** max(x, 0), the rectified linear unit. The slope at 0 is 0. @param x any shape @returns the same shape */
export function relu(x: Tensor): Tensor {
  return x.relu();
}

/** Throws unless the bounds of an interval are in order. */
export function checkBounds(operation: string, low: number, high: number): void {
  if (!(low < high)) {
    throw new ArgumentError(operation, `${low} to ${high} is no interval`, "Give the smaller bound first.");
  }
}

/**
 * x limited to [minVal, maxVal]. The slope on both limits is 0, unlike that of `clamp`.
 * @param x any shape
 * @throws ArgumentError unless minVal < maxVal
 */
export function hardtanh(x: Tensor, minVal = -1, maxVal = 1): Tensor {
  checkBounds("hardtanh", minVal, maxVal);
  return where(x.le(minVal), minVal, where(x.ge(maxVal), maxVal, x));
}

/** min(max(x, 0), 6) (Krizhevsky, 2010). The slope at 0 and at 6 is 0. */
export function relu6(x: Tensor): Tensor {
  return hardtanh(x, 0, 6);
}

/** x where it is positive, else `negativeSlope` times x, also at 0 (Maas et al., 2013). */
export function leakyRelu(x: Tensor, negativeSlope = 0.01): Tensor {
  return where(x.gt(0), x, x.mul(negativeSlope));
}

/**
 * The leaky ReLU with learned slopes (He et al., 2015).
 * @param x [N, C, ...], or any shape for a single slope
 * @param weight the slopes below 0: [1] for one that all share, or [C]
 * @throws ShapeError if there are more slopes than one and not as many as channels
 */
export function prelu(x: Tensor, weight: Tensor): Tensor {
  const slopes = weight.numel();
  const channels = x.ndim > 1 ? x.shape[1] : 1;
  if (slopes !== 1 && slopes !== channels) {
    throw new ShapeError(
      "prelu",
      [x.shape, weight.shape],
      `there are ${slopes} slopes for ${channels} channels`,
      "Use one slope, or one for each channel.",
    );
  }
  const shape = slopes === 1 ? x.shape.map(() => 1) : x.shape.map((extent, axis) => (axis === 1 ? extent : 1));
  return where(x.gt(0), x, x.mul(weight.reshape(shape)));
}

/** Whether a function that behaves otherwise in training is to do so. */
export interface TrainingOptions {
  /** Whether the model is being trained. The default is the function's, as in PyTorch. */
  readonly training?: boolean;
}

/**
 * The leaky ReLU with random slopes (Xu et al., 2015): in training every element has a slope of its own, uniform in
 * [lower, upper); else all have the mean of the two. The random numbers are the default generator's.
 * @param x any shape
 * @param options no training by default, as in PyTorch
 * @throws ArgumentError unless lower <= upper
 */
export function rrelu(x: Tensor, lower = 1 / 8, upper = 1 / 3, { training = false }: TrainingOptions = {}): Tensor {
  if (!(lower <= upper)) {
    throw new ArgumentError("rrelu", `slopes cannot run from ${lower} to ${upper}`, "Give the smaller one first.");
  }
  if (!training) return leakyRelu(x, (lower + upper) / 2);
  const drawn = rand(x.shape, { dtype: isFloat(x.dtype) ? x.dtype : "float32" });
  return where(x.gt(0), x, x.mul(drawn.mul(upper - lower).add(lower)));
}

/** x where it is above the threshold, else the value. The slope on the threshold is 0. */
export function threshold(x: Tensor, limit: number, value: number): Tensor {
  return where(x.le(limit), value, x);
}

/** x where its magnitude exceeds `lambd`, else 0. The slope on the limits is 0. */
export function hardshrink(x: Tensor, lambd = 0.5): Tensor {
  return where(x.abs().le(lambd), 0, x);
}

/**
 * x moved towards 0 by `lambd`, and 0 where it would change its sign. The slope on the limits is 0.
 * @throws ArgumentError if lambd is negative
 */
export function softshrink(x: Tensor, lambd = 0.5): Tensor {
  if (!(lambd >= 0)) throw new ArgumentError("softshrink", `lambd is ${lambd}`, "Use a number from 0.");
  return x.sub(x.clamp(-lambd, lambd));
}

/** 0 below -3, 1 above 3, and a line between them (Howard et al., 2019). The slope at -3 and at 3 is 0. */
export function hardsigmoid(x: Tensor): Tensor {
  return where(x.le(-3), 0, where(x.ge(3), 1, x.div(6).add(0.5)));
}

/**
 * x times its hard sigmoid: 0 below -3, x above 3 (Howard et al., 2019). The slope is 0 at -3 and 1 at 3, as in PyTorch
 * from 2.8; before, it depended on where in memory an element lay.
 */
export function hardswish(x: Tensor): Tensor {
  return where(x.le(-3), 0, where(x.ge(3), x, x.mul(x.add(3)).div(6)));
}

/**
 * The step of the perceptron: 1 where x is positive, else 0. The gradient is 0 everywhere, so nothing that lies before
 * it is learned by descent; `nn.Perceptron` has the rule that does learn.
 * @param x any shape
 * @param valueAtZero what a 0 becomes. Default 0, as in Rosenblatt's (1958)
 * @returns x's shape and dtype
 */
export function heaviside(x: Tensor, valueAtZero = 0): Tensor {
  // x itself is taken for a NaN only. It is there so that the result has a gradient, of zeros.
  const below = where(x.lt(0), 0, where(x.eq(0), valueAtZero, x));
  return where(x.gt(0), 1, below);
}

// Smooth functions ----------------------------------------------------------------------------------------------------

/** 1 / (1 + exp(-x)). */
export function sigmoid(x: Tensor): Tensor {
  return x.sigmoid();
}

/** The hyperbolic tangent. */
export function tanh(x: Tensor): Tensor {
  return x.tanh();
}

/** alpha (exp(x / width) - 1) where x is not positive, else x. */
function exponentialUnit(x: Tensor, alpha: number, width: number): Tensor {
  const positive = x.gt(0);
  const negative = where(positive, 0, x);
  const scaled = width === 1 ? negative : negative.div(width);
  return where(positive, x, scaled.expm1().mul(alpha));
}

/** x where it is positive, else alpha (exp(x) - 1) (Clevert et al., 2016). The slope at 0 is alpha. */
export function elu(x: Tensor, alpha = 1): Tensor {
  return exponentialUnit(x, alpha, 1);
}

/**
 * The ELU whose slope at 0 is 1 whatever alpha is: alpha (exp(x / alpha) - 1) below 0 (Barron, 2017).
 * @throws ArgumentError if alpha is 0
 */
export function celu(x: Tensor, alpha = 1): Tensor {
  if (alpha === 0) throw new ArgumentError("celu", "alpha is 0, by which x is divided", "Use another alpha.");
  return exponentialUnit(x, alpha, alpha);
}

/** The constants for which mean 0 and variance 1 are a fixed point (Klambauer et al., 2017, equation 14). */
export const seluAlpha = 1.6732632423543772;
export const seluScale = 1.0507009873554805;

/** The self-normalizing ELU (Klambauer et al., 2017): scale times the ELU of a given alpha. */
export function selu(x: Tensor): Tensor {
  return elu(x, seluAlpha).mul(seluScale);
}

/** x sigmoid(x), also called swish (Elfwing et al., 2018). */
export function silu(x: Tensor): Tensor {
  return x.mul(x.sigmoid());
}

/** x tanh(softplus(x)) (Misra, 2019). */
export function mish(x: Tensor): Tensor {
  return x.mul(stableSoftplus(x).tanh());
}

/** Which of two formulas `gelu` computes. */
export interface GeluOptions {
  /** "none" (default) for the normal distribution function itself, "tanh" for the approximation by a tanh. */
  readonly approximate?: "none" | "tanh";
}

/** x times the normal distribution function of x, or with "tanh" its approximation (Hendrycks and Gimpel, 2016). */
export function gelu(x: Tensor, { approximate = "none" }: GeluOptions = {}): Tensor {
  if (approximate === "tanh") {
    const inner = x.add(x.mul(x).mul(x).mul(0.044715)).mul(Math.sqrt(2 / Math.PI));
    return x.mul(0.5).mul(inner.tanh().add(1));
  }
  if (approximate !== "none") {
    throw new ArgumentError("gelu", `there is no approximation "${approximate}"`, 'Use "none" or "tanh".');
  }
  return x.mul(0.5).mul(x.mul(Math.SQRT1_2).erf().add(1));
}

/** log(1 + exp(x)) without overflow. At 0 the maximum's slope is 0 and the magnitude's is -1, which makes one half. */
export function stableSoftplus(x: Tensor): Tensor {
  const magnitude = where(x.gt(0), x, x.neg());
  return x.relu().add(magnitude.neg().exp().log1p());
}

/** log(1 + exp(beta x)) / beta, and x itself where beta x exceeds the threshold. */
export function softplus(x: Tensor, beta = 1, threshold = 20): Tensor {
  const scaled = beta === 1 ? x : x.mul(beta);
  const smooth = beta === 1 ? stableSoftplus(scaled) : stableSoftplus(scaled).div(beta);
  return where(scaled.gt(threshold), x, smooth);
}

/** log(sigmoid(x)) without overflow. */
export function logsigmoid(x: Tensor): Tensor {
  return stableSoftplus(x.neg()).neg();
}

/** x / (1 + |x|). */
export function softsign(x: Tensor): Tensor {
  return x.div(x.abs().add(1));
}

/** x - tanh(x). */
export function tanhshrink(x: Tensor): Tensor {
  return x.sub(x.tanh());
}

/**
 * The first half of a dimension times the sigmoid of the second, a gated linear unit (Dauphin et al., 2017).
 * @param x [..., 2 C, ...]
 * @param dim the dimension that is halved. Default -1
 * @returns [..., C, ...]
 * @throws ShapeError if the dimension cannot be halved
 */
export function glu(x: Tensor, dim = -1): Tensor {
  const extent = x.ndim === 0 ? 1 : x.size(dim);
  if (extent % 2 !== 0) {
    throw new ShapeError("glu", [x.shape], `dimension ${dim} of size ${extent} has no halves`, "Give it an even size.");
  }
  const half = extent / 2;
  return x.narrow(dim, 0, half).mul(x.narrow(dim, half, half).sigmoid());
}
