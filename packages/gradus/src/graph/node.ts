// Nodes of the immutable graph. Nodes are hash-consed: between two flushes the same operation on the same inputs is
// the same node, so common subexpressions are one node by construction. Ids grow with creation, so sorting by id is a
// topological order.

import type { DType } from "./dtype.ts";
import { HashTable, mix } from "./hash-table.ts";
import { inferKind, type Kind, kindOf } from "./kind.ts";
import type { Op, OpAttributes, ShapeAndDType } from "./ops.ts";
import type { Shape } from "./shape.ts";

let nextId = 1;

/** Interned nodes since the last flush; emptied there so that the table keeps nothing alive. */
const interned = new HashTable<Node>();
/** A program that never flushes must not grow the table without bound. */
const maximumInterned = 1 << 17;

/** One operation on other nodes, or a leaf. What the node is made of never changes; what is known of it does. */
export class Node<K extends Op = Op> {
  readonly id = nextId++;
  /** True when a gradient can flow through this node to a leaf that requires one. */
  readonly requiresGrad: boolean;
  /** What the node computed, once it is realized: the device's buffer, opaque here. */
  value: object | null = null;
  /** What a leaf stands for (a state variable), opaque here. */
  source: object | null = null;
  /** Whether a backward pass has gone through here that no other will follow. */
  usedUp = false;
  /** The walk over a graph that came by last, and the place it gave the node in its order. */
  walk = 0;
  position = 0;

  /** @param attributes the kind's, but for leaves, whose attributes are bound to a program and no part of their kind */
  constructor(
    readonly kind: Kind<K>,
    private history: readonly Node[],
    readonly attributes: OpAttributes[K] = kind.attributes,
  ) {
    this.requiresGrad = kind.isGradientLeaf
      ? (attributes as OpAttributes["data"]).requiresGrad
      : kind.type.isFloat && someRequiresGrad(history);
  }

  get op(): K {
    return this.kind.op;
  }

  get shape(): Shape {
    return this.kind.type.shape;
  }

  get dtype(): DType {
    return this.kind.type.dtype;
  }

  get inputs(): readonly Node[] {
    return this.history;
  }

  /** Forgets what a realized node was computed from, so that it no longer keeps its inputs alive. */
  forgetHistory(): void {
    this.history = noInputs;
  }

  /** Whether a backward pass ends here. */
  get isGradientLeaf(): boolean {
    return this.kind.isGradientLeaf;
  }

  is<T extends Op>(op: T): this is Node<T> {
    return (this.kind.op as Op) === op;
  }
}

const noInputs: readonly Node[] = [];

function someRequiresGrad(nodes: readonly Node[]): boolean {
  for (let i = 0; i < nodes.length; i++) if (nodes[i].requiresGrad) return true;
  return false;
}

/**
 * The node of an operation: an existing one if the same operation was asked for since the last flush.
 * @param wanted the result's shape and dtype, for ops that are free to choose them
 * @throws ShapeError, DTypeError as the op's shape rule says
 */
export function node<K extends Op>(
  op: K,
  inputs: readonly Node[],
  attributes: OpAttributes[K],
  wanted?: ShapeAndDType,
): Node<K> {
  const kind = inferKind(op, inputs, attributes, wanted);
  let hash = mix(0, kind.id);
  for (let i = 0; i < inputs.length; i++) hash = mix(hash, inputs[i].id);
  for (let place = interned.first(hash); ; place = interned.after(place)) {
    const found = interned.at(place);
    if (found === null) break;
    if (interned.hashAt(place) === hash && found.kind === (kind as unknown) && sameNodes(found.inputs, inputs)) {
      return found as unknown as Node<K>;
    }
  }
  const created = new Node(kind, inputs);
  if (interned.size >= maximumInterned) interned.clear();
  interned.add(hash, created as unknown as Node);
  return created;
}

function sameNodes(a: readonly Node[], b: readonly Node[]): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/**
 * A leaf that is never shared: data, a version of a state variable, or a changing scalar.
 * @param origin for a state version: the value it was assigned, its only input until it is realized, and its variable
 */
export function leaf<K extends "data" | "state" | "scalar">(
  op: K,
  attributes: OpAttributes[K],
  type: ShapeAndDType,
  origin: { readonly definition?: Node; readonly source?: object } = {},
): Node<K> {
  const history = origin.definition === undefined ? noInputs : [origin.definition];
  const created = new Node(kindOf(op, {} as OpAttributes[K], type), history, attributes);
  created.source = origin.source ?? null;
  return created;
}

/** A node with the value of `x` that a gradient ends at; never shared, so that every such leaf has its own gradient. */
export function gradientLeaf(x: Node): Node {
  return new Node(kindOf("detach", { requiresGrad: true }, x.kind.type), [x]) as unknown as Node;
}

/** Forgets all interned nodes. Called at every flush. */
export function clearInterned(): void {
  interned.clear();
}

let walks = 0;

/**
 * All nodes that `roots` depend on, inputs first, in an order that depends on the structure of the graph alone.
 * `stop` cuts the walk: such a node is included but not entered. Until the next walk `position` is a node's place.
 */
export function depthFirstOrder(roots: readonly Node[], stop: (node: Node) => boolean): Node[] {
  const walk = ++walks;
  const order: Node[] = [];
  /** The way from a root to where the walk is, and which input of each node on it comes next. */
  const path: Node[] = [];
  const next: number[] = [];
  const enter = (node: Node): void => {
    if (node.walk === walk) return;
    node.walk = walk;
    if (node.inputs.length === 0 || stop(node)) {
      node.position = order.length;
      order.push(node);
    } else {
      path.push(node);
      next.push(0);
    }
  };
  for (const root of roots) {
    enter(root);
    for (let top = path.length - 1; top >= 0; top = path.length - 1) {
      const { inputs } = path[top];
      if (next[top] < inputs.length) {
        enter(inputs[next[top]++]);
      } else {
        const node = path[top];
        node.position = order.length;
        order.push(node);
        path.pop();
        next.pop();
      }
    }
  }
  return order;
}

/**
 * All nodes that `roots` depend on, inputs first, the oldest first. `stop` cuts the walk: such a node is included but
 * not entered. Until the next walk `position` is a node's place.
 */
export function topologicalOrder(roots: readonly Node[], stop: (node: Node) => boolean = () => false): Node[] {
  const walk = ++walks;
  const order: Node[] = [];
  const stack = [...roots];
  for (let current = stack.pop(); current !== undefined; current = stack.pop()) {
    if (current.walk === walk) continue;
    current.walk = walk;
    order.push(current);
    if (!stop(current)) for (const input of current.inputs) stack.push(input);
  }
  order.sort((a, b) => a.id - b.id);
  order.forEach((node, i) => {
    node.position = i;
  });
  return order;
}
