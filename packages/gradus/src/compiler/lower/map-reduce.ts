// Lowering of map and reduce kernels: loops over the results, within them loops over what is reduced, vectors along the
// dimension in which memory is contiguous.

import { type Node, sizeOf } from "../../graph/index.ts";
import { loopsOf, reducedElement, reducedShape } from "../access.ts";
import { Builder } from "../builder.ts";
import { flatten, Index, LoopVariable, unflatten } from "../index-expression.ts";
import {
  type BufferReference,
  type Expression,
  expressionsIn,
  indicesOf,
  kindOf,
  loop,
  Register,
  type Statement,
} from "../ir.ts";
import type { Kernel } from "../kernel.ts";
import type { Target } from "../target.ts";
import {
  type Accumulator,
  accumulate,
  combine,
  combineAll,
  inBlocks,
  keepBest,
  lowest,
  ordered,
  startOf,
  unorderedFor,
} from "./accumulators.ts";
import { type Domain, normalize, replace } from "./domain.ts";
import { type Storage, Values, withoutOwn } from "./values.ts";
import { storeVector, vectorize } from "./vectorize.ts";

/** All stores of a node: a program may want one value in several places. */
export type Stores = (node: Node) => readonly BufferReference[];

export function lowerMapReduce(kernel: Kernel, storage: Storage, stores: Stores, target: Target): Statement[] {
  const own = new Set([...kernel.outputs, ...kernel.anchors]);
  const values = new Values(new Builder(), withoutOwn(storage, own));
  return new MapReduce(kernel, values, stores, target).lower();
}

/** Vectors that the reductions of a loop are spread over, to hide the latency of an addition. */
const sumVectors = 4;

/** Results that a row of merged ones has at least, where there are so many. */
const longRow = 256;

/** How much more an access counts that is made for every element of a reduction. */
const innerWeight = 8;

/** How a kernel is part of another: by default it is none. */
export interface Placement {
  /** Where in a buffer the result at `at` goes. */
  readonly place: (at: readonly Index[], buffer: BufferReference) => Index;
  /** Axes of the kernel's shape that others loop over. */
  readonly pinned: ReadonlyMap<number, Index>;
  /** Registers for results that are one number. */
  readonly held: ReadonlyMap<Node, Register>;
  /** Whether the kernel's own loops may be shared among threads. */
  readonly shares: boolean;
}

function alone(kernel: Kernel): Placement {
  return { place: (at) => flatten(at, kernel.shape), pinned: new Map(), held: new Map(), shares: true };
}

/** Loops that copy a node's value to places of a buffer. */
export function lowerCopy(
  node: Node,
  buffers: readonly BufferReference[],
  place: (at: readonly Index[]) => Index,
  storage: Storage,
  target: Target,
): Statement[] {
  const kernel: Kernel = { kind: "map", shape: node.shape, anchors: [], outputs: [node], reads: new Set() };
  const values = new Values(new Builder(), storage);
  return new MapReduce(kernel, values, () => buffers, target, { ...alone(kernel), place }).lower();
}

export class MapReduce {
  private readonly build: Builder;
  private readonly accumulators: Accumulator[] = [];
  private readonly domain: Domain;
  private readonly stored: { readonly buffer: BufferReference; readonly slot: number; readonly value: number }[] = [];
  private readonly held: { readonly register: Register; readonly value: number }[] = [];

  constructor(
    kernel: Kernel,
    private readonly values: Values,
    stores: Stores,
    private readonly target: Target,
    private readonly placement: Placement = alone(kernel),
  ) {
    const { build } = values;
    this.build = build;
    const { pinned, held, place } = placement;
    const { outer: variables, inner: reduced } = loopsOf(kernel);
    const inner = [...reduced];
    const at = variables.map((variable, axis) => pinned.get(axis) ?? Index.variable(variable));
    const outer = variables.filter((_, axis) => !pinned.has(axis));
    const summands = kernel.anchors.map((anchor) =>
      this.reduce(
        anchor,
        at,
        inner.map((v) => Index.variable(v)),
      ),
    );
    const flat = flatten(at, kernel.shape);
    const results: Expression[] = [];
    const indices: Index[] = [];
    for (const node of kernel.outputs) {
      const value = this.values.at(node, unflatten(flat, node.shape));
      // Later outputs use the value from its register instead of computing it again.
      if (!kernel.anchors.includes(node)) this.values.registers.set(node, value);
      for (const buffer of stores(node)) {
        this.stored.push({ buffer, slot: indices.length, value: summands.length + results.length });
        indices.push(place(at, buffer));
      }
      const register = held.get(node);
      if (register !== undefined) this.held.push({ register, value: summands.length + results.length });
      results.push(value);
    }
    this.domain = { outer, inner, values: [...summands, ...results], indices };
    // argmax positions take part in the rewriting of loops as values do.
    for (const accumulator of this.accumulators) {
      if (accumulator.position !== null) this.domain.values.push(build.index(accumulator.position.at));
    }
    normalize(build, this.domain);
    if (target.fullVectors) this.mergeShortRows();
  }

