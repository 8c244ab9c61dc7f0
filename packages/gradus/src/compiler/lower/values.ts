// From nodes to expressions: the value of a node at an index, pulled through views and maps down to what is stored.
// Views become index arithmetic, padding becomes a guard on the loads below it.

import {
  type Node,
  type Op,
  philoxKeySteps,
  philoxKeyTag,
  philoxMultipliers,
  philoxRounds,
} from "../../graph/index.ts";
import type { Builder } from "../builder.ts";
import { flatten, Index } from "../index-expression.ts";
import { type BufferReference, type Expression, kindOf } from "../ir.ts";
import { viewSource, views } from "../view-index.ts";
import { binaryRules, castTo, comparison, unaryRules, wrap } from "./elementwise.ts";

/** Where stored nodes lie; undefined for those that are computed where they are read. */
export interface Storage {
  readonly bufferOf: (node: Node) => BufferReference | undefined;
  /** The element of its buffer that holds a node's element. */
  readonly placeOf: (node: Node, at: readonly Index[]) => Index;
  /** Whether several nodes read this one. */
  readonly isShared: (node: Node) => boolean;
}

/** The same storage as seen by a kernel that has some nodes in registers. */
export function withoutOwn(storage: Storage, own: ReadonlySet<Node>): Storage {
  return { ...storage, bufferOf: (node) => (own.has(node) ? undefined : storage.bufferOf(node)) };
}

type Rule<K extends Op> = (scope: Values, node: Node<K>, at: readonly Index[], guard: Expression | null) => Expression;

const notInline = (_scope: Values, node: Node): never => {
  throw new Error(`internal: ${node.op} must be computed by a kernel of its own`);
};

export class Values {
  /** Values the kernel has in registers: reductions, contraction tiles, outputs computed before. */
  readonly registers = new Map<Node, Expression>();
  private readonly memo = new Map<string, Expression>();

  constructor(
    readonly build: Builder,
    readonly storage: Storage,
  ) {}

  /** The value of a node's element; loads happen only where the guard holds. */
  at(node: Node, at: readonly Index[], guard: Expression | null = null): Expression {
    const register = this.registers.get(node);
    if (register !== undefined) return register;
    const key = `${node.id}@${at.map((index) => index.key).join(",")}?${guard?.id ?? ""}`;
    let value = this.memo.get(key);
    if (value === undefined) {
      const buffer = this.storage.bufferOf(node);
      value =
        buffer === undefined
          ? (rules[node.op] as Rule<Op>)(this, node as Node<Op>, at, guard)
          : this.load(buffer, this.storage.placeOf(node, at), guard);
      this.memo.set(key, value);
    }
    return value;
  }

  /** Without the guard where the index is in range all the same. */
  private load(buffer: BufferReference, index: Index, guard: Expression | null): Expression {
    const inRange = index.minimum >= 0 && index.maximum < buffer.elements;
    return this.build.load(buffer, index, inRange ? null : guard);
  }

  /** Forgets what was derived from registers, when these take new values. */
  forget(): void {
    this.memo.clear();
  }
}

const mapInputs = (scope: Values, node: Node, at: readonly Index[], guard: Expression | null): Expression[] =>
  node.inputs.map((input) => scope.at(input, at, guard));

const throughView = (scope: Values, node: Node, at: readonly Index[], guard: Expression | null): Expression =>
  scope.at(node.inputs[0], viewSource(node, at), guard);

