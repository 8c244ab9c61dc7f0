// Where views read: the index into a view's input for an index into its result. One rule per view; every pass that follows
// a value through views leans on it.

import type { Node, Op } from "../graph/index.ts";
import { flatten, Index, unflatten } from "./index-expression.ts";

type Indices = readonly Index[];
type Rule<K extends Op> = (node: Node<K>, at: Indices) => Indices;

type View = "reshape" | "permute" | "expand" | "slice" | "flip" | "window";

const rules: { readonly [K in View]: Rule<K> } = {
  reshape: ({ inputs: [x], shape }, at) => unflatten(flatten(at, shape), x.shape),
  permute: ({ attributes: { axes } }, at) => {
    const source = new Array<Index>(axes.length);
    axes.forEach((axis, i) => {
      source[axis] = at[i];
    });
    return source;
  },
  expand: ({ inputs: [x] }, at) => at.map((index, axis) => (x.shape[axis] === 1 ? Index.constant(0) : index)),
  slice: ({ attributes: { start, step } }, at) => at.map((index, axis) => index.multiply(step[axis]).add(start[axis])),
  flip: ({ inputs: [x], attributes: { axes } }, at) =>
    at.map((index, axis) => (axes.includes(axis) ? index.multiply(-1).add(x.shape[axis] - 1) : index)),
  window: ({ inputs: [x], attributes: { axes, stride, dilation } }, at) => {
    const source = at.slice(0, x.shape.length);
    axes.forEach((axis, i) => {
      source[axis] = at[axis].multiply(stride[i]).add(at[x.shape.length + i].multiply(dilation[i]));
    });
    return source;
  },
};

/** Ops that only say where to read. */
export const views: ReadonlySet<Op> = new Set(Object.keys(rules) as View[]);

/** The index into the input of a view. */
export function viewSource(node: Node, at: Indices): Indices {
  return (rules[node.op as View] as Rule<Op>)(node, at);
}

/** What a chain of views is of. */
export function viewBase(node: Node): Node {
  let base = node;
  while (views.has(base.op)) base = base.inputs[0];
  return base;
}
