// Compositions that golden cases call by name: getters and chains that JSON cannot write, and the convolution and
// pooling of the graph itself, which `nn.functional` is built on.

import type { IndexEntry, Operand, Tensor as TensorType } from "gradus";
import { build, type ConvAttributes } from "../../src/graph/index.ts";
import { nodeOf, Tensor } from "../../src/tensor/tensor.ts";

export interface TransposedOptions {
  readonly stride: readonly number[];
  readonly padding: readonly number[];
  readonly outputPadding: readonly number[];
  readonly dilation: readonly number[];
  readonly groups: number;
}

export interface PoolOptions {
  readonly size: readonly number[];
  readonly stride: readonly number[];
  readonly padding: readonly number[];
  readonly dilation: readonly number[];
}

export function conv(x: TensorType, weight: TensorType, attributes: ConvAttributes): TensorType {
  return Tensor.of(build.conv(nodeOf(x), nodeOf(weight), attributes));
}

/** x [N, C, ...] with weight [C, O / groups, ...]: the convolution of the dilated input with the flipped kernel. */
export function convTranspose(x: TensorType, weight: TensorType, options: TransposedOptions): TensorType {
  const { stride, padding, outputPadding, dilation, groups } = options;
  const [channels, outputsPerGroup, ...kernel] = weight.shape;
  const spatial = kernel.map((_, i) => i + 2);
  const swapped = weight
    .flip(spatial)
    .reshape([groups, channels / groups, outputsPerGroup, ...kernel])
    .permute([0, 2, 1, ...kernel.map((_, i) => i + 3)])
    .reshape([groups * outputsPerGroup, channels / groups, ...kernel]);
  const low = kernel.map((size, i) => dilation[i] * (size - 1) - padding[i]);
  return conv(x, swapped, {
    stride: kernel.map(() => 1),
    low,
    high: low.map((amount, i) => amount + outputPadding[i]),
    inputDilation: stride,
    kernelDilation: dilation,
    groups,
  });
}

function windows(x: TensorType, { size, stride, padding, dilation }: PoolOptions, outside: number): TensorType {
  const padded = x.pad(
    [...padding].reverse().flatMap((amount) => [amount, amount]),
    outside,
  );
  const axes = size.map((_, i) => i + 2);
  return Tensor.of(build.window(nodeOf(padded), { axes, size, stride, dilation }));
}

export function maxPool(x: TensorType, options: PoolOptions): TensorType {
  const slid = windows(x, options, Number.NEGATIVE_INFINITY);
  const elements = options.size.map((_, i) => x.ndim + i);
  return Tensor.of(build.max(nodeOf(slid), elements));
}

export function avgPool(x: TensorType, options: PoolOptions): TensorType {
  return windows(x, options, 0).mean(options.size.map((_, i) => x.ndim + i));
}

export const compositions = {
  conv,
  convTranspose,
  maxPool,
  avgPool,
  T: (x: TensorType) => x.T,
  maskedSoftmax: (x: TensorType, mask: TensorType) => x.maskedFill(mask, Number.NEGATIVE_INFINITY).softmax(-1),
  matmulTransposed: (a: TensorType, b: TensorType) => a.t().matmul(b.transpose(0, 1)),
  gram: (a: TensorType) => a.matmul(a.t()),
  reshapeAfterPermute: (x: TensorType) => x.permute(1, 2, 0).reshape(6, 4),
  indexPut: (x: TensorType, entries: readonly IndexEntry[], value: Operand) => x.clone().indexPut_(entries, value),
  layerNorm: (x: TensorType) => {
    const centered = x.sub(x.mean(-1, { keepdim: true }));
    return centered.mul(x.var(-1, { correction: 0, keepdim: true }).add(1e-5).rsqrt());
  },
  attention: (q: TensorType, k: TensorType, v: TensorType) =>
    q.matmul(k.transpose(-1, -2)).div(2).softmax(-1).matmul(v),
  crossEntropy: (x: TensorType, labels: TensorType) => x.logSoftmax(1).gather(1, labels.unsqueeze(1)).mean().neg(),
  geluLinear: (x: TensorType, weight: TensorType, bias: TensorType) => {
    const y = x.matmul(weight.t()).add(bias);
    return y.mul(0.5).mul(y.mul(Math.SQRT1_2).erf().add(1));
  },
};
