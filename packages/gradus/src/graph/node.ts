// Nodes of the immutable graph. Nodes are hash-consed: between two flushes the same operation on the same inputs is
// the same node, so common subexpressions are one node by construction. Ids grow with creation, so sorting by id is a
// topological order.

import { type DType, isFloat } from "./dtype.ts";
import { type Op, type OpAttributes, type ShapeAndDType, shapeRules } from "./ops.ts";
import type { Shape } from "./shape.ts";

let nextId = 1;

/** Interned nodes since the last flush; emptied there so that the table keeps nothing alive. */
const interned = new Map<string, Node>();
/** A program that never flushes must not grow the table without bound. */
const maximumInterned = 1 << 17;

/** Where a gradient ends: these ops carry `requiresGrad` themselves, whatever they are made of. */
const gradientLeaves: ReadonlySet<Op> = new Set<Op>(["data", "state", "detach"]);

/** One operation on other nodes, or a leaf. Everything but `value` and `history` is immutable. */
export class Node<K extends Op = Op> {
  readonly id = nextId++;
  /** True when a gradient can flow through this node to a leaf that requires one. */
  readonly requiresGrad: boolean;
  /** What the node computed, once it is realized: the device's buffer, opaque here. */
  value: object | null = null;
  /** What a leaf stands for (a state variable), opaque here. */
  source: object | null = null;

  constructor(
    readonly op: K,
    private history: readonly Node[],
    readonly attributes: OpAttributes[K],
    readonly shape: Shape,
    readonly dtype: DType,
    /** Operation, attributes, shape and dtype as text: equal for nodes that differ only in their inputs. */
    readonly signature: string,
  ) {
    this.requiresGrad = gradientLeaves.has(op)
      ? (attributes as OpAttributes["data"]).requiresGrad
      : isFloat(dtype) && history.some((node) => node.requiresGrad);
  }

  get inputs(): readonly Node[] {
    return this.history;
  }

  /** Forgets what a realized node was computed from, so that it no longer keeps its inputs alive. */
  forgetHistory(): void {
    this.history = [];
  }

  /** Whether a backward pass ends here. */
  get isGradientLeaf(): boolean {
    return gradientLeaves.has(this.op);
  }

  is<T extends Op>(op: T): this is Node<T> {
    return (this.op as Op) === op;
  }
}

function describeValue(value: unknown): string {
  if (Array.isArray(value)) return value.join(",");
  return Object.is(value, -0) ? "-0" : String(value);
}

function signatureOf(op: Op, attributes: object, result: ShapeAndDType): string {
  let text = `${op}:${result.dtype}[${result.shape.join(",")}]`;
  for (const [name, value] of Object.entries(attributes)) text += ` ${name}=${describeValue(value)}`;
  return text;
}

const anything: ShapeAndDType = { shape: [], dtype: "float32" };

/**
 * The node of an operation: an existing one if the same operation was asked for since the last flush.
 * @param wanted the result's shape and dtype, for ops that are free to choose them
 * @throws ShapeError, DTypeError as the op's shape rule says
 */
export function node<K extends Op>(
  op: K,
  inputs: readonly Node[],
  attributes: OpAttributes[K],
  wanted: ShapeAndDType = anything,
): Node<K> {
  const { shape, dtype } = shapeRules[op](inputs, attributes, wanted);
  const signature = signatureOf(op, attributes, { shape, dtype });
  let key = signature;
  for (const input of inputs) key += `;${input.id}`;
  const known = interned.get(key);
  if (known !== undefined) return known as Node<K>;
  const created = new Node(op, inputs, attributes, shape, dtype, signature);
  if (interned.size >= maximumInterned) interned.clear();
  interned.set(key, created as unknown as Node);
  return created;
}

/**
 * A leaf that is never shared: data, a version of a state variable, or a changing scalar.
 * @param origin for a state version: the value it was assigned, its only input until it is realized, and its variable
 */
export function leaf<K extends "data" | "state" | "scalar">(
  op: K,
  attributes: OpAttributes[K],
  { shape, dtype }: ShapeAndDType,
  origin: { definition?: Node; source?: object } = {},
): Node<K> {
  const history = origin.definition === undefined ? [] : [origin.definition];
  // A scalar's value is an input of the program, so it must not show in the signature.
  const created = new Node(op, history, attributes, shape, dtype, `${op}:${dtype}[${shape.join(",")}]`);
  created.source = origin.source ?? null;
  return created;
}

/** A node with the value of `x` that a gradient ends at; never shared, so that every such leaf has its own gradient. */
export function gradientLeaf(x: Node): Node {
  const { op, shape, dtype } = { op: "detach" as const, shape: x.shape, dtype: x.dtype };
  const attributes = { requiresGrad: true };
  return new Node(op, [x], attributes, shape, dtype, signatureOf(op, attributes, x)) as unknown as Node;
}

/** Forgets all interned nodes. Called at every flush. */
export function clearInterned(): void {
  interned.clear();
}

/** All nodes that `roots` depend on, inputs first, in an order that depends on the structure of the graph alone. */
export function depthFirstOrder(roots: readonly Node[], stop: (node: Node) => boolean): Node[] {
  const order: Node[] = [];
  const seen = new Set<Node>();
  const stack: { readonly node: Node; readonly inputs: readonly Node[]; next: number }[] = [];
  const enter = (node: Node): void => {
    if (seen.has(node)) return;
    seen.add(node);
    stack.push({ node, inputs: stop(node) ? [] : node.inputs, next: 0 });
  };
  for (const root of roots) {
    enter(root);
    for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
      if (top.next < top.inputs.length) {
        enter(top.inputs[top.next++]);
      } else {
        order.push(top.node);
        stack.pop();
      }
    }
  }
  return order;
}

/** All nodes that `roots` depend on, inputs first. `stop` cuts the walk: such a node is included but not entered. */
export function topologicalOrder(roots: readonly Node[], stop: (node: Node) => boolean = () => false): Node[] {
  const seen = new Set<Node>();
  const stack = [...roots];
  for (let current = stack.pop(); current !== undefined; current = stack.pop()) {
    if (seen.has(current)) continue;
    seen.add(current);
    if (!stop(current)) for (const input of current.inputs) stack.push(input);
  }
  return [...seen].sort((a, b) => a.id - b.id);
}
