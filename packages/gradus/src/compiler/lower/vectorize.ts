// From scalar to vector expressions: the value of an expression at `lanes` consecutive values of one loop variable.
// What does not depend on the variable stays scalar; loads next to each other become vector loads, others are gathered
// lane by lane.

import type { Builder } from "../builder.ts";
import { Index, LoopVariable } from "../index-expression.ts";
import { type BufferReference, type Expression, indicesOf, operandsOf, type Register, type Statement } from "../ir.ts";
import type { Target } from "../target.ts";

/**
 * An expression with a loop variable replaced by an index.
 * @param lane what a scalar register is replaced by, where it stands for one lane of a vector
 */
export function substitute(
  build: Builder,
  root: Expression,
  variable: LoopVariable,
  by: Index,
  lane: (register: Register) => Expression | null = () => null,
): Expression {
  const memo = new Map<Expression, Expression>();
  const visit = (expression: Expression): Expression => {
    const { node } = expression;
    if (!expression.variables.has(variable) && expression.registers.size === 0) return expression;
    let result = memo.get(expression);
    if (result === undefined) {
      const replaced = node.op === "read" ? lane(node.register) : null;
      result = replaced ?? rebuild(build, expression, visit, (index) => index.substitute(variable, by, visit));
      memo.set(expression, result);
    }
    return result;
  };
  return visit(root);
}

/** An index with a loop variable replaced, also within values loaded at run time. */
export function substituteIndex(build: Builder, index: Index, variable: LoopVariable, by: Index): Index {
  return index.substitute(variable, by, (value) => substitute(build, value, variable, by));
}

/** The same operation on operands and indices that were mapped. */
export function rebuild(
  build: Builder,
  { node, kind, lanes }: Expression,
  map: (operand: Expression) => Expression,
  mapIndex: (index: Index) => Index,
): Expression {
  switch (node.op) {
    case "constant":
      return build.vectorConstant(node.values, kind);
    case "read":
      return build.read(node.register);
    case "index":
      return build.index(mapIndex(node.index));
    case "load":
      return build.load(node.buffer, mapIndex(node.index), node.guard === null ? null : map(node.guard), lanes);
    case "gather":
      return build.gather(node.buffer, map(node.at), node.guard === null ? null : map(node.guard));
    case "unary":
      return build.unary(node.fn, map(node.x));
    case "binary":
      return build.binary(node.fn, map(node.a), map(node.b));
    case "compare":
      return build.compare(node.fn, map(node.a), map(node.b));
    case "select":
      return build.select(map(node.condition), map(node.a), map(node.b));
    case "choose":
      return build.choose(map(node.condition), map(node.a), map(node.b));
    case "fma":
      return build.fma(map(node.a), map(node.b), map(node.c));
    case "convert":
      return build.convert(map(node.x), kind);
    case "bitcast":
      return build.bitcast(map(node.x), kind);
    case "call":
      return build.call(node.fn, node.args.map(map));
    case "splat":
      return build.splat(map(node.x), lanes);
    case "shuffle":
      return build.shuffle(map(node.a), map(node.b), node.pattern);
    case "gatherLanes":
      return build.gatherLanes(node.elements.map(map));
    case "checked":
      return build.checked(map(node.x), node.limit);
    case "lane":
      return build.lane(map(node.x), node.lane);
    case "variable":
      return build.variable(node.variable);
    case "base":
      return build.base(node.buffer);
    case "fetch":
      return build.fetch(
        node.buffer,
        map(node.address),
        node.offset,
        node.guard === null ? null : map(node.guard),
        lanes,
      );
  }
}

/**
 * @param base where the vector begins: the variable's value in lane 0
 * @param registers vector registers in place of scalar ones (accumulators)
 */
