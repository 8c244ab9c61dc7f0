// The op set: one row per op, with its attributes' type, and one table with every op's shape and dtype rule.
// Ops are few and closed under differentiation; everything else in Gradus is composed of them. An op whose row is
// missing from any of the tables typed over `Op` (shapes here, gradients, reference meaning, lowering) is a type error.

import type { DType } from "./dtype.ts";
import { ArgumentError, DTypeError, ShapeError } from "./errors.ts";
import type { Node } from "./node.ts";
import { type Shape, sameShape, sizeOf } from "./shape.ts";

export type UnaryFunction =
  | "neg"
  | "abs"
  | "sign"
  | "exp"
  | "expm1"
  | "log"
  | "log1p"
  | "sqrt"
  | "rsqrt"
  | "reciprocal"
  | "sin"
  | "cos"
  | "tanh"
  | "sigmoid"
  | "erf"
  | "floor"
  | "ceil"
  | "round"
  | "trunc"
  | "not";

export type BinaryFunction = "add" | "sub" | "mul" | "div" | "pow" | "max" | "min" | "remainder" | "and" | "or" | "xor";

export type Comparison = "eq" | "ne" | "lt" | "le";

/** Sliding windows over some axes: window `o`, element `k` of an axis reads position `o * stride + k * dilation`. */
export interface WindowAttributes {
  readonly axes: readonly number[];
  readonly size: readonly number[];
  readonly stride: readonly number[];
  readonly dilation: readonly number[];
}

/** XLA's general convolution. Paddings may be negative, which crops. One entry per spatial axis. */
export interface ConvAttributes {
  readonly stride: readonly number[];
  readonly low: readonly number[];
  readonly high: readonly number[];
  /** Zeros between the elements of the input (its dilation): what a transposed convolution needs. */
  readonly inputDilation: readonly number[];
  readonly kernelDilation: readonly number[];
  readonly groups: number;
}

/** Zeros (or `value`) before, after and between the elements of each axis. `low` and `high` are not negative. */
export interface PadAttributes {
  readonly low: readonly number[];
  readonly high: readonly number[];
  readonly interior: readonly number[];
  readonly value: number;
}

export interface SliceAttributes {
  readonly start: readonly number[];
  readonly stop: readonly number[];
  readonly step: readonly number[];
}

// biome-ignore lint/complexity/noBannedTypes: an op without attributes has none
type None = {};

/** Every op and its attributes. Shapes and dtypes belong to the node, so ops that only set those have no attributes. */
export interface OpAttributes {
  // leaf
  data: { readonly requiresGrad: boolean };
  state: { readonly requiresGrad: boolean };
  /** A number that may change from run to run without a new program. */
  scalar: { readonly value: number };
  full: { readonly value: number };
  /** The index along an axis, int32. */
  iota: { readonly axis: number };
  /** One of four 32-bit words of Philox 4x32-10 with the element's index as counter; inputs: seed and stream. */
  random: { readonly word: 0 | 1 | 2 | 3 };
  // map
  unary: { readonly fn: UnaryFunction };
  binary: { readonly fn: BinaryFunction };
  compare: { readonly fn: Comparison };
  select: None;
  cast: None;
  /** The same value with no gradient towards its input; with `requiresGrad` it is a leaf that takes one itself. */
  detach: { readonly requiresGrad: boolean };
  // view
  reshape: None;
  permute: { readonly axes: readonly number[] };
  expand: None;
  slice: SliceAttributes;
  pad: PadAttributes;
  flip: { readonly axes: readonly number[] };
  window: WindowAttributes;
  /** The transpose of `window`: adds every window back to where it was read. */
  fold: WindowAttributes;
  // reduce
  sum: { readonly axes: readonly number[] };
  max: { readonly axes: readonly number[] };
  /** The first index of the largest element along the flattened axes, int32; a NaN is the largest. */
  argmax: { readonly axes: readonly number[] };
  // contract
  /** Einstein summation of two operands: `"bmk,bkn->bmn"`. Labels of an operand are distinct. */
  dot: { readonly spec: string };
  conv: ConvAttributes;
  // index
  /** out[.., i, ..] = x[.., index[.., i, ..], ..] along one axis (`torch.gather`). */
  gather: { readonly axis: number };
  /** base with source added at index along one axis (`torch.scatter_add`). */
  scatterAdd: { readonly axis: number };
  concat: { readonly axis: number };
  // order
  /** Indices that sort along an axis, stable; NaN counts as the largest. */
  argsort: { readonly axis: number; readonly descending: boolean };
  cumsum: { readonly axis: number };
}

