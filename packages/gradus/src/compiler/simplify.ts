// Pass 1, simplify: constants, identities and chains of views, op by op in one table; then the rewritings that bring
// every contraction to the one form the engine knows (see canonicalize.ts).

import { type Node, type Op, parseDotSpec, type Shape, sameShape, sizeOf } from "../graph/index.ts";
import { foldBinary, foldComparison, foldUnary } from "./constants.ts";
import { inputs } from "./kernel.ts";
import type { GraphBuilder } from "./rewrite.ts";
import { viewBase } from "./view-index.ts";

type Rule<K extends Op> = (node: Node<K>, build: GraphBuilder) => Node;

const full = (build: GraphBuilder, value: number, like: { shape: Shape; dtype: Node["dtype"] }): Node =>
  build.make("full", [], { value }, like);

/** The number every element has, or null. */
export function constantOf(node: Node): number | null {
  return node.is("full") ? node.attributes.value : null;
}

/** A view of a constant is a constant. */
function viewRule<K extends Op>(then: Rule<K> = (node) => node as unknown as Node): Rule<K> {
  return (node, build) => {
    const value = constantOf(node.inputs[0]);
    return value === null ? then(node, build) : full(build, value, node);
  };
}

const sumOfConstant: Rule<"sum"> = (node, build) => {
  const value = constantOf(node.inputs[0]);
  if (value === null || node.dtype !== "float32") return node as unknown as Node;
  const count = sizeOf(node.attributes.axes.map((axis) => node.inputs[0].shape[axis]));
  return full(build, value * count, node);
};

/** Rules for the ops that have any; the others stay as they are. */
const rules: { readonly [K in Op]?: Rule<K> } = {
  detach: (node) => node.inputs[0],
  unary: (node, build) => {
    const value = constantOf(node.inputs[0]);
    const { fn } = node.attributes;
    const folded = value === null ? null : foldUnary(fn, value, node.dtype);
    if (folded !== null) return full(build, folded, node);
    const [x] = node.inputs;
    if ((fn === "neg" || fn === "not") && x.is("unary") && x.attributes.fn === fn) return x.inputs[0];
    return node as unknown as Node;
  },
  binary: (node, build) => {
    const [a, b] = node.inputs;
    const [x, y] = [constantOf(a), constantOf(b)];
    const { fn } = node.attributes;
    if (x !== null && y !== null) {
      const folded = foldBinary(fn, x, y, node.dtype);
      if (folded !== null) return full(build, folded, node);
    }
    if (fn === "mul" && (x === 1 || y === 1)) return x === 1 ? b : a;
    if (fn === "add" && (x === 0 || y === 0)) return x === 0 ? b : a;
    if (fn === "sub" && y === 0) return a;
    if (fn === "div" && y === 1) return a;
    if (fn === "div" && y !== null && isPowerOfTwo(y))
      return build.make("binary", [a, full(build, 1 / y, b)], { fn: "mul" });
    if (fn === "mul" && (x === -1 || y === -1)) return build.make("unary", [x === -1 ? b : a], { fn: "neg" });
    return node as unknown as Node;
  },
  compare: (node, build) => {
    const [x, y] = node.inputs.map(constantOf);
    return x === null || y === null
      ? (node as unknown as Node)
      : full(build, foldComparison(node.attributes.fn, x, y), node);
  },
  select: (node) => {
    const [condition, a, b] = node.inputs;
    const known = constantOf(condition);
    if (known !== null) return known ? a : b;
    return a === b ? a : (node as unknown as Node);
  },
  cast: (node, build) => {
    const [x] = node.inputs;
    if (x.dtype === node.dtype) return x;
    const value = constantOf(x);
    const exact = value !== null && Number.isInteger(value) && value >= 0 && value < 2 ** 24;
    if (exact && node.dtype !== "bool" && node.dtype !== "uint8") return full(build, value, node);
    return node as unknown as Node;
  },
  reshape: viewRule((node, build) => {
    const [x] = node.inputs;
    if (sameShape(x.shape, node.shape)) return x;
    return x.is("reshape") ? simplifyNode(build.make("reshape", x.inputs, {}, node), build) : (node as unknown as Node);
  }),
  permute: viewRule((node, build) => {
    const [x] = node.inputs;
    const { axes } = node.attributes;
    if (x.is("permute")) {
      const composed = axes.map((axis) => x.attributes.axes[axis]);
      return simplifyNode(build.make("permute", x.inputs, { axes: composed }), build);
    }
    if (axes.every((axis, i) => axis === i)) return x;
    // Moving dimensions of size 1 about is a reshape, which composes further.
    const moving = axes.filter((axis) => x.shape[axis] !== 1);
    if (moving.every((axis, i) => i === 0 || axis > moving[i - 1])) {
      return simplifyNode(build.make("reshape", [x], {}, node), build);
    }
    if (x.is("dot")) {
      const { a, b, out } = parseDotSpec(x.attributes.spec);
      return build.make("dot", x.inputs, { spec: `${a},${b}->${axes.map((axis) => out[axis]).join("")}` });
    }
    return node as unknown as Node;
  }),
  expand: viewRule((node, build) => {
    const [x] = node.inputs;
    if (sameShape(x.shape, node.shape)) return x;
    return x.is("expand") ? build.make("expand", x.inputs, {}, node) : (node as unknown as Node);
  }),
  slice: viewRule(),
  flip: viewRule(),
  window: viewRule(),
  pad: (node, build) => {
    const value = constantOf(node.inputs[0]);
    if (value !== null && value === node.attributes.value) return full(build, value, node);
    return padAsItLies(node, build) ?? (node as unknown as Node);
  },
  concat: (node, build) => {
    const filled = node.inputs.filter((input) => sizeOf(input.shape) > 0);
    if (filled.length === node.inputs.length) return node as unknown as Node;
    return filled.length === 1 ? filled[0] : build.make("concat", filled, node.attributes);
  },
  scatterAdd: (node) => (sizeOf(node.inputs[1].shape) === 0 ? node.inputs[0] : (node as unknown as Node)),
  sum: sumOfConstant,
  max: viewRule(),
};