const rules: { readonly [K in Op]: Rule<K> } = {
  data: notInline,
  state: notInline,
  scalar: notInline,
  sum: notInline,
  max: notInline,
  argmax: notInline,
  fold: notInline,
  dot: notInline,
  conv: notInline,
  scatterAdd: notInline,
  concat: notInline,
  argsort: notInline,
  cumsum: notInline,
  full: ({ build }, node) => {
    const value = node.dtype === "bool" ? Number(node.attributes.value !== 0) : node.attributes.value;
    return wrap(build, build.constant(value, kindOf[node.dtype]), node.dtype);
  },
  iota: ({ build }, node, at) => castTo(build, build.index(at[node.attributes.axis]), node.dtype),
  random: (scope, node, at, guard) => philox(scope, node, flatten(at, node.shape), guard),
  unary: (scope, node, at, guard) =>
    wrap(scope.build, unaryRules[node.attributes.fn](scope.build, scope.at(node.inputs[0], at, guard)), node.dtype),
  binary: (scope, node, at, guard) => {
    const [a, b] = mapInputs(scope, node as unknown as Node, at, guard);
    const fused = node.dtype === "float32" ? fuseMultiplyAdd(scope, node, at, guard) : null;
    return fused ?? wrap(scope.build, binaryRules[node.attributes.fn](scope.build, a, b), node.dtype);
  },
  compare: (scope, node, at, guard) => {
    const [a, b] = mapInputs(scope, node as unknown as Node, at, guard);
    return comparison(scope.build, node.attributes.fn, a, b);
  },
  select: (scope, node, at, guard) => {
    const [condition, a, b] = mapInputs(scope, node as unknown as Node, at, guard);
    return scope.build.select(condition, a, b);
  },
  cast: (scope, node, at, guard) => castTo(scope.build, scope.at(node.inputs[0], at, guard), node.dtype),
  detach: (scope, node, at, guard) => scope.at(node.inputs[0], at, guard),
  reshape: throughView,
  permute: throughView,
  expand: throughView,
  slice: throughView,
  flip: throughView,
  pad: (scope, { inputs: [x], attributes: { low, interior, value }, dtype }, at, guard) => {
    const { build } = scope;
    let inside = build.constant(1, "bool");
    const source = at.map((index, axis) => {
      const step = interior[axis] + 1;
      const shifted = index.add(-low[axis]);
      inside = build.binary("and", inside, build.within(shifted, 0, (x.shape[axis] - 1) * step + 1));
      if (step === 1) return shifted;
      const remainder = shifted.modulo(step);
      inside = build.binary("and", inside, build.within(remainder, 0, 1));
      return shifted.dividedBy(step);
    });
    const known = inside.node.op === "constant" ? inside.node.values[0] : null;
    const padding = wrap(build, build.constant(value, kindOf[dtype]), dtype);
    if (known === 0) return padding;
    if (known === 1) return scope.at(x, source, guard);
    const both = guard === null ? inside : build.binary("and", guard, inside);
    const inner = scope.at(x, source, both);
    // A guarded load is 0 outside by itself.
    return value === 0 && inner.node.op === "load" && inner.node.guard !== null
      ? inner
      : build.select(inside, inner, padding);
  },
  window: throughView,
  gather: (scope, { inputs: [x, index], attributes: { axis } }, at, guard) => {
    const { build } = scope;
    const last = x.shape[axis] - 1;
    const computed = scope.at(index, at, guard);
    // What is not wanted must not be out of range: its index may be made of what was not loaded.
    const position = guard === null ? computed : build.select(guard, computed, build.constant(0, "i32"));
    const bounded = build.checked(position, last + 1);
    return scope.at(
      x,
      at.map((other, i) => (i === axis ? Index.value(bounded, last) : other)),
      guard,
    );
  },
};

/** Whether a node is a product that is computed for one reader alone. */
function isOwnProduct(scope: Values, node: Node): boolean {
  if (scope.storage.isShared(node) || scope.storage.bufferOf(node) !== undefined) return false;
  if (views.has(node.op)) return isOwnProduct(scope, node.inputs[0]);
  return node.is("binary") && node.attributes.fn === "mul";
}

/**
 * a * b + c rounded once, where the product is computed for this sum alone: one that others read is rounded like theirs,
 * so that a difference of equal numbers stays 0.
 */
function fuseMultiplyAdd(
  scope: Values,
  node: Node<"binary">,
  at: readonly Index[],
  guard: Expression | null,
): Expression | null {
  const { fn } = node.attributes;
  if (fn !== "add" && fn !== "sub") return null;
  const [a, b] = node.inputs.map((input) => scope.at(input, at, guard));
  const isProduct = (i: number, { node: { op } }: Expression): boolean =>
    op === "binary" && isOwnProduct(scope, node.inputs[i]);
  const { build } = scope;
  if (isProduct(0, a) && a.node.op === "binary" && a.node.fn === "mul") {
    return build.fma(a.node.a, a.node.b, fn === "add" ? b : build.unary("neg", b));
  }
  if (isProduct(1, b) && b.node.op === "binary" && b.node.fn === "mul") {
    return build.fma(fn === "add" ? b.node.a : build.unary("neg", b.node.a), b.node.b, a);
  }
  return null;
}

/** Philox 4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011), counter = element index. */
function philox(scope: Values, node: Node<"random">, element: Index, guard: Expression | null): Expression {
  const { build } = scope;
  const i32 = (value: number): Expression => build.constant(value | 0, "i32");
  const [seed, stream] = node.inputs.map((input) => scope.at(input, [], guard));
  let counter = [build.index(element), i32(0), stream, i32(0)];
  let key = [seed, i32(philoxKeyTag)];
  for (let round = 0; round < philoxRounds; round++) {
    const [m0, m1] = philoxMultipliers.map(i32);
    const product = (a: Expression, m: Expression): [Expression, Expression] => [
      build.binary("multiplyHigh", a, m),
      build.binary("mul", a, m),
    ];
    const [high0, low0] = product(counter[0], m0);
    const [high1, low1] = product(counter[2], m1);
    const mix = (high: Expression, word: Expression, k: Expression): Expression =>
      build.binary("xor", build.binary("xor", high, word), k);
    counter = [mix(high1, counter[1], key[0]), low1, mix(high0, counter[3], key[1]), low0];
    key = key.map((word, i) => build.binary("add", word, i32(philoxKeySteps[i])));
  }
  return counter[node.attributes.word];
}
