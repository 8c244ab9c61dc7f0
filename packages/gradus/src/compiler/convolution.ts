// Convolutions as contractions over a window view of the padded input (implicit GEMM: the windows are never laid out,
// packing reads through the view). Where the input is dilated, as in transposed convolutions and the gradients of strided
// ones, most products would be with the zeros between its elements; there the results are taken apart by the phase in
// which they meet the input, and each phase has a kernel of its own without the zeros (polyphase decomposition: Crochiere
// and Rabiner, "Multirate digital signal processing", 1983).

import type { Node } from "../graph/index.ts";
import type { GraphBuilder } from "./rewrite.ts";

/** Names of dimensions. */
export const labels = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

/** What the convolution is made with: the canonical forms of a contraction and of a reshape. */
export interface Canonical {
  readonly dot: (a: Node, b: Node, spec: string) => Node;
  readonly reshape: (x: Node, shape: readonly number[]) => Node;
}

export function convolutionAsContraction(node: Node<"conv">, build: GraphBuilder, canonical: Canonical): Node {
  const { stride, inputDilation, kernelDilation } = node.attributes;
  const dilated = inputDilation.some((dilation) => dilation > 1);
  const unit = (amounts: readonly number[]): boolean => amounts.every((amount) => amount === 1);
  const isPoint = unit(node.inputs[0].shape.slice(2)) && !unit(node.inputs[1].shape.slice(2));
  if (isPoint && unit(stride) && unit(kernelDilation)) return convolutionOfPoint(node, build, canonical);
  return dilated && unit(stride) && unit(kernelDilation)
    ? phasesOfConvolution(node, build, canonical)
    : windowedConvolution(node, build, canonical);
}

/** [N, C, ...spatial] padded or, where amounts are negative, cropped. */
function padSpatially(
  x: Node,
  low: readonly number[],
  high: readonly number[],
  interior: readonly number[],
  build: GraphBuilder,
): Node {
  const leading = [0, 0];
  const positive = (amounts: readonly number[]): number[] => [...leading, ...amounts.map((a) => Math.max(0, a))];
  const padding = { low: positive(low), high: positive(high), interior: [...leading, ...interior], value: 0 };
  const some = [padding.low, padding.high, padding.interior].some((amounts) => amounts.some((amount) => amount > 0));
  const padded = some ? build.make("pad", [x], padding) : x;
  if (low.every((amount) => amount >= 0) && high.every((amount) => amount >= 0)) return padded;
  return build.make("slice", [padded], {
    start: [...leading, ...low.map((amount) => Math.max(0, -amount))],
    stop: padded.shape.map((extent, axis) => (axis < 2 ? extent : extent - Math.max(0, -high[axis - 2]))),
    step: padded.shape.map(() => 1),
  });
}

/** Windows over the input's spatial axes, [N, C, *out, *kernel]. */
function windows(node: Node<"conv">, build: GraphBuilder): Node {
  const [x, weight] = node.inputs;
  const { stride, low, high, inputDilation, kernelDilation } = node.attributes;
  // A negative amount crops an input before it is padded, but a dilated one only after it was dilated, and one that
  // is shorter than what is cropped only after it was padded.
  const first = low.map((amount, i) => {
    const cropped = x.shape[i + 2] + Math.min(0, amount) + Math.min(0, high[i]);
    return inputDilation[i] === 1 && cropped > 0;
  });
  const early = (amounts: readonly number[]): number[] =>
    amounts.map((amount, i) => (first[i] ? Math.min(0, amount) : 0));
  const late = (amounts: readonly number[]): number[] =>
    amounts.map((amount, i) => (first[i] ? Math.max(0, amount) : amount));
  const none = low.map(() => 0);
  const cropped = padSpatially(x, early(low), early(high), none, build);
  const interior = inputDilation.map((dilation) => dilation - 1);
  const source = padSpatially(cropped, late(low), late(high), interior, build);
  return build.make("window", [source], {
    axes: stride.map((_, i) => i + 2),
    size: weight.shape.slice(2),
    stride,
    dilation: kernelDilation,
  });
}

