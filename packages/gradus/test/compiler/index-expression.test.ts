// Index algebra against brute force: random expressions over loop variables, built once as a tree that is evaluated with
// rounding down, and once as an Index. An Index is evaluated as the targets do it, with division that truncates, so the
// test also sees that quotients and remainders are never taken of negative numbers. All values of all variables are tried.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Builder } from "../../src/compiler/builder.ts";
import { flatten, Index, LoopVariable, unflatten, variablesOf } from "../../src/compiler/index-expression.ts";
import type { BufferReference, Expression } from "../../src/compiler/ir.ts";
import { numberSetting } from "../support/device.ts";

const seed = numberSetting("GRADUS_TEST_SEED", 20250917);
const numRuns = numberSetting("GRADUS_TEST_RUNS", 1000);

const extents = [4, 7, 1, 6];
const variables = extents.map((extent, i) => new LoopVariable(`i${i}`, extent));
const build = new Builder();

/** What a program reads at run time: one table for each variable, indexed by it. */
const tables = extents.map((extent, i) => Array.from({ length: extent }, (_, j) => (5 * j + 3 * i + 2) % 11));
const buffers = extents.map(
  (elements, i): BufferReference => ({ name: `table${i}`, dtype: "int32", elements, space: "input" }),
);
const tableMaximum = 10;
const tableRead = (i: number): Expression => build.load(buffers[i], Index.variable(variables[i]), null);

/** An expression as it is meant: `divide` and `modulo` round down. */
type Tree =
  | { readonly kind: "variable" | "table"; readonly i: number }
  | { readonly kind: "constant"; readonly value: number }
  | { readonly kind: "add" | "subtract"; readonly a: Tree; readonly b: Tree }
  | { readonly kind: "multiply" | "divide" | "modulo"; readonly a: Tree; readonly by: number };

const variableIndex = fc.nat({ max: extents.length - 1 });
const leafTree: fc.Arbitrary<Tree> = fc.oneof(
  { weight: 5, arbitrary: variableIndex.map((i): Tree => ({ kind: "variable", i })) },
  { weight: 1, arbitrary: variableIndex.map((i): Tree => ({ kind: "table", i })) },
  { weight: 2, arbitrary: fc.integer({ min: -30, max: 30 }).map((value): Tree => ({ kind: "constant", value })) },
);
// Divisors with common factors are where rewriting happens.
const divisor = fc.constantFrom(1, 2, 3, 4, 6, 7, 8, 12, 24, 28, 42);
const factor = fc.constantFrom(-4, -1, 0, 1, 2, 3, 4, 6, 7, 24, 28);
const multiply = (a: Tree, by: number): Tree => ({ kind: "multiply", a, by });
const add = (a: Tree, b: Tree): Tree => ({ kind: "add", a, b });
/** What flattening makes, and not quite: a variable times about the extent of another, and that one, cut again. */
const strided: fc.Arbitrary<Tree> = fc
  .record({
    i: variableIndex,
    j: variableIndex,
    off: fc.integer({ min: -1, max: 1 }),
    times: fc.integer({ min: 1, max: 3 }),
    constant: fc.integer({ min: -2, max: 2 }),
    kind: fc.constantFrom("divide", "modulo"),
  })
  .map(({ i, j, off, times, constant, kind }): Tree => {
    const stride = Math.max(1, extents[j] + off);
    const flat = add(multiply({ kind: "variable", i }, stride), { kind: "variable", i: j });
    return { kind, a: add(flat, { kind: "constant", value: constant }), by: stride * times };
  });
const { tree } = fc.letrec<{ tree: Tree }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 6, withCrossShrink: true },
    leafTree,
    strided,
    fc.record({ kind: fc.constantFrom("add", "subtract"), a: tie("tree"), b: tie("tree") }) as fc.Arbitrary<Tree>,
    fc.tuple(tie("tree"), factor).map(([a, by]) => multiply(a, by)),
    fc.record({ kind: fc.constantFrom("divide", "modulo"), a: tie("tree"), by: divisor }) as fc.Arbitrary<Tree>,
    // A quotient and a remainder of one expression, which may or may not fit together again.
    fc
      .tuple(tie("tree"), divisor, factor, fc.boolean())
      .map(([a, by, times, fits]) =>
        add(multiply({ kind: "divide", a, by }, fits ? times * by : by), multiply({ kind: "modulo", a, by }, times)),
      ),
  ),
}));
/** Sums of multiples of variables only. */
const affineTree: fc.Arbitrary<Tree> = fc
  .array(fc.tuple(variableIndex, fc.integer({ min: -9, max: 9 })), { maxLength: 5 })
  .map((terms) =>
    terms.reduce<Tree>((sum, [i, by]) => add(sum, multiply({ kind: "variable", i }, by)), {
      kind: "constant",
      value: -3,
    }),
  );

