// Activation functions (`torch.nn.functional`). Where a formula would overflow on the branch that is not taken, that branch
// is given a harmless number, so that its gradient is no NaN.

import { type Tensor, where } from "../../tensor/index.ts";

export function relu(x: Tensor): Tensor {
  return x.relu();
}

/** x where it is positive, else a little of it. */
export function leakyRelu(x: Tensor, negativeSlope = 0.01): Tensor {
  return where(x.gt(0), x, x.mul(negativeSlope));
}

/** alpha (exp(x) - 1) below 0 (Clevert et al., 2016). */
export function elu(x: Tensor, alpha = 1): Tensor {
  const positive = x.gt(0);
  return where(positive, x, where(positive, 0, x).expm1().mul(alpha));
}

export function sigmoid(x: Tensor): Tensor {
  return x.sigmoid();
}

export function tanh(x: Tensor): Tensor {
  return x.tanh();
}

/** x sigmoid(x), also called swish. */
export function silu(x: Tensor): Tensor {
  return x.mul(x.sigmoid());
}

/** x times the normal distribution function of x, or with `tanh` the approximation of Hendrycks and Gimpel (2016). */
export function gelu(x: Tensor, { approximate = "none" }: { approximate?: "none" | "tanh" } = {}): Tensor {
  if (approximate === "tanh") {
    const inner = x.add(x.mul(x).mul(x).mul(0.044715)).mul(Math.sqrt(2 / Math.PI));
    return x.mul(0.5).mul(inner.tanh().add(1));
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

export function softmax(x: Tensor, dim: number): Tensor {
  return x.softmax(dim);
}

export function logSoftmax(x: Tensor, dim: number): Tensor {
  return x.logSoftmax(dim);
}
