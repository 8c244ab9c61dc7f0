// What a kernel reads, symbolically: from its results and reductions down through maps and views to what lies in memory,
// with the index of every access over the kernel's loops.

import { type Node, sizeOf } from "../graph/index.ts";
import { flatten, Index, LoopVariable, unflatten } from "./index-expression.ts";
import { isAnchor, isMap, type Kernel } from "./kernel.ts";
import { viewSource, views } from "./view-index.ts";

type Indices = readonly Index[];

/** The loops of a map or reduce kernel: one for every axis of its shape, and one for every axis it reduces. */
export interface KernelLoops {
  readonly outer: readonly LoopVariable[];
  readonly inner: readonly LoopVariable[];
}

export function loopsOf(kernel: Kernel): KernelLoops {
  const reduced = kernel.anchors.length === 0 ? [] : reducedShape(kernel.anchors[0]);
  return {
    outer: kernel.shape.map((extent, axis) => new LoopVariable(`i${axis}_`, extent)),
    inner: reduced.map((extent, axis) => new LoopVariable(`r${axis}_`, extent)),
  };
}

/** The extents a reduction runs over. */
export function reducedShape(anchor: Node): number[] {
  if (anchor.is("fold")) return [...anchor.attributes.size];
  const { axes } = anchor.attributes as { axes: readonly number[] };
  return axes.map((axis) => anchor.inputs[0].shape[axis]);
}

/** The element of its input that a sum, max or argmax takes for a result and a place among what is reduced. */
export function reducedElement(anchor: Node, at: Indices, inner: Indices): Index[] {
  const { axes } = anchor.attributes as { axes: readonly number[] };
  let next = 0;
  return anchor.inputs[0].shape.map((_, axis) => (axes.includes(axis) ? inner[axes.indexOf(axis)] : at[next++]));
}

export interface Visitor {
  /** Whether a value lies in memory, so that what it is made of does not matter. */
  readonly isStored: (node: Node) => boolean;
  readonly stored?: (node: Node, at: Indices) => void;
  readonly computed?: (node: Node, at: Indices) => void;
}

/** Visits all that a map or reduce kernel reads and computes, every value once for every index. */
export function traceKernel(kernel: Kernel, { outer, inner }: KernelLoops, visitor: Visitor): void {
  const trace = new Trace(visitor);
  const at = outer.map((variable) => Index.variable(variable));
  const reduced = inner.map((variable) => Index.variable(variable));
  for (const anchor of kernel.anchors) {
    if (anchor.is("fold")) trace.visit(anchor.inputs[0], foldedElement(anchor, at, reduced));
    else trace.visit(anchor.inputs[0], reducedElement(anchor, at, reduced));
  }
  const flat = flatten(at, kernel.shape);
  for (const output of kernel.outputs) {
    if (!kernel.anchors.includes(output)) trace.enter(output, unflatten(flat, output.shape));
  }
}

/** Visits what one value is made of. */
export function traceValue(node: Node, at: Indices, visitor: Visitor): void {
  new Trace(visitor).enter(node, at);
}

/** Some index, unlike any other. */
const anywhere = (extent: number): Index => Index.variable(new LoopVariable("any", extent));

function foldedElement(anchor: Node<"fold">, at: Indices, inner: Indices): Index[] {
  const [x] = anchor.inputs;
  const { axes } = anchor.attributes;
  return [...at.map((index, axis) => (axes.includes(axis) ? anywhere(x.shape[axis]) : index)), ...inner];
}

class Trace {
  private readonly seen = new Set<string>();

  constructor(private readonly visitor: Visitor) {}

  visit(node: Node, at: Indices): void {
    const key = `${node.id}@${at.map((index) => index.key).join(",")}`;
    if (this.seen.has(key) || sizeOf(node.shape) === 0) return;
    this.seen.add(key);
    if (this.visitor.isStored(node)) this.visitor.stored?.(node, at);
    // A reduction that is not stored is the kernel's own and visited by itself.
    else if (!isAnchor(node)) this.enter(node, at);
  }

  enter(node: Node, at: Indices): void {
    this.visitor.computed?.(node, at);
    if (isMap(node)) for (const input of node.inputs) this.visit(input, at);
    else if (views.has(node.op)) this.visit(node.inputs[0], viewSource(node, at));
    else if (node.is("pad")) this.visit(node.inputs[0], paddedSource(node, at));
    else if (node.is("gather")) {
      const [x, index] = node.inputs;
      const { axis } = node.attributes;
      this.visit(index, at);
      this.visit(
        x,
        at.map((other, i) => (i === axis ? anywhere(x.shape[axis]) : other)),
      );
    } else for (const input of node.inputs) this.visit(input, []);
  }
}

function paddedSource({ inputs: [x], attributes: { low, interior } }: Node<"pad">, at: Indices): Index[] {
  return at.map((index, axis) => (interior[axis] === 0 ? index.add(-low[axis]) : anywhere(x.shape[axis])));
}