export type Op = keyof OpAttributes;

export interface DotSpec {
  readonly a: string;
  readonly b: string;
  readonly out: string;
}

export function parseDotSpec(spec: string): DotSpec {
  const comma = spec.indexOf(",");
  const arrow = spec.indexOf("->");
  return { a: spec.slice(0, comma), b: spec.slice(comma + 1, arrow), out: spec.slice(arrow + 2) };
}

export function windowCount(length: number, size: number, stride: number, dilation: number): number {
  return Math.floor((length - dilation * (size - 1) - 1) / stride) + 1;
}

/** The length of a convolution's input axis once it is dilated and padded. */
export function paddedLength(length: number, low: number, high: number, dilation: number): number {
  return (length > 0 ? (length - 1) * dilation + 1 : 0) + low + high;
}

export interface ShapeAndDType {
  readonly shape: Shape;
  readonly dtype: DType;
}

type ShapeRule<K extends Op> = (
  inputs: readonly Node[],
  attributes: OpAttributes[K],
  wanted: ShapeAndDType,
) => ShapeAndDType;

const asWanted = (_inputs: readonly Node[], _attributes: unknown, wanted: ShapeAndDType) => wanted;
const asInput = (inputs: readonly Node[]) => inputs[0];

function sameInputs(op: string, inputs: readonly Node[]): Node {
  const [first, ...rest] = inputs;
  for (const other of rest) {
    if (!sameShape(first.shape, other.shape))
      throw new ShapeError(
        op,
        [first.shape, other.shape],
        "the operands of a map must have one shape",
        "Broadcast them first.",
      );
    if (first.dtype !== other.dtype)
      throw new DTypeError(
        op,
        [first.dtype, other.dtype],
        "the operands must have one dtype",
        "Cast one with `.to(dtype)`.",
      );
  }
  return first;
}

function withoutAxes(shape: Shape, axes: readonly number[]): number[] {
  return shape.filter((_, axis) => !axes.includes(axis));
}

/**
 * Shape and dtype of every op's result. Ops whose result is free to choose (leaves, reshape, expand, cast, fold) take
 * what is wanted and check that it can be.
 */
