// Both gradients of a general convolution are general convolutions again: the input's has stride and input dilation
// exchanged and the kernel flipped, the weight's has batch and channels exchanged and stride and kernel dilation
// exchanged (XLA's general convolution; Dumoulin and Visin, "A guide to convolution arithmetic", 2016).

import { axesFrom, build, type ConvAttributes, type Node, paddedLength } from "../graph/index.ts";

const spatialAxes = (rank: number): number[] => axesFrom(2, rank - 2);

/** Exchanges the first two axes. */
const exchange = (x: Node): Node => build.permute(x, [1, 0, ...spatialAxes(x.shape.length)]);

/** The gradient of the input: `gradient` [N, O, ...] to [N, C, ...]. */
export function inputGradientOfConv(x: Node, weight: Node, attributes: ConvAttributes, gradient: Node): Node {
  const { stride, low, inputDilation, kernelDilation, groups } = attributes;
  const rank = x.shape.length;
  const kernel = weight.shape.slice(2);
  const flipped = build.flip(weight, spatialAxes(rank));
  // Inputs and outputs exchanged in every group: [g O, C, ...] to [g C, O, ...].
  const transposed = groups === 1 ? exchange(flipped) : exchange(exchangeInGroups(exchange(flipped), groups));
  const reach = kernel.map((size, i) => kernelDilation[i] * (size - 1));
  const newLow = reach.map((amount, i) => amount - low[i]);
  // As much on the other side as makes the result as long as the dilated input.
  const newHigh = reach.map((amount, i) => {
    const dilatedInput = paddedLength(x.shape[i + 2], 0, 0, inputDilation[i]);
    const dilatedGradient = paddedLength(gradient.shape[i + 2], 0, 0, stride[i]);
    return dilatedInput + amount - newLow[i] - dilatedGradient;
  });
  return build.conv(gradient, transposed, {
    stride: inputDilation,
    low: newLow,
    high: newHigh,
    inputDilation: stride,
    kernelDilation,
    groups,
  });
}

/** [N, g C, ...] to [C, g N, ...]: batch and channels exchanged, groups staying groups of channels. */
function exchangeInGroups(x: Node, groups: number): Node {
  if (groups === 1) return exchange(x);
  const [batch, channels, ...spatial] = x.shape;
  const split = build.reshape(x, [batch, groups, channels / groups, ...spatial]);
  const swapped = build.permute(split, [2, 1, 0, ...spatial.map((_, i) => i + 3)]);
  return build.reshape(swapped, [channels / groups, groups * batch, ...spatial]);
}

/** The gradient of the weight: [O, C / groups, ...]. */
export function weightGradientOfConv(x: Node, weight: Node, attributes: ConvAttributes, gradient: Node): Node {
  const { stride, low, inputDilation, kernelDilation, groups } = attributes;
  if (inputDilation.some((dilation) => dilation > 1) && stride.every((step) => step === 1)) {
    return weightGradientOfTransposedConv(x, weight, attributes, gradient);
  }
  const spatial = x.shape.slice(2);
  const kernel = weight.shape.slice(2);
  const images = exchangeInGroups(x, groups);
  const kernels = exchange(gradient);
  const newHigh = kernel.map((size, i) => {
    const dilatedInput = paddedLength(spatial[i], 0, 0, inputDilation[i]);
    const reach = stride[i] * (gradient.shape[i + 2] - 1);
    return kernelDilation[i] * (size - 1) + reach + 1 - low[i] - dilatedInput;
  });
  const result = build.conv(images, kernels, {
    stride: kernelDilation,
    low,
    high: newHigh,
    inputDilation,
    kernelDilation: stride,
    groups,
  });
  return exchange(result);
}

/**
 * The same where the input is dilated and the stride is 1. Then input element i meets weight k at result d i + low - k e
 * (d and e being the dilations of input and kernel), so the weight's gradient, its elements in reverse, is a convolution of
 * the gradient with the input as the dilated kernel: no product is with a zero of the dilation.
 */
function weightGradientOfTransposedConv(x: Node, weight: Node, attributes: ConvAttributes, gradient: Node): Node {
  const { low, inputDilation, kernelDilation, groups } = attributes;
  const kernel = weight.shape.slice(2);
  const newLow = kernel.map((size, i) => (size - 1) * kernelDilation[i] - low[i]);
  const newHigh = kernel.map((size, i) => {
    const reach = paddedLength(x.shape[i + 2], 0, 0, inputDilation[i]) + (size - 1) * kernelDilation[i];
    return reach - newLow[i] - gradient.shape[i + 2];
  });
  const result = build.conv(exchangeInGroups(gradient, groups), exchange(x), {
    stride: kernelDilation,
    low: newLow,
    high: newHigh,
    inputDilation: kernel.map(() => 1),
    kernelDilation: inputDilation,
    groups,
  });
  // [O, g C, ...] with the O of one group to [g O, C, ...]
  return build.flip(exchange(exchangeInGroups(result, groups)), spatialAxes(weight.shape.length));
}