  /**
   * Results that lie side by side in rows shorter than two vectors become one long row, whose vectors run across the ends
   * of the short ones.
   */
  private mergeShortRows(): void {
    const { domain, build } = this;
    const { lanes } = this.target;
    const { outer, inner, indices, values } = domain;
    const fast = outer[outer.length - 1];
    const reduced = sizeOf(inner.map((variable) => variable.extent));
    if (fast === undefined || fast.extent >= 2 * lanes || fast.extent % lanes === 0 || reduced >= lanes) return;
    if ([...expressionsIn(values)].some(({ kind }) => kind === "f64")) return;
    let first = outer.length - 1;
    let extent = fast.extent;
    if (!indices.every((index) => index.coefficientOf(fast) === 1)) return;
    while (first > 0 && extent < longRow && indices.every((index) => index.coefficientOf(outer[first - 1]) === extent))
      extent *= outer[--first].extent;
    if (first === outer.length - 1) return;
    const merged = outer.slice(first);
    const row = new LoopVariable(merged.map(({ name }) => name).join(""), extent);
    const places = unflatten(
      Index.variable(row),
      merged.map((variable) => variable.extent),
    );
    for (const [i, variable] of merged.entries()) replace(build, domain, variable, places[i]);
    domain.outer = [...outer.slice(0, first), row];
  }

  /** Opens an accumulator for a reduction and gives the value of one element. */
  private reduce(anchor: Node, at: readonly Index[], inner: readonly Index[]): Expression {
    const kind = kindOf[anchor.op === "argmax" ? anchor.inputs[0].dtype : anchor.dtype];
    const register = new Register(`acc${anchor.id}`, kind, 1);
    const position =
      anchor.op === "argmax"
        ? { register: new Register(`pos${anchor.id}`, "i32", 1), at: flatten(inner, reducedShape(anchor)) }
        : null;
    const start = anchor.op === "sum" || anchor.op === "fold" ? 0 : lowest[kind];
    this.accumulators.push({ node: anchor, register, start, position });
    this.values.registers.set(anchor, this.build.read(position?.register ?? register));
    return this.element(anchor, at, inner);
  }

  private element(anchor: Node, at: readonly Index[], inner: readonly Index[]): Expression {
    const [x] = anchor.inputs;
    if (anchor.is("fold")) return this.foldElement(anchor, at, inner);
    return this.values.at(x, reducedElement(anchor, at, inner));
  }

  /** What window element `inner` adds to the result at `at`: the windows that read it there. */
  private foldElement(anchor: Node<"fold">, at: readonly Index[], inner: readonly Index[]): Expression {
    const { build } = this;
    const [x] = anchor.inputs;
    const { axes, stride, dilation } = anchor.attributes;
    let guard = build.constant(1, "bool");
    const source = [...at];
    axes.forEach((axis, i) => {
      const offset = at[axis].subtract(inner[i].multiply(dilation[i]));
      const count = x.shape[axis];
      guard = build.binary("and", guard, build.within(offset, 0, (count - 1) * stride[i] + 1));
      if (stride[i] > 1) guard = build.binary("and", guard, build.within(offset.modulo(stride[i]), 0, 1));
      source[axis] = offset.dividedBy(stride[i]);
    });
    const inside = guard.node.op === "constant" ? null : guard;
    const value = this.values.at(x, [...source, ...inner], inside);
    return inside === null ? value : build.select(inside, value, build.constant(0, value.kind));
  }

  /** An estimate of the arithmetic of all loops. */
  get cost(): number {
    const { outer, inner, values } = this.domain;
    return sizeOf([...outer, ...inner].map((variable) => variable.extent)) * expressionsIn(values).size;
  }