export const shapeRules: { readonly [K in Op]: ShapeRule<K> } = {
  data: asWanted,
  state: asWanted,
  scalar: asWanted,
  full: asWanted,
  iota: asWanted,
  random: (_inputs, _attributes, wanted) => ({ shape: wanted.shape, dtype: "int32" }),
  unary: asInput,
  binary: (inputs, { fn }) => sameInputs(fn, inputs),
  compare: (inputs, { fn }) => ({ shape: sameInputs(fn, inputs).shape, dtype: "bool" }),
  select: (inputs) => {
    const result = sameInputs("where", inputs.slice(1));
    if (inputs[0].dtype !== "bool")
      throw new DTypeError("where", [inputs[0].dtype], "the condition must be bool", "Compare first.");
    if (!sameShape(inputs[0].shape, result.shape))
      throw new ShapeError(
        "where",
        inputs.map((node) => node.shape),
        "condition and values must have one shape",
      );
    return result;
  },
  cast: ([x], _attributes, wanted) => ({ shape: x.shape, dtype: wanted.dtype }),
  detach: asInput,
  reshape: ([x], _attributes, wanted) => {
    if (sizeOf(x.shape) !== sizeOf(wanted.shape))
      throw new ShapeError(
        "reshape",
        [x.shape, wanted.shape],
        `${sizeOf(x.shape)} elements cannot take a shape of ${sizeOf(wanted.shape)}`,
        "Keep the number of elements, or pass -1 for one dimension.",
      );
    return { shape: wanted.shape, dtype: x.dtype };
  },
  permute: ([x], { axes }) => ({ shape: axes.map((axis) => x.shape[axis]), dtype: x.dtype }),
  expand: ([x], _attributes, wanted) => {
    const fits =
      x.shape.length === wanted.shape.length &&
      x.shape.every((extent, axis) => extent === 1 || extent === wanted.shape[axis]);
    if (!fits)
      throw new ShapeError(
        "expand",
        [x.shape, wanted.shape],
        "only dimensions of size 1 can be expanded",
        "Use `unsqueeze` or `reshape` to line the dimensions up.",
      );
    return { shape: wanted.shape, dtype: x.dtype };
  },
  slice: ([x], { start, stop, step }) => ({
    shape: x.shape.map((_, axis) => Math.max(0, Math.ceil((stop[axis] - start[axis]) / step[axis]))),
    dtype: x.dtype,
  }),
  pad: ([x], { low, high, interior }) => ({
    shape: x.shape.map((extent, axis) => paddedLength(extent, low[axis], high[axis], interior[axis] + 1)),
    dtype: x.dtype,
  }),
  flip: asInput,
  window: ([x], { axes, size, stride, dilation }) => {
    const shape = [...x.shape];
    axes.forEach((axis, i) => {
      shape[axis] = windowCount(x.shape[axis], size[i], stride[i], dilation[i]);
      if (shape[axis] < 1)
        throw new ShapeError(
          "window",
          [x.shape],
          `a window of ${dilation[i] * (size[i] - 1) + 1} does not fit into dimension ${axis} of ${x.shape[axis]}`,
          "Use a smaller kernel or more padding.",
        );
    });
    return { shape: [...shape, ...size], dtype: x.dtype };
  },
  fold: ([x], _attributes, wanted) => ({ shape: wanted.shape, dtype: x.dtype }),
  sum: ([x], { axes }) => ({ shape: withoutAxes(x.shape, axes), dtype: x.dtype }),
  max: ([x], { axes }) => {
    if (axes.some((axis) => x.shape[axis] === 0))
      throw new ShapeError("max", [x.shape], "the maximum of no elements is undefined");
    return { shape: withoutAxes(x.shape, axes), dtype: x.dtype };
  },
  argmax: ([x], { axes }) => {
    if (axes.some((axis) => x.shape[axis] === 0))
      throw new ShapeError("argmax", [x.shape], "the maximum of no elements is undefined");
    return { shape: withoutAxes(x.shape, axes), dtype: "int32" };
  },
  dot: ([a, b], { spec }) => {
    const labels = parseDotSpec(spec);
    const extents = new Map<string, number>();
    for (const [names, node] of [
      [labels.a, a],
      [labels.b, b],
    ] as const) {
      if (names.length !== node.shape.length)
        throw new ShapeError(
          "dot",
          [a.shape, b.shape],
          `"${spec}" names ${names.length} dimensions of an operand that has ${node.shape.length}`,
        );
      [...names].forEach((label, axis) => {
        const known = extents.get(label);
        if (known !== undefined && known !== node.shape[axis])
          throw new ShapeError(
            "dot",
            [a.shape, b.shape],
            `dimension "${label}" of "${spec}" is ${known} in one operand and ${node.shape[axis]} in the other`,
          );
        extents.set(label, node.shape[axis]);
      });
    }
    if (a.dtype !== b.dtype)
      throw new DTypeError(
        "dot",
        [a.dtype, b.dtype],
        "the operands must have one dtype",
        "Cast one with `.to(dtype)`.",
      );
    return { shape: [...labels.out].map((label) => extents.get(label)!), dtype: a.dtype };
  },
  conv: ([x, w], attributes) => {
    const spatial = x.shape.length - 2;
    const shapes = [x.shape, w.shape];
    if (w.shape.length !== x.shape.length)
      throw new ShapeError(
        "conv",
        shapes,
        `a weight of ${w.shape.length} dimensions does not fit an input of ${x.shape.length}`,
      );
    if (x.shape[1] !== w.shape[1] * attributes.groups)
      throw new ShapeError(
        "conv",
        shapes,
        `the weight expects ${w.shape[1] * attributes.groups} input channels, the input has ${x.shape[1]}`,
      );
    if (w.shape[0] % attributes.groups !== 0)
      throw new ShapeError(
        "conv",
        shapes,
        `${w.shape[0]} output channels cannot be divided into ${attributes.groups} groups`,
      );
    if (x.dtype !== w.dtype)
      throw new DTypeError(
        "conv",
        [x.dtype, w.dtype],
        "input and weight must have one dtype",
        "Cast one with `.to(dtype)`.",
      );
    const out = Array.from({ length: spatial }, (_, i) => {
      const length = paddedLength(x.shape[i + 2], attributes.low[i], attributes.high[i], attributes.inputDilation[i]);
      const count = windowCount(length, w.shape[i + 2], attributes.stride[i], attributes.kernelDilation[i]);
      if (count < 1)
        throw new ShapeError(
          "conv",
          shapes,
          `a kernel of ${w.shape[i + 2]} does not fit into the padded input of ${length}`,
          "Use a smaller kernel, more padding or a larger input.",
        );
      return count;
    });
    return { shape: [x.shape[0], w.shape[0], ...out], dtype: x.dtype };
  },
  gather: ([x, index], { axis }) => {
    checkIndex("gather", index);
    if (x.shape.length !== index.shape.length || x.shape.some((extent, i) => i !== axis && extent !== index.shape[i]))
      throw new ShapeError(
        "gather",
        [x.shape, index.shape],
        `source and index must agree in every dimension but ${axis}`,
      );
    return { shape: index.shape, dtype: x.dtype };
  },
  scatterAdd: ([base, index, source], { axis }) => {
    checkIndex("scatterAdd", index);
    if (
      !sameShape(index.shape, source.shape) ||
      base.shape.some((extent, i) => i !== axis && extent !== source.shape[i])
    )
      throw new ShapeError(
        "scatterAdd",
        [base.shape, index.shape, source.shape],
        `index and source must have one shape and agree with the base in every dimension but ${axis}`,
      );
    if (base.dtype !== source.dtype)
      throw new DTypeError(
        "scatterAdd",
        [base.dtype, source.dtype],
        "base and source must have one dtype",
        "Cast one with `.to(dtype)`.",
      );
    return base;
  },
  concat: (inputs, { axis }) => {
    const [first] = inputs;
    if (first === undefined) throw new ArgumentError("cat", "there is nothing to concatenate");
    let length = 0;
    for (const node of inputs) {
      if (node.dtype !== first.dtype)
        throw new DTypeError("cat", [first.dtype, node.dtype], "the tensors must have one dtype");
      if (
        node.shape.length !== first.shape.length ||
        node.shape.some((extent, i) => i !== axis && extent !== first.shape[i])
      )
        throw new ShapeError(
          "cat",
          inputs.map((input) => input.shape),
          `the tensors must agree in every dimension but ${axis}`,
        );
      length += node.shape[axis];
    }
    return { shape: first.shape.map((extent, i) => (i === axis ? length : extent)), dtype: first.dtype };
  },
  argsort: ([x]) => ({ shape: x.shape, dtype: "int32" }),
  cumsum: asInput,
};

function checkIndex(op: string, index: Node): void {
  if (index.dtype !== "int32")
    throw new DTypeError(op, [index.dtype], "an index must be int32", 'Cast it with `.to("int32")`.');
}