function indexOf(of: Tree): Index {
  switch (of.kind) {
    case "variable":
      return Index.variable(variables[of.i]);
    case "table":
      return Index.value(tableRead(of.i), tableMaximum);
    case "constant":
      return Index.constant(of.value);
    case "add":
      return indexOf(of.a).add(indexOf(of.b));
    case "subtract":
      return indexOf(of.a).subtract(indexOf(of.b));
    case "multiply":
      return indexOf(of.a).multiply(of.by);
    case "divide":
      return indexOf(of.a).dividedBy(of.by);
    case "modulo":
      return indexOf(of.a).modulo(of.by);
  }
}

function meaningOf(of: Tree, values: readonly number[]): number {
  switch (of.kind) {
    case "variable":
      return values[of.i];
    case "table":
      return tables[of.i][values[of.i]];
    case "constant":
      return of.value;
    case "add":
      return meaningOf(of.a, values) + meaningOf(of.b, values);
    case "subtract":
      return meaningOf(of.a, values) - meaningOf(of.b, values);
    case "multiply":
      return meaningOf(of.a, values) * of.by;
    case "divide":
      return Math.floor(meaningOf(of.a, values) / of.by);
    case "modulo":
      return meaningOf(of.a, values) - Math.floor(meaningOf(of.a, values) / of.by) * of.by;
  }
}

/** The value of an Index with division as machines have it: towards zero, the remainder with the sign of the dividend. */
function run(index: Index, values: ReadonlyMap<LoopVariable, number>): number {
  let result = index.constant;
  for (const { atom, coefficient } of index.terms) {
    if (atom.kind === "variable") result += coefficient * values.get(atom.variable)!;
    else if (atom.kind === "value") result += coefficient * runValue(atom.value, values);
    else if (atom.kind === "quotient") result += coefficient * Math.trunc(run(atom.of, values) / atom.by);
    else result += coefficient * (run(atom.of, values) % atom.by);
  }
  return result;
}

function runValue({ node }: Expression, values: ReadonlyMap<LoopVariable, number>): number {
  if (node.op !== "load") throw new Error(`unexpected ${node.op}`);
  return tables[buffers.indexOf(node.buffer)][run(node.index, values)];
}

/** All values that the variables take together. */
const everywhere: readonly (readonly number[])[] = extents.reduce<number[][]>(
  (all, extent) => all.flatMap((values) => Array.from({ length: extent }, (_, value) => [...values, value])),
  [[]],
);
const assignment = (values: readonly number[]): Map<LoopVariable, number> =>
  new Map(variables.map((variable, i) => [variable, values[i]]));
const assignments = everywhere.map(assignment);

/** `expect` is slow for millions of values. -0 is 0 here. */
function same(found: number, expected: number): void {
  if (found !== expected) throw new Error(`${found} instead of ${expected}`);
}

const check = <T>(arbitrary: fc.Arbitrary<T>, property: (value: T) => void): void =>
  fc.assert(fc.property(arbitrary, property), { seed, numRuns });