export function vectorize(
  build: Builder,
  root: Expression,
  variable: LoopVariable,
  base: Index,
  { lanes, fullVectors }: Target,
  registers: ReadonlyMap<Register, Register> = new Map(),
): Expression {
  const memo = new Map<Expression, Expression>();
  const laneOf = (expression: Expression, lane: number): Expression =>
    substitute(build, expression, variable, base.add(lane), (register) => {
      const wide = registers.get(register);
      return wide === undefined ? null : build.lane(build.read(wide), lane);
    });
  const gather = (expression: Expression): Expression =>
    build.gatherLanes(Array.from({ length: lanes }, (_, lane) => laneOf(expression, lane)));
  const visit = (expression: Expression): Expression => {
    const { node } = expression;
    const replaced = node.op === "read" ? registers.get(node.register) : undefined;
    if (replaced !== undefined) return build.read(replaced);
    if (!expression.variables.has(variable) && expression.registers.size === 0) return expression;
    let result = memo.get(expression);
    if (result === undefined) {
      result = convert(expression);
      memo.set(expression, result);
    }
    return result;
  };
  const convert = (expression: Expression): Expression => {
    const { node } = expression;
    if (node.op === "index") {
      const step = node.index.coefficientOf(variable);
      if (step !== null)
        return build.binary("add", build.index(substituteIndex(build, node.index, variable, base)), ramp(step));
      return fullVectors ? anyIndex(node.index) : (affineIndex(node.index) ?? gather(expression));
    }
    if (node.op === "load") return vectorizeLoad(expression);
    if (expression.kind === "f64" || operandsOf(node).some((operand) => operand.kind === "f64"))
      return gather(expression);
    if (
      !fullVectors &&
      node.op === "binary" &&
      (node.fn === "multiplyHigh" || node.fn === "remainder" || (node.fn === "div" && node.a.kind === "i32"))
    )
      return lanewise(expression);
    return rebuild(build, expression, visit, (index) => index);
  };
  /** An operation that vectors do not have, on the lanes of its vector operands. */
  const lanewise = (expression: Expression): Expression => {
    if (expression.node.op !== "binary") return gather(expression);
    const { fn } = expression.node;
    const [a, b] = [visit(expression.node.a), visit(expression.node.b)];
    return build.gatherLanes(
      Array.from({ length: lanes }, (_, lane) => build.binary(fn, build.lane(a, lane), build.lane(b, lane))),
    );
  };
  const ramp = (step: number): Expression =>
    build.vectorConstant(
      Array.from({ length: lanes }, (_, lane) => lane * step),
      "i32",
    );
  /** Quotients and remainders whose vector, which is short, lies within one period are affine after all. */
  const affineIndex = (index: Index): Expression | null => {
    const [first, second, last] = [0, 1, lanes - 1].map((lane) =>
      substituteIndex(build, index, variable, base.add(lane)),
    );
    const step = second.subtract(first);
    if (!step.isConstant || last.subtract(first).key !== step.multiply(lanes - 1).key) return null;
    return build.binary("add", build.splat(build.index(first), lanes), ramp(step.constant));
  };
  /** What does not depend on the lane stays a number; the rest is arithmetic on vectors. */
  const anyIndex = (whole: Index): Expression => {
    const lane = new LoopVariable("lane", lanes);
    const changes = (value: Expression): boolean => value.variables.has(variable) || value.registers.size > 0;
    const visitIndex = (index: Index): Expression => {
      let fixed = Index.constant(index.constant);
      let sum: Expression | null = null;
      for (const { atom, coefficient } of index.terms) {
        let part: Expression;
        if (atom.kind === "variable" && atom.variable === lane) part = ramp(1);
        else if (atom.kind === "value" && changes(atom.value)) part = visit(atom.value);
        else if ((atom.kind === "quotient" || atom.kind === "remainder") && indexChanges(atom.of))
          part = divided(build, visitIndex(atom.of), atom.kind, atom.by);
        else {
          fixed = fixed.add(Index.ofAtom(atom).multiply(coefficient));
          continue;
        }
        const product = build.binary("mul", part, build.constant(coefficient, "i32"));
        sum = sum === null ? product : build.binary("add", sum, product);
      }
      return sum === null ? build.index(fixed) : build.binary("add", sum, build.index(fixed));
    };
    const indexChanges = (index: Index): boolean =>
      index.terms.some(({ atom }) => {
        if (atom.kind === "variable") return atom.variable === lane;
        return atom.kind === "value" ? changes(atom.value) : indexChanges(atom.of);
      });
    return visitIndex(whole.substitute(variable, base.add(Index.variable(lane)), (value) => value));
  };
  /** Lanes at constant distances from each other, where a few loads hold them all. */
  const pick = (buffer: BufferReference, at: Expression): Expression | null => {
    const known = distances(build, at);
    if (known === null) return null;
    const { first, offsets } = known;
    const starts: number[] = [];
    for (const offset of [...offsets].sort((x, y) => x - y)) {
      if (starts.length === 0 || offset >= starts[starts.length - 1] + lanes) starts.push(offset);
    }
    if (starts.length > loadsOfAPick) return null;
    const base = Index.value(first, Number.MAX_SAFE_INTEGER);
    const [one, two = one, ...more] = starts.map((start) => ({
      vector: build.load(buffer, base.add(start), null, lanes),
      laneOf: (offset: number): number | null => (offset >= start && offset < start + lanes ? offset - start : null),
    }));
    const ofTwo = offsets.map((offset) => one.laneOf(offset) ?? lanes + (two.laneOf(offset) ?? 0));
    return more.reduce(
      (picked, { vector, laneOf }) => {
        const pattern = offsets.map((offset, lane) => {
          const from = laneOf(offset);
          return from === null ? lane : lanes + from;
        });
        return build.shuffle(picked, vector, pattern);
      },
      build.shuffle(one.vector, two.vector, ofTwo),
    );
  };
  const vectorizeLoad = (expression: Expression): Expression => {
    const { node } = expression;
    if (node.op !== "load") return expression;
    const { buffer, index, guard } = node;
    if (buffer.dtype === "float64") return gather(expression);
    const gatherAny = (): Expression => {
      if (!fullVectors) return gather(expression);
      const at = build.splat(visit(build.index(index)), lanes);
      const picked = guard === null ? pick(buffer, at) : null;
      if (picked !== null) return picked;
      return build.gather(buffer, at, guard === null ? null : build.splat(visit(guard), lanes));
    };
    if (guard === null && !index.dependsOn(variable)) return gatherAny();
    // Where lanes lie by other rules than a constant step, picking finds those that lie side by side.
    if (fullVectors && index.coefficientOf(variable) !== 1 && (guard === null || !guard.variables.has(variable)))
      return gatherAny();
    const at = (lane: number): Index => substituteIndex(build, index, variable, base.add(lane));
    if (index.coefficientOf(variable) !== 1) {
      const adjacent = Array.from({ length: lanes - 1 }, (_, i) => at(i + 1).subtract(at(i)).key);
      const one = Index.constant(1).key;
      if (!adjacent.every((key) => key === one)) return gatherAny();
    }
    if (guard === null) return build.load(buffer, at(0), null, lanes);
    if (!guard.variables.has(variable)) {
      return build.load(buffer, at(0), guard, lanes);
    }
    // A guard is a conjunction of bounds. Where what is bounded grows evenly from lane to lane, it holds for all lanes if
    // it holds for the first and the last.
    if (fullVectors && indicesOf([guard]).some((bounded) => bounded.coefficientOf(variable) === null))
      return gatherAny();
    const inside = build.binary("and", laneOf(guard, 0), laneOf(guard, lanes - 1));
    return build.choose(inside, build.load(buffer, at(0), null, lanes), gatherAny());
  };
  return build.splat(visit(root), lanes);
}