function windowedConvolution(node: Node<"conv">, build: GraphBuilder, { dot, reshape }: Canonical): Node {
  const [x, weight] = node.inputs;
  const { groups } = node.attributes;
  const spatial = x.shape.length - 2;
  const [batch, channels] = x.shape;
  const [outputs, inputsPerGroup, ...kernel] = weight.shape;
  const out = node.shape.slice(2);
  const [n, g, c, o] = labels;
  const outLabels = labels.slice(4, 4 + spatial);
  const kernelLabels = labels.slice(4 + spatial, 4 + 2 * spatial);
  const images = windows(node, build);
  const splitImages = reshape(images, [batch, groups, channels / groups, ...out, ...kernel]);
  const splitWeight = reshape(weight, [groups, outputs / groups, inputsPerGroup, ...kernel]);
  const spec = `${g}${o}${c}${kernelLabels},${n}${g}${c}${outLabels}${kernelLabels}->${n}${g}${o}${outLabels}`;
  return reshape(dot(splitWeight, splitImages, spec), node.shape);
}

/**
 * Of an image of one element, as it begins a generator: result o has the product with kernel element low - o, so the
 * products with the whole kernel, its elements in reverse, are padded or cropped to the results.
 */
function convolutionOfPoint(node: Node<"conv">, build: GraphBuilder, { dot, reshape }: Canonical): Node {
  const [x, weight] = node.inputs;
  const { groups, low } = node.attributes;
  const [batch, channels] = x.shape;
  const [outputs, inputsPerGroup, ...kernel] = weight.shape;
  const [n, g, c, o] = labels;
  const kernelLabels = labels.slice(4, 4 + kernel.length);
  const splitImage = reshape(x, [batch, groups, channels / groups]);
  const splitWeight = reshape(weight, [groups, outputs / groups, inputsPerGroup, ...kernel]);
  const products = dot(
    splitImage,
    splitWeight,
    `${n}${g}${c},${g}${o}${c}${kernelLabels}->${n}${g}${o}${kernelLabels}`,
  );
  const whole = reshape(products, [batch, outputs, ...kernel]);
  const reversed = build.make("flip", [whole], { axes: kernel.map((_, i) => i + 2) });
  const before = kernel.map((size, i) => low[i] - (size - 1));
  return padSpatially(
    reversed,
    before,
    kernel.map((size, i) => node.shape[i + 2] - size - before[i]),
    kernel.map(() => 0),
    build,
  );
}

/** How one spatial axis with input dilation d falls into phases. */
interface Phases {
  readonly dilation: number;
  /** Kernel elements of every phase. */
  readonly taps: number;
  /** Phases that have kernel elements, the last of the d. */
  readonly count: number;
  /** Results of every phase; the first is for input elements from `first` on. */
  readonly results: number;
  readonly first: number;
  /** Where the wanted results begin among those of all phases. */
  readonly offset: number;
  /** Whether the second of two phases reads one input element further on, so that none computes what is not wanted. */
  readonly staggered: boolean;
}

/** Output channels from which phases are worth reading the input once each. */
const channelsToStagger = 16;

/**
 * Result o adds x[i] w[k] over d i = o - low + k. With o - low + d - 1 = d q + r, where r < d is the phase, that is
 * i = q + t and k = d t + d - 1 - r. Where the first wanted result is of the second of two phases, they are taken in
 * pairs that begin with it: o = 2 q + p, i = q + p + t and k = 2 t + p.
 */
function phasesOf(kernel: number, results: number, low: number, dilation: number, mayStagger: boolean): Phases {
  const shift = dilation - 1 - low;
  const first = Math.floor(shift / dilation);
  const last = Math.floor((shift + results - 1) / dilation);
  const offset = shift - first * dilation;
  const taps = Math.ceil(kernel / dilation);
  const count = Math.min(kernel, dilation);
  const staggered = mayStagger && dilation === 2 && count === 2 && offset === 1;
  if (staggered) return { dilation, taps, count, results: Math.ceil(results / 2), first, offset: 0, staggered };
  return { dilation, taps, count, results: last - first + 1, first, offset, staggered };
}