describe("index expressions", () => {
  test("mean what they were built from, with quotients rounded down and never of a negative number", () => {
    check(tree, (meant) => {
      const index = indexOf(meant);
      everywhere.forEach((values, n) => {
        same(run(index, assignments[n]), meaningOf(meant, values));
      });
    });
  });

  test("lie within their minimum and maximum everywhere", () => {
    check(tree, (meant) => {
      const index = indexOf(meant);
      for (const values of everywhere) {
        const value = meaningOf(meant, values);
        if (!(index.minimum <= value && value <= index.maximum)) {
          throw new Error(`${value} is not within ${index.minimum} and ${index.maximum}`);
        }
      }
    });
  });

  test("reach their minimum and maximum if they are affine", () => {
    check(affineTree, (meant) => {
      const index = indexOf(meant);
      const all = everywhere.map((values) => meaningOf(meant, values));
      same(index.minimum, Math.min(...all));
      same(index.maximum, Math.max(...all));
    });
  });

  test("have equal keys only if they are equal everywhere", () => {
    check(fc.tuple(tree, tree), ([a, b]) => {
      if (indexOf(a).key !== indexOf(b).key) return;
      for (const values of everywhere) same(meaningOf(a, values), meaningOf(b, values));
    });
  });

  test("forget the order of their terms", () => {
    check(fc.tuple(tree, tree, tree), ([a, b, c]) => {
      const [x, y, z] = [indexOf(a), indexOf(b), indexOf(c)];
      expect(x.add(y).key).toBe(y.add(x).key);
      const [forward, backward] = [x.add(y).add(z), z.add(y).add(x)];
      for (const values of assignments) same(run(forward, values), run(backward, values));
    });
  });

  test("less themselves are nothing", () => {
    check(tree, (meant) => {
      const index = indexOf(meant);
      const difference = index.subtract(index);
      expect(difference.isConstant).toBe(true);
      same(difference.constant, 0);
    });
  });
});

describe("coefficientOf", () => {
  test("is the step that one more of the variable makes, wherever it is given", () => {
    check(fc.tuple(tree, variableIndex), ([meant, i]) => {
      const coefficient = indexOf(meant).coefficientOf(variables[i]);
      if (coefficient === null) return;
      for (const values of everywhere) {
        if (values[i] + 1 >= extents[i]) continue;
        const next = values.map((value, j) => (i === j ? value + 1 : value));
        same(meaningOf(meant, next) - meaningOf(meant, values), coefficient);
      }
    });
  });

  test("is given for every affine index", () => {
    check(fc.tuple(affineTree, variableIndex), ([meant, i]) => {
      expect(indexOf(meant).coefficientOf(variables[i])).not.toBe(null);
    });
  });

  test("is null exactly if the variable stands within a quotient, a remainder or a run-time value", () => {
    const [i, j] = variables.map((variable) => Index.variable(variable));
    expect(i.multiply(3).add(j.dividedBy(2)).coefficientOf(variables[0])).toBe(3);
    expect(i.multiply(3).add(j.dividedBy(2)).coefficientOf(variables[1])).toBe(null);
    expect(i.add(j).modulo(5).coefficientOf(variables[0])).toBe(null);
    expect(Index.value(tableRead(1), tableMaximum).add(i).coefficientOf(variables[1])).toBe(null);
    expect(Index.value(tableRead(1), tableMaximum).add(i).coefficientOf(variables[0])).toBe(1);
    expect(j.coefficientOf(variables[3])).toBe(0);
  });

  test("of a variable that is gone after division is 0", () => {
    check(fc.tuple(tree, variableIndex), ([meant, i]) => {
      const index = indexOf(meant);
      const [depends, listed] = [index.dependsOn(variables[i]), variablesOf(index).has(variables[i])];
      expect(listed).toBe(depends);
      if (!depends) same(index.coefficientOf(variables[i])!, 0);
    });
  });
});