/** Loads in which lanes are looked for: with more, a load for each lane is as good. */
const loadsOfAPick = 4;

/** A vector of indices as distances from a number. */
function distances(
  build: Builder,
  { node }: Expression,
): { readonly first: Expression; readonly offsets: readonly number[] } | null {
  if (node.op === "constant") return { first: build.constant(0, "i32"), offsets: node.values };
  if (node.op !== "binary" || node.fn !== "add") return null;
  for (const [x, y] of [
    [node.a.node, node.b.node],
    [node.b.node, node.a.node],
  ]) {
    if (x.op === "splat" && y.op === "constant") return { first: x.x, offsets: y.values };
  }
  return null;
}

/** A quotient or remainder of numbers that are not negative. */
function divided(build: Builder, of: Expression, kind: "quotient" | "remainder", by: number): Expression {
  const shift = Math.log2(by);
  const i32 = (value: number): Expression => build.constant(value, "i32");
  if (!Number.isInteger(shift)) return build.binary(kind === "quotient" ? "div" : "remainder", of, i32(by));
  return kind === "quotient" ? build.binary("shiftRight", of, i32(shift)) : build.binary("and", of, i32(by - 1));
}

/** A vector store where the lanes lie side by side, else one store a lane. `index` is that of the scalar store. */
export function storeVector(
  build: Builder,
  buffer: BufferReference,
  index: Index,
  value: Expression,
  variable: LoopVariable,
  base: Index,
  target: Target,
): Statement[] {
  const at = (lane: number): Index => substituteIndex(build, index, variable, base.add(lane));
  const first = at(0);
  const lanes = Array.from({ length: value.lanes }, (_, lane) => lane);
  const adjacent = lanes.every((lane) => {
    const offset = at(lane).subtract(first);
    return offset.isConstant && offset.constant === lane;
  });
  if (adjacent) return [{ op: "store", buffer, index: first, value }];
  if (target.fullVectors && buffer.dtype !== "float64") {
    return [{ op: "scatter", buffer, at: vectorize(build, build.index(index), variable, base, target), value }];
  }
  return lanes.map((lane) => ({ op: "store", buffer, index: at(lane), value: build.lane(value, lane) }));
}