  lower(): Statement[] {
    const { outer } = this.domain;
    const { cost } = this;
    const parallel = this.placement.shares && cost >= this.target.parallelThreshold;
    const { lanes } = this.target;
    const along = this.vectorLoop(lanes);
    let body: Statement[];
    let loops = outer;
    if (along !== null && outer.includes(along)) {
      // Results do not depend on each other, so any of their loops can be the innermost.
      loops = outer.filter((variable) => variable !== along);
      const blocks = Math.floor(along.extent / lanes);
      const whole = blocks * lanes;
      const shared = { parallel: parallel && loops.length === 0, cost };
      if (this.target.fullVectors) {
        // That a vector begins at a multiple of the lanes tells where it crosses the end of a row.
        const block = new LoopVariable(along.name, blocks);
        const base = Index.variable(block).multiply(lanes);
        body = blocks === 0 ? [] : [loop(block, this.results({ along, base, lanes }), shared)];
      } else {
        const vectors = this.results({ along, base: Index.variable(along), lanes });
        body = [loop(along, vectors, { to: Index.constant(whole), step: lanes, ...shared })];
      }
      if (whole < along.extent) body.push(loop(along, this.results(null), { from: Index.constant(whole) }));
    } else {
      body = this.results(along === null ? null : { along, base: Index.variable(along), lanes });
    }
    for (let i = loops.length - 1; i >= 0; i--) body = [loop(loops[i], body, { parallel: parallel && i === 0, cost })];
    return body;
  }

  /** The loop for vectors: the one along which most accesses are contiguous, of those that are long enough. */
  private vectorLoop(lanes: number): LoopVariable | null {
    const { outer, inner, values, indices } = this.domain;
    if (lanes === 1 || [...expressionsIn(values)].some(({ kind }) => kind === "f64")) return null;
    const accesses = [...indicesOf(values), ...indices];
    const score = (variable: LoopVariable | undefined): number => {
      if (variable === undefined || variable.extent < lanes) return Number.NEGATIVE_INFINITY;
      let points = 0;
      for (const index of accesses) {
        const step = index.coefficientOf(variable);
        const weight = inner.some((other) => index.dependsOn(other)) ? innerWeight : 1;
        if (step === 1) points += weight;
        else if (step !== 0) points -= weight / 2;
      }
      return points;
    };
    const last = outer[outer.length - 1];
    // The innermost loop over results, unless it is a short one that a split has left.
    const byResult =
      last === undefined || last.extent >= lanes
        ? last
        : outer.reduce((best, other) => (score(other) >= score(best) ? other : best), last);
    const byElement = inner[inner.length - 1];
    const hasArgmax = this.accumulators.some(({ position }) => position !== null);
    const [outerScore, innerScore] = [score(byResult), hasArgmax ? Number.NEGATIVE_INFINITY : score(byElement)];
    if (innerScore > 0 && innerScore > outerScore) return byElement;
    const storesVectors = byResult !== undefined && indices.some((index) => index.coefficientOf(byResult) === 1);
    const longEnough = outerScore > Number.NEGATIVE_INFINITY;
    const worthwhile = outerScore > 0 || (longEnough && (inner.length === 0 || storesVectors));
    return worthwhile ? (byResult ?? null) : null;
  }

  /** Statements for one result, or for a vector of results, or for one result reduced by vectors. */
  private results(vector: { along: LoopVariable; base: Index; lanes: number } | null): Statement[] {
    const byElement = vector !== null && this.domain.inner.includes(vector.along);
    const width = vector !== null && !byElement ? vector.lanes : 1;
    const registers = new Map<Register, Register>();
    const widen = (register: Register): Register => {
      if (width === 1) return register;
      const wide = new Register(`${register.name}v`, register.kind, width);
      registers.set(register, wide);
      return wide;
    };
    for (const { register, position } of this.accumulators) {
      widen(register);
      if (position !== null) widen(position.register);
    }
    const take = (value: Expression): Expression =>
      width === 1 ? value : vectorize(this.build, value, vector!.along, vector!.base, this.target, registers);
    const statements: Statement[] = [];
    if (this.accumulators.length > 0) {
      statements.push(
        ...(byElement ? this.reduceByVectors(vector!.along, vector!.lanes) : this.reduceOneByOne(take, registers)),
      );
    }
    for (const { buffer, slot, value } of this.stored) {
      const index = this.domain.indices[slot];
      const result = take(this.domain.values[value]);
      if (width === 1) statements.push({ op: "store", buffer, index, value: result });
      else statements.push(...storeVector(this.build, buffer, index, result, vector!.along, vector!.base, this.target));
    }
    for (const { register, value } of this.held)
      statements.push({ op: "assign", register, value: this.domain.values[value] });
    return statements;
  }

