// How reductions accumulate: what a sum, a maximum or the place of one starts from, takes in and combines.

import type { Node } from "../../graph/index.ts";
import type { Builder } from "../builder.ts";
import { Index, LoopVariable } from "../index-expression.ts";
import { type Expression, type Kind, loop, Register, type Statement } from "../ir.ts";

/** How partial results combine, and what they start from. */
export interface Accumulator {
  readonly node: Node;
  readonly register: Register;
  readonly start: number;
  /** For argmax: the position of the best value, kept beside it. */
  readonly position: { readonly register: Register; readonly at: Index } | null;
}

export const lowest: { readonly [K in Kind]: number } = {
  f32: Number.NEGATIVE_INFINITY,
  f64: Number.NEGATIVE_INFINITY,
  i32: -(2 ** 31),
  bool: 0,
};

export function startOf(build: Builder, register: Register, start: number): Statement {
  const value = build.splat(build.constant(start, register.kind), register.lanes);
  return { op: "assign", register, value };
}

/**
 * Takes an element in. A vector's maximum that lets NaN through takes many instructions, so with a register for `unordered`
 * it is the simple maximum, and which lanes have met a NaN is noted there.
 */
export function accumulate(
  build: Builder,
  node: Node,
  register: Register,
  element: Expression,
  unordered: Register | null = null,
): Statement[] {
  if (unordered !== null) {
    const isUnordered = build.compare("ne", element, element);
    return [
      { op: "assign", register, value: build.binary("atLeast", build.read(register), element) },
      { op: "assign", register: unordered, value: build.binary("or", build.read(unordered), isUnordered) },
    ];
  }
  const before = build.read(register);
  let value: Expression;
  if (node.op === "max") value = build.binary(register.kind === "bool" ? "or" : "max", before, element);
  else if (register.kind === "bool") value = build.binary("or", before, element);
  else if (register.kind === "f32" && element.node.op === "binary" && element.node.fn === "mul") {
    value = build.fma(element.node.a, element.node.b, before);
  } else value = build.binary("add", before, element);
  return [{ op: "assign", register, value: build.splat(value, register.lanes) }];
}

/** Where an accumulator notes NaN; null where it has no need to. */
export function unorderedFor(node: Node, { name, kind, lanes }: Register): Register | null {
  return node.op === "max" && kind === "f32" && lanes > 1 ? new Register(`${name}n`, "bool", lanes) : null;
}

/** A maximum, or NaN where one was met. */
export function ordered(build: Builder, maximum: Expression, unordered: Register | null): Expression {
  if (unordered === null) return maximum;
  return build.select(build.read(unordered), build.constant(Number.NaN, "f32"), maximum);
}

/** argmax: a larger value takes the place, the first NaN keeps it. */
export function keepBest(
  build: Builder,
  best: Register,
  place: Register,
  element: Expression,
  position: Expression,
): Statement[] {
  const before = build.read(best);
  const comparable =
    best.kind === "bool" ? [build.convert(before, "i32"), build.convert(element, "i32")] : [before, element];
  let better = build.compare("lt", comparable[0], comparable[1]);
  if (best.kind === "f32" || best.kind === "f64") {
    const isNaNNow = build.unary("not", build.compare("eq", element, element));
    const wasNumber = build.compare("eq", before, before);
    better = build.binary("or", better, build.binary("and", isNaNNow, wasNumber));
  }
  // Both are decided before either is assigned.
  const chosenPlace = build.splat(build.select(better, position, build.read(place)), place.lanes);
  const chosen = build.splat(build.select(better, element, before), best.lanes);
  return [
    { op: "assign", register: place, value: chosenPlace },
    { op: "assign", register: best, value: chosen },
  ];
}

export function combine(build: Builder, node: Node, a: Expression, b: Expression): Expression {
  if (a.kind === "bool") return build.binary("or", a, b);
  return build.binary(node.op === "max" ? "max" : "add", a, b);
}

/** Pairwise, so that the rounding errors of a sum stay even. */
export function combineAll(build: Builder, node: Node, values: readonly Expression[]): Expression {
  if (values.length === 1) return values[0];
  const half = values.length >> 1;
  return combine(
    build,
    node,
    combineAll(build, node, values.slice(0, half)),
    combineAll(build, node, values.slice(half)),
  );
}

/** Steps of a loop after which the sums so far are put aside. */
const blockSteps = 512;

/**
 * A loop whose sums are taken block by block, and then of the blocks: the error of a sum of n numbers grows with the
 * length of a block and the number of blocks instead of n (Higham, "The accuracy of floating point summation", 1993).
 */
export function inBlocks(
  build: Builder,
  along: LoopVariable,
  end: number,
  step: number,
  body: readonly Statement[],
  sums: readonly Accumulator[],
): Statement[] {
  const inexact = sums.some(({ node, register }) => node.op !== "max" && register.kind === "f32");
  const simple = sums.every(({ position }) => position === null);
  if (end <= 2 * blockSteps * step || !inexact || !simple)
    return [loop(along, body, { to: Index.constant(end), step })];
  const block = new LoopVariable(`${along.name}b`, along.extent);
  const first = Index.variable(block);
  const stop = build.binary("min", build.index(first.add(blockSteps * step)), build.constant(end, "i32"));
  const inside = loop(along, body, { from: first, to: Index.value(stop, end), step });
  const levels = sums.map(({ register }) => new Register(`${register.name}b`, register.kind, register.lanes));
  const carry = sums.flatMap(({ node, register, start }, i): Statement[] => [
    { op: "assign", register: levels[i], value: combine(build, node, build.read(levels[i]), build.read(register)) },
    startOf(build, register, start),
  ]);
  return [
    ...sums.map(({ start }, i) => startOf(build, levels[i], start)),
    loop(block, [inside, ...carry], { to: Index.constant(end), step: blockSteps * step }),
    ...sums.map(({ register }, i): Statement => ({ op: "assign", register, value: build.read(levels[i]) })),
  ];
}