/**
 * An input is padded as it lies in memory, without dimensions of size 1: so it is padded once where a layer and its gradient
 * see it in different orders. Of other values a padded copy would have to be kept for the gradient.
 */
function padAsItLies(node: Node<"pad">, build: GraphBuilder): Node | null {
  const [view] = node.inputs;
  if (!inputs.has(viewBase(view).op)) return null;
  const { low, high, interior, value } = node.attributes;
  const pad = (x: Node, source: readonly number[], flipped: readonly number[] = []): Node => {
    const of = (amounts: readonly number[], ofFlipped = amounts): number[] =>
      source.map((axis) => (flipped.includes(axis) ? ofFlipped : amounts)[axis]);
    const attributes = { low: of(low, high), high: of(high, low), interior: of(interior), value };
    return simplifyNode(build.make("pad", [x], attributes), build);
  };
  if (view.is("permute")) {
    const { axes } = view.attributes;
    const padded = pad(
      view.inputs[0],
      axes.map((_, axis) => axes.indexOf(axis)),
    );
    return simplifyNode(build.make("permute", [padded], view.attributes), build);
  }
  if (view.is("flip")) {
    const all = view.shape.map((_, axis) => axis);
    const padded = pad(view.inputs[0], all, view.attributes.axes);
    return simplifyNode(build.make("flip", [padded], view.attributes), build);
  }
  const long = view.shape.flatMap((extent, axis) => (extent === 1 && node.shape[axis] === 1 ? [] : [axis]));
  if (long.length === view.shape.length) return null;
  const shape = long.map((axis) => view.shape[axis]);
  const squeezed = simplifyNode(build.make("reshape", [view], {}, { shape, dtype: view.dtype }), build);
  return simplifyNode(build.make("reshape", [pad(squeezed, long)], {}, node), build);
}

function isPowerOfTwo(value: number): boolean {
  const exponent = Math.log2(Math.abs(value));
  return Number.isInteger(exponent) && Math.abs(exponent) < 100;
}

/** Without elements, or a sum of no elements, which is 0. */
function isOfNothing(node: Node): boolean {
  if (sizeOf(node.shape) === 0) return true;
  const sums = node.op === "sum" || node.op === "dot" || node.op === "fold";
  return sums && node.inputs.some((input) => sizeOf(input.shape) === 0);
}

/** What a node simplifies to, its inputs being simple already. */
export function simplifyNode(node: Node, build: GraphBuilder): Node {
  if (!inputs.has(node.op) && !node.is("full") && isOfNothing(node)) return full(build, 0, node);
  const rule = rules[node.op] as Rule<Op> | undefined;
  return rule === undefined ? node : rule(node as Node<Op>, build);
}