function phasesOfConvolution(node: Node<"conv">, build: GraphBuilder, { dot, reshape }: Canonical): Node {
  const [x, weight] = node.inputs;
  const { groups, low, inputDilation } = node.attributes;
  const [batch, channels, ...extents] = x.shape;
  const [outputs, inputsPerGroup, ...kernel] = weight.shape;
  const mayStagger = outputs / groups >= channelsToStagger;
  const axes = kernel.map((size, i) => phasesOf(size, node.shape[i + 2], low[i], inputDilation[i], mayStagger));
  const staggered = axes.flatMap((axis, i) => (axis.staggered ? [i] : []));
  const source = padSpatially(
    x,
    axes.map(({ first }) => -first),
    axes.map((axis, i) => axis.first + axis.results - 1 + axis.taps + Number(axis.staggered) - extents[i]),
    axes.map(() => 0),
    build,
  );
  const windowsOf = (of: Node, which: readonly number[], size: readonly number[]): Node => {
    const ones = which.map(() => 1);
    return build.make("window", [of], { axes: which.map((i) => i + 2), size, stride: ones, dilation: ones });
  };
  let images = windowsOf(
    source,
    axes.map((_, i) => i),
    axes.map(({ taps }) => taps),
  );
  const pairs = staggered.map(() => 2);
  if (staggered.length > 0) images = windowsOf(images, staggered, pairs);
  const splitImages = reshape(images, [
    batch,
    groups,
    channels / groups,
    ...axes.map(({ results }) => results),
    ...axes.map(({ taps }) => taps),
    ...pairs,
  ]);

  // Kernel elements by tap and phase.
  const whole = padSpatially(
    weight,
    axes.map(() => 0),
    axes.map(({ taps, count }, i) => taps * count - kernel[i]),
    axes.map(() => 0),
    build,
  );
  const byPhase = reshape(whole, [
    groups,
    outputs / groups,
    inputsPerGroup,
    ...axes.flatMap(({ taps, count }) => [taps, count]),
  ]);
  const backwards = axes.flatMap((axis, i) => (axis.staggered ? [] : [4 + 2 * i]));
  const splitWeight = backwards.length === 0 ? byPhase : build.make("flip", [byPhase], { axes: backwards });

  const [n, g, c, o] = labels;
  const label = (kind: number, i: number): string => labels[4 + kind * axes.length + i];
  const each = (name: (i: number) => string): string => axes.map((_, i) => name(i)).join("");
  const [resultLabels, tapLabels] = [each((i) => label(0, i)), each((i) => label(1, i))];
  const pairLabels = staggered.map((i) => label(2, i)).join("");
  const interleaved = each((i) => label(0, i) + label(2, i));
  const spec =
    `${g}${o}${c}${each((i) => label(1, i) + label(2, i))},${n}${g}${c}${resultLabels}${tapLabels}${pairLabels}->` +
    `${n}${g}${o}${interleaved}`;
  let result = dot(splitWeight, splitImages, spec);

  if (axes.some(({ count, dilation }) => count < dilation)) {
    const amounts = axes.flatMap(({ count, dilation }) => [0, dilation - count]);
    const none = result.shape.map(() => 0);
    result = build.make("pad", [result], { low: [0, 0, 0, ...amounts], high: none, interior: none, value: 0 });
  }
  const frame = [batch, outputs, ...axes.map(({ results, dilation }) => results * dilation)];
  const joined = reshape(result, frame);
  const exact = axes.every(({ offset }, i) => offset === 0 && frame[i + 2] === node.shape[i + 2]);
  if (exact) return joined;
  return build.make("slice", [joined], {
    start: [0, 0, ...axes.map(({ offset }) => offset)],
    stop: [batch, outputs, ...axes.map(({ offset }, i) => offset + node.shape[i + 2])],
    step: frame.map(() => 1),
  });
}
