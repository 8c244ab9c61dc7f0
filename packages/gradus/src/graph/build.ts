// Short names for building nodes. Each checks its operands through the op's shape rule and returns an operand unchanged
// where the operation would do nothing.

import type { DType } from "./dtype.ts";
import { type Node, node } from "./node.ts";
import type {
  BinaryFunction,
  Comparison,
  ConvAttributes,
  PadAttributes,
  SliceAttributes,
  UnaryFunction,
  WindowAttributes,
} from "./ops.ts";
import { type Shape, sameShape } from "./shape.ts";

/** Ops that only set a shape or a dtype have no attributes. */
const none = {};

export const full = (value: number, shape: Shape, dtype: DType): Node => node("full", [], { value }, { shape, dtype });
export const fullLike = (value: number, like: Node): Node => full(value, like.shape, like.dtype);
export const iota = (shape: Shape, axis: number): Node => node("iota", [], { axis }, { shape, dtype: "int32" });

export const unary = (fn: UnaryFunction, x: Node): Node => node("unary", [x], { fn });
export const binary = (fn: BinaryFunction, a: Node, b: Node): Node => node("binary", [a, b], { fn });
export const compare = (fn: Comparison, a: Node, b: Node): Node => node("compare", [a, b], { fn });
export const select = (condition: Node, a: Node, b: Node): Node => node("select", [condition, a, b], none);
export const cast = (x: Node, dtype: DType): Node =>
  x.dtype === dtype ? x : node("cast", [x], none, { shape: x.shape, dtype });
export const detach = (x: Node): Node => (x.requiresGrad ? node("detach", [x], { requiresGrad: false }) : x);

export const neg = (x: Node): Node => unary("neg", x);
export const add = (a: Node, b: Node): Node => binary("add", a, b);
export const sub = (a: Node, b: Node): Node => binary("sub", a, b);
export const mul = (a: Node, b: Node): Node => binary("mul", a, b);
export const div = (a: Node, b: Node): Node => binary("div", a, b);
/** Every element times a number. */
export const scale = (x: Node, factor: number): Node => mul(x, fullLike(factor, x));

export const reshape = (x: Node, shape: Shape): Node =>
  sameShape(x.shape, shape) ? x : node("reshape", [x], none, { shape, dtype: x.dtype });
export const expand = (x: Node, shape: Shape): Node =>
  sameShape(x.shape, shape) ? x : node("expand", [x], none, { shape, dtype: x.dtype });
export const permute = (x: Node, axes: readonly number[]): Node =>
  axes.every((axis, i) => axis === i) ? x : node("permute", [x], { axes });
export const flip = (x: Node, axes: readonly number[]): Node => (axes.length === 0 ? x : node("flip", [x], { axes }));

export function slice(x: Node, { start, stop, step }: SliceAttributes): Node {
  const whole = x.shape.every((extent, axis) => start[axis] === 0 && stop[axis] === extent && step[axis] === 1);
  return whole ? x : node("slice", [x], { start, stop, step });
}

export function pad(x: Node, { low, high, interior, value }: PadAttributes): Node {
  const nothing = [low, high, interior].every((amounts) => amounts.every((amount) => amount === 0));
  return nothing ? x : node("pad", [x], { low, high, interior, value });
}

export const window = (x: Node, attributes: WindowAttributes): Node => node("window", [x], attributes);
export const fold = (x: Node, attributes: WindowAttributes, shape: Shape): Node =>
  node("fold", [x], attributes, { shape, dtype: x.dtype });

export const sum = (x: Node, axes: readonly number[]): Node => (axes.length === 0 ? x : node("sum", [x], { axes }));
export const max = (x: Node, axes: readonly number[]): Node => (axes.length === 0 ? x : node("max", [x], { axes }));
export const argmax = (x: Node, axes: readonly number[]): Node => node("argmax", [x], { axes });
export const dot = (spec: string, a: Node, b: Node): Node => node("dot", [a, b], { spec });
export const conv = (x: Node, weight: Node, attributes: ConvAttributes): Node => node("conv", [x, weight], attributes);
export const gather = (x: Node, index: Node, axis: number): Node => node("gather", [x, index], { axis });
export const scatterAdd = (base: Node, index: Node, source: Node, axis: number): Node =>
  node("scatterAdd", [base, index, source], { axis });
export const concat = (inputs: readonly Node[], axis: number): Node =>
  inputs.length === 1 ? inputs[0] : node("concat", inputs, { axis });
export const argsort = (x: Node, axis: number, descending: boolean): Node => node("argsort", [x], { axis, descending });
export const cumsum = (x: Node, axis: number): Node => node("cumsum", [x], { axis });

/** A node of a broadcastable shape, brought to `shape`: leading dimensions are added, those of size 1 repeated. */
export function broadcastTo(x: Node, shape: Shape): Node {
  const missing = shape.length - x.shape.length;
  const aligned = missing === 0 ? x : reshape(x, [...new Array<number>(missing).fill(1), ...x.shape]);
  return expand(aligned, shape);
}

/** A reduced value brought back over the axes it was reduced along, to `shape`. */
export function spread(reduced: Node, axes: readonly number[], shape: Shape): Node {
  const kept = shape.map((extent, axis) => (axes.includes(axis) ? 1 : extent));
  return expand(reshape(reduced, kept), shape);
}

/** The position of every element along the flattened `axes`, int32. */
export function flatPosition(shape: Shape, axes: readonly number[]): Node {
  let position: Node | null = null;
  let stride = 1;
  for (const axis of [...axes].reverse()) {
    const index = iota(shape, axis);
    const term = stride === 1 ? index : scale(index, stride);
    position = position === null ? term : add(position, term);
    stride *= shape[axis];
  }
  return position ?? full(0, shape, "int32");
}
