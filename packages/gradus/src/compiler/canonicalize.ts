// The second half of simplification: one form for everything that contracts or sums.
// A convolution becomes a contraction over a window view (see convolution.ts). Contractions that are none (no common or
// no free dimension, other dtypes than float32) become maps and sums. Long sums of few results are split, so that threads
// can share them. A fold whose windows tile its result is a view.

import { type Node, parseDotSpec, sizeOf, windowCount } from "../graph/index.ts";
import { convolutionAsContraction, labels } from "./convolution.ts";
import type { GraphBuilder } from "./rewrite.ts";
import { simplifyNode } from "./simplify.ts";

/** Sums longer than this are split when they have few results. */
const splitFrom = 32_768;
const splitResults = 16;
/** Elements of a contraction's common dimension below which splitting it does not pay. */
const splitContractionFrom = 2048;

export function canonicalizeNode(node: Node, build: GraphBuilder): Node {
  if (node.is("conv")) {
    return convolutionAsContraction(node, build, {
      dot: (a, b, spec) => canonicalDot(build.make("dot", [a, b], { spec }) as Node<"dot">, build),
      reshape: (x, shape) => reshape(x, shape, build),
    });
  }
  if (node.is("dot")) return canonicalDot(node, build);
  if (node.is("fold")) return tilingFold(node, build) ?? (node as unknown as Node);
  if (node.is("sum")) return splitSum(node, build) ?? (node as unknown as Node);
  return node;
}

function reshape(x: Node, shape: readonly number[], build: GraphBuilder): Node {
  return simplifyNode(build.make("reshape", [x], {}, { shape, dtype: x.dtype }), build);
}

/** Drops labels of extent 1, turns degenerate contractions into maps and sums, splits long ones. */
function canonicalDot(node: Node<"dot">, build: GraphBuilder): Node {
  const [a, b] = node.inputs;
  const spec = parseDotSpec(node.attributes.spec);
  const extents = new Map<string, number>();
  for (const [names, operand] of [
    [spec.a, a],
    [spec.b, b],
  ] as const) {
    [...names].forEach((label, axis) => {
      extents.set(label, operand.shape[axis]);
    });
  }
  const extent = (label: string): number => extents.get(label)!;
  const strip = (names: string): string => [...names].filter((label) => extent(label) !== 1).join("");
  const [namesA, namesB, namesOut] = [strip(spec.a), strip(spec.b), strip(spec.out)];
  if (namesA.length + namesB.length + namesOut.length < spec.a.length + spec.b.length + spec.out.length) {
    const shapeOf = (names: string): number[] => [...names].map(extent);
    const slim = build.make("dot", [reshape(a, shapeOf(namesA), build), reshape(b, shapeOf(namesB), build)], {
      spec: `${namesA},${namesB}->${namesOut}`,
    });
    return reshape(canonicalDot(slim as Node<"dot">, build), node.shape, build);
  }
  const common = [...spec.a].filter((label) => spec.b.includes(label) && !spec.out.includes(label));
  const free = (names: string, other: string): string[] =>
    [...names].filter((label) => spec.out.includes(label) && !other.includes(label));
  const size = (list: readonly string[]): number => sizeOf(list.map(extent));
  const [rows, columns] = [free(spec.a, spec.b), free(spec.b, spec.a)];
  const degenerate = common.length === 0 || (rows.length === 0 && columns.length === 0);
  if (node.dtype !== "float32" || degenerate) return asMapAndSum(node, spec, extents, build);
  return splitContraction(node, spec, common, size(rows) * size(columns), extents, build) ?? (node as unknown as Node);
}

/** sum over the common labels of a x b, both spread over all labels. */
function asMapAndSum(
  node: Node<"dot">,
  spec: ReturnType<typeof parseDotSpec>,
  extents: Map<string, number>,
  build: GraphBuilder,
): Node {
  if (node.dtype === "uint8") {
    // Summed as int32 and cut to a byte at the end.
    const cast = (x: Node, dtype: Node["dtype"]): Node => build.make("cast", [x], {}, { shape: x.shape, dtype });
    const wide = build.make(
      "dot",
      node.inputs.map((x) => cast(x, "int32")),
      node.attributes,
    ) as Node<"dot">;
    return cast(asMapAndSum(wide, spec, extents, build), "uint8");
  }
  const common = [...new Set(spec.a + spec.b)].filter((label) => !spec.out.includes(label));
  const all = [...spec.out, ...common];
  const shape = all.map((label) => extents.get(label)!);
  const spread = (operand: Node, names: string): Node => {
    const order = all.filter((label) => names.includes(label)).map((label) => names.indexOf(label));
    const permuted = simplifyNode(build.make("permute", [operand], { axes: order }), build);
    const aligned = reshape(
      permuted,
      all.map((label, i) => (names.includes(label) ? shape[i] : 1)),
      build,
    );
    return simplifyNode(build.make("expand", [aligned], {}, { shape, dtype: operand.dtype }), build);
  };
  const product = build.make("binary", [spread(node.inputs[0], spec.a), spread(node.inputs[1], spec.b)], {
    fn: node.dtype === "bool" ? "and" : "mul",
  });
  if (common.length === 0) return product;
  const axes = common.map((_, i) => spec.out.length + i);
  return canonicalizeNode(build.make("sum", [product], { axes }), build);
}