  private nest(loops: readonly LoopVariable[], body: readonly Statement[]): readonly Statement[] {
    return loops.reduceRight<readonly Statement[]>((inside, variable) => [loop(variable, inside)], body);
  }

  private reduceOneByOne(take: (value: Expression) => Expression, wide: ReadonlyMap<Register, Register>): Statement[] {
    const { build } = this;
    const starts: Statement[] = [];
    const body: Statement[] = [];
    const ends: Statement[] = [];
    let nextPosition = this.domain.values.length - this.accumulators.filter(({ position }) => position !== null).length;
    this.accumulators.forEach(({ node, register, start, position }, i) => {
      const target = wide.get(register) ?? register;
      const element = take(this.domain.values[i]);
      starts.push(startOf(build, target, start));
      if (position === null) {
        const unordered = unorderedFor(node, target);
        body.push(...accumulate(build, node, target, element, unordered));
        if (unordered === null) return;
        starts.push(startOf(build, unordered, 0));
        ends.push({ op: "assign", register: target, value: ordered(build, build.read(target), unordered) });
        return;
      }
      const place = wide.get(position.register) ?? position.register;
      starts.push(startOf(build, place, 0));
      body.push(...keepBest(build, target, place, element, take(this.domain.values[nextPosition++])));
    });
    const { inner } = this.domain;
    const last = inner[inner.length - 1];
    if (last === undefined) return [...starts, ...body, ...ends];
    const sums = this.accumulators.map((sum) => ({ ...sum, register: wide.get(sum.register) ?? sum.register }));
    return [...starts, ...this.nest(inner.slice(0, -1), inBlocks(build, last, last.extent, 1, body, sums)), ...ends];
  }

  /** Vector accumulators along a reduced loop, several to hide latency; combined at the end. */
  private reduceByVectors(along: LoopVariable, lanes: number): Statement[] {
    const { build } = this;
    const outside = this.domain.inner.filter((variable) => variable !== along);
    const unrolled = along.extent >= 8 * lanes ? Math.max(1, Math.floor(sumVectors / this.accumulators.length)) : 1;
    const starts: Statement[] = [];
    const wide: Statement[] = [];
    const single: Statement[] = [];
    const rest: Statement[] = [];
    const ends: Statement[] = [];
    const partialSums: Accumulator[] = [];
    const base = Index.variable(along);
    this.accumulators.forEach(({ node, register, start, position }, i) => {
      const partial = Array.from(
        { length: unrolled },
        (_, u) => new Register(`${register.name}p${u}`, register.kind, lanes),
      );
      const unordered = partial.map((part) => unorderedFor(node, part));
      for (const part of partial) starts.push(startOf(build, part, start));
      for (const flags of unordered) if (flags !== null) starts.push(startOf(build, flags, 0));
      partialSums.push(...partial.map((part) => ({ node, register: part, start, position })));
      starts.push(startOf(build, register, start));
      const element = this.domain.values[i];
      partial.forEach((part, u) => {
        const elements = vectorize(build, element, along, base.add(u * lanes), this.target);
        wide.push(...accumulate(build, node, part, elements, unordered[u]));
      });
      single.push(
        ...accumulate(build, node, partial[0], vectorize(build, element, along, base, this.target), unordered[0]),
      );
      rest.push(...accumulate(build, node, register, element));
      const reads = partial.map((part, u) => ordered(build, build.read(part), unordered[u]));
      const total = combineAll(build, node, reads);
      const scalar = combineAll(
        build,
        node,
        Array.from({ length: lanes }, (_, lane) => build.lane(total, lane)),
      );
      ends.push({ op: "assign", register, value: combine(build, node, build.read(register), scalar) });
    });
    const whole = Math.floor(along.extent / lanes) * lanes;
    const unrolledEnd = unrolled === 1 ? 0 : Math.floor(along.extent / (lanes * unrolled)) * lanes * unrolled;
    const body: Statement[] = [];
    const unrolledStep = lanes * unrolled;
    if (unrolledEnd > 0) body.push(...inBlocks(build, along, unrolledEnd, unrolledStep, wide, partialSums));
    if (unrolledEnd === 0 && whole > 0) body.push(...inBlocks(build, along, whole, lanes, single, partialSums));
    else if (unrolledEnd < whole)
      body.push(loop(along, single, { from: Index.constant(unrolledEnd), to: Index.constant(whole), step: lanes }));
    if (whole < along.extent) body.push(loop(along, rest, { from: Index.constant(whole) }));
    return [...starts, ...this.nest(outside, body), ...ends];
  }
}