describe("substitute", () => {
  /** What may stand for a variable: a constant, a tile's start and place, or anything brought into its range. */
  const outer = new LoopVariable("outer", 2);
  const inner = new LoopVariable("inner", 3);
  type Replacement = (extent: number) => { readonly index: Index; readonly meaning: (values: number[]) => number };
  const replacement: fc.Arbitrary<Replacement> = fc.oneof(
    fc.nat({ max: 100 }).map(
      (value): Replacement =>
        (extent) => ({
          index: Index.constant(value % extent),
          meaning: () => value % extent,
        }),
    ),
    fc.constant<Replacement>((extent) => ({
      // [outer, inner] enumerate 6 places, of which extents of 6 and 7 hold all; smaller ones are wrapped into.
      index: Index.variable(outer).multiply(inner.extent).add(Index.variable(inner)).modulo(extent),
      meaning: (values) => (values[extents.length] * inner.extent + values[extents.length + 1]) % extent,
    })),
    tree.map(
      (meant): Replacement =>
        (extent) => ({
          index: indexOf({ kind: "modulo", a: meant, by: extent }),
          meaning: (values) => meaningOf({ kind: "modulo", a: meant, by: extent }, values),
        }),
    ),
  );

  test("is evaluation with the variable replaced, in run-time values too", () => {
    check(fc.tuple(tree, variableIndex, replacement), ([meant, i, choose]) => {
      const { index: by, meaning } = choose(extents[i]);
      const inValue = (value: Expression): Expression => {
        if (value.node.op !== "load") throw new Error(`unexpected ${value.node.op}`);
        return build.load(value.node.buffer, value.node.index.substitute(variables[i], by, inValue), null);
      };
      const result = indexOf(meant).substitute(variables[i], by, inValue);
      for (let place = 0; place < outer.extent * inner.extent; place++) {
        const tile = [Math.floor(place / inner.extent), place % inner.extent];
        for (const values of everywhere) {
          const environment = assignment(values).set(outer, tile[0]).set(inner, tile[1]);
          const replaced = values.map((value, j) => (i === j ? meaning([...values, ...tile]) : value));
          same(run(result, environment), meaningOf(meant, replaced));
        }
      }
    });
  });

  test("leaves an index without the variable as it is", () => {
    const index = Index.variable(variables[0]).multiply(2).add(1);
    expect(index.substitute(variables[1], Index.constant(3), (value) => value)).toBe(index);
  });
});

describe("flatten and unflatten", () => {
  const shape = fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 1, maxLength: 5 });
  const sizeOf = (extents: readonly number[]): number => extents.reduce((size, extent) => size * extent, 1);
  /** Two shapes of one size: the first with its factors moved about and joined. */
  const reshaped = fc
    .tuple(shape, fc.array(fc.nat({ max: 4 }), { minLength: 5, maxLength: 5 }), fc.nat())
    .map(([from, places, turn]) => {
      const turned = from.map((_, i) => from[(i + turn) % from.length]);
      const to = new Array<number>(5).fill(1);
      turned.forEach((extent, i) => {
        to[places[i]] *= extent;
      });
      return { from, to };
    });

  test("flatten(unflatten(i)) is i itself", () => {
    check(shape, (extents) => {
      const i = Index.variable(new LoopVariable("i", sizeOf(extents)));
      expect(flatten(unflatten(i, extents), extents).key).toBe(i.key);
    });
  });

  test("unflatten(flatten(indices)) are the indices themselves", () => {
    check(shape, (extents) => {
      const indices = extents.map((extent, axis) => Index.variable(new LoopVariable(`i${axis}`, extent)));
      const round = unflatten(flatten(indices, extents), extents);
      expect(round.map(({ key }) => key)).toEqual(indices.map(({ key }) => key));
    });
  });

  test("a position goes through another shape and back unchanged, symbolically", () => {
    check(reshaped, ({ from, to }) => {
      const indices = from.map((extent, axis) => Index.variable(new LoopVariable(`i${axis}`, extent)));
      const flat = flatten(indices, from);
      expect(flatten(unflatten(flat, to), to).key).toBe(flat.key);
    });
  });

  test("unflatten is the row-major position's indices, within the shape", () => {
    check(reshaped, ({ from, to }) => {
      const loops = from.map((extent, axis) => new LoopVariable(`i${axis}`, extent));
      const flat = flatten(
        loops.map((loop) => Index.variable(loop)),
        from,
      );
      const indices = unflatten(flat, to);
      indices.forEach((index, axis) => {
        expect([index.minimum >= 0, index.maximum < to[axis]]).toEqual([true, true]);
      });
      for (let position = 0; position < Math.min(sizeOf(from), 400); position++) {
        const values = new Map(loops.map((loop, axis) => [loop, coordinate(position, from, axis)]));
        indices.forEach((index, axis) => {
          same(run(index, values), coordinate(position, to, axis));
        });
      }
    });
  });

  function coordinate(position: number, extents: readonly number[], axis: number): number {
    return Math.floor(position / sizeOf(extents.slice(axis + 1))) % extents[axis];
  }
});