/**
 * A long contraction with a small result, such as a convolution's weight gradient, is cut along its longest common
 * label into partial results, which are then added: otherwise it could neither be shared nor kept in cache.
 */
function splitContraction(
  node: Node<"dot">,
  spec: ReturnType<typeof parseDotSpec>,
  common: readonly string[],
  results: number,
  extents: Map<string, number>,
  build: GraphBuilder,
): Node | null {
  const length = sizeOf(common.map((label) => extents.get(label)!));
  if (length < splitContractionFrom || results * 8 > length * 64 || results > 65_536) return null;
  const longest = common.reduce((best, label) => (extents.get(label)! > extents.get(best)! ? label : best));
  const extent = extents.get(longest)!;
  // Parts of about 1024, as even as the label divides, and no more than there is work for.
  const wanted = Math.min(extent, Math.max(2, Math.round(length / 1024)), 64);
  const parts = largestDivisor(extent, wanted);
  if (parts < 2) return null;
  const fresh = [...labels].find((label) => !node.attributes.spec.includes(label));
  if (fresh === undefined) return null;
  const cut = (operand: Node, names: string): { node: Node; names: string } => {
    const axis = names.indexOf(longest);
    const shape = [...operand.shape.slice(0, axis), parts, extent / parts, ...operand.shape.slice(axis + 1)];
    return { node: reshape(operand, shape, build), names: names.replace(longest, `${fresh}${longest}`) };
  };
  const a = cut(node.inputs[0], spec.a);
  const b = cut(node.inputs[1], spec.b);
  const partial = build.make("dot", [a.node, b.node], { spec: `${a.names},${b.names}->${fresh}${spec.out}` });
  return build.make("sum", [partial], { axes: [0] });
}

function largestDivisor(of: number, atMost: number): number {
  for (let candidate = atMost; candidate > 1; candidate--) if (of % candidate === 0) return candidate;
  return 1;
}

/** Windows that lie side by side are put back by a permutation. */
function tilingFold(node: Node<"fold">, build: GraphBuilder): Node | null {
  const [x] = node.inputs;
  const { axes, size, stride, dilation } = node.attributes;
  const tiles = axes.every(
    (axis, i) =>
      stride[i] === size[i] &&
      dilation[i] === 1 &&
      windowCount(node.shape[axis], size[i], stride[i], 1) * size[i] <= node.shape[axis],
  );
  if (!tiles) return null;
  const rank = node.shape.length;
  const order: number[] = [];
  const joined: number[] = [];
  for (let axis = 0; axis < rank; axis++) {
    const i = axes.indexOf(axis);
    order.push(axis);
    if (i >= 0) order.push(rank + i);
    joined.push(i >= 0 ? x.shape[axis] * size[i] : x.shape[axis]);
  }
  const permuted = simplifyNode(build.make("permute", [x], { axes: order }), build);
  const result = reshape(permuted, joined, build);
  const high = node.shape.map((extent, axis) => extent - joined[axis]);
  if (high.every((amount) => amount === 0)) return result;
  const zeros = node.shape.map(() => 0);
  return build.make("pad", [result], { low: zeros, high, interior: zeros, value: 0 });
}

/** Few sums of very many elements are taken in two steps, so that threads can share the first. */
function splitSum(node: Node<"sum">, build: GraphBuilder): Node | null {
  const [x] = node.inputs;
  const { axes } = node.attributes;
  const count = sizeOf(axes.map((axis) => x.shape[axis]));
  if (sizeOf(node.shape) > splitResults || count < splitFrom) return null;
  const outer = axes.find((axis) => x.shape[axis] > 1)!;
  const parts = largestDivisor(x.shape[outer], 64);
  if (parts < 4) return null;
  const shape = [...x.shape.slice(0, outer), parts, x.shape[outer] / parts, ...x.shape.slice(outer + 1)];
  const split = reshape(x, shape, build);
  const inner = axes.map((axis) => (axis >= outer ? axis + 1 : axis));
  const partial = build.make("sum", [split], { axes: inner });
  // The parts' axis is where it was, less the summed axes before it.
  const position = outer - axes.filter((axis) => axis < outer).length;
  return build.make("sum", [partial], { axes: [position] });
}
