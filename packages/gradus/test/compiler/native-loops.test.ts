// What lowering makes for targets whose vectors have all that numbers have, as native code's do: short products for
// convolutions of size 3, loads that are picked or transposed instead of gathered, rows merged, kernels alike made once.

import * as gd from "gradus";
import { describe, expect, test } from "vitest";
import { bases, emitProgram } from "../../src/backends/cpu/native/emit.ts";
import { nativeTarget } from "../../src/backends/cpu/native/target.ts";
import { Builder } from "../../src/compiler/builder.ts";
import type { Program, Statement } from "../../src/compiler/index.ts";
import { type Expression, expressionsIn, valuesOf } from "../../src/compiler/ir.ts";
import { transposed } from "../../src/compiler/lower/transpose.ts";
import { input, multiplyAddsOf, programOf, statementsIn, trainable } from "../support/compile.ts";

const { F } = gd;

const wide = nativeTarget(new Map([["__AVX512F__", "1"]]));
const lanes = wide.lanes;

const statementsOf = ({ kernels }: Program): Statement[] =>
  kernels.flatMap(({ phases }) => phases.flatMap(({ body }) => statementsIn(body)));
const opsOf = (program: Program): string[] =>
  [...expressionsIn(statementsOf(program).flatMap(valuesOf))].map(({ node }) => node.op);
/** Of the contractions alone. */
const productsOf = (program: Program): Program => ({
  ...program,
  kernels: program.kernels.filter(({ multiplyAdds }) => multiplyAdds > 0),
});

describe("targets", () => {
  test("are told by the compiler's macros, the widest first", () => {
    const of = (...macros: string[]): string => nativeTarget(new Map(macros.map((macro) => [macro, "1"]))).name;
    expect(of("__AVX2__", "__AVX512F__")).toBe("avx512");
    expect(of("__AVX2__")).toBe("avx2");
    expect(of("__ARM_NEON")).toBe("neon");
    expect(of()).toBe("generic");
  });

  test("have tiles of whole vectors", () => {
    for (const macro of ["__AVX512F__", "__AVX2__", "__ARM_NEON", ""]) {
      const target = nativeTarget(new Map([[macro, "1"]]));
      for (const { columns } of target.tiles) expect(columns % target.lanes).toBe(0);
    }
  });
});

describe("a convolution of size 3", () => {
  const convolve = (size: number, channels: number, options: { padding: number; stride?: number }): Program =>
    programOf(wide, F.conv2d(input([2, channels, size, size]), input([32, channels, 3, 3]), null, options));
  const direct = (results: number, channels: number): number => 2 * results * results * 32 * channels * 9;

  test("has four products for a result in place of nine", () => {
    expect(multiplyAddsOf(convolve(16, 32, { padding: 1 }))).toBe((direct(16, 32) * 4) / 9);
  });

  test("has its gradients from as few", () => {
    const [x, weight] = [trainable([2, 32, 16, 16]), trainable([32, 32, 3, 3])];
    const loss = F.conv2d(x, weight, null, { padding: 1 })
      .mul(input([2, 32, 16, 16]))
      .sum();
    expect(multiplyAddsOf(programOf(wide, ...gd.grad(loss, [x, weight])))).toBe((2 * direct(16, 32) * 4) / 9);
  });

  test.each([
    ["few channels", convolve(16, 16, { padding: 1 }), direct(16, 16)],
    ["results of an odd size", convolve(17, 32, { padding: 1 }), 0],
    ["a stride", convolve(16, 32, { padding: 1, stride: 2 }), direct(8, 32)],
  ] as const)("is direct with %s", (_name, program, products) => {
    const count = multiplyAddsOf(program);
    // Columns may be rounded up to vectors; fewer than directly there are never.
    expect(count).toBeGreaterThanOrEqual(products === 0 ? direct(17, 32) : products);
  });
});

describe("vectors", () => {
  test("of every second element are two loads and a shuffle", () => {
    const ops = opsOf(programOf(wide, input([4, 64, 64]).slice(2, 0, 64, 2).mul(2)));
    expect(ops).toContain("shuffle");
    expect(ops).not.toContain("gather");
  });

  test("run across the ends of rows that are shorter than they are", () => {
    const program = programOf(wide, input([8, 8, 6, 6]).pad([1, 1, 1, 1]).relu());
    const stores = statementsOf(program).filter((statement) => statement.op === "put");
    expect(stores.some(({ value }) => value.lanes === lanes)).toBe(true);
  });

  test("of a weight's gradient are transposed as they are packed, not gathered", () => {
    const weight = trainable([64, 64, 5, 5]);
    const loss = F.conv2d(input([4, 64, 32, 32]), weight, null, { padding: 2 })
      .mul(input([4, 64, 32, 32]))
      .sum();
    expect(opsOf(productsOf(programOf(wide, ...gd.grad(loss, [weight]))))).not.toContain("gather");
  });

  test("of the last columns are stored in part", () => {
    const program = programOf(wide, input([40, 40]).matmul(input([40, 40])));
    expect(statementsOf(program).some((statement) => statement.op === "put" && statement.count !== undefined)).toBe(
      true,
    );
  });
});

describe("transposing in registers", () => {
  /** What a shuffle of shuffles of the rows holds in each lane: row x 100 + column. */
  function lanesOf({ node }: Expression, rows: ReadonlyMap<Expression["node"], number>): (number | null)[] {
    const row = rows.get(node);
    if (row !== undefined) return Array.from({ length: lanes }, (_, column) => 100 * row + column);
    if (node.op !== "shuffle") return new Array<null>(lanes).fill(null);
    const both = [...lanesOf(node.a, rows), ...lanesOf(node.b, rows)];
    return node.pattern.map((from) => both[from]);
  }

  test.each([16, 14, 8, 6, 3, 1])("of %d rows gives their columns", (count) => {
    const build = new Builder();
    const rows = Array.from({ length: count }, (_, i) =>
      build.splat(build.convert(build.constant(i + 0.5, "f32"), "f32"), lanes),
    );
    const byNode = new Map(rows.map((row, i) => [row.node, i]));
    const columns = transposed(build, rows, lanes);
    expect(columns).toHaveLength(lanes);
    columns.forEach((column, j) => {
      const expected = Array.from({ length: count }, (_, i) => 100 * i + j);
      expect(lanesOf(column, byNode).slice(0, count)).toEqual(expected);
    });
  });
});

describe("kernels alike", () => {
  const block = (x: gd.Tensor, weight: gd.Tensor): gd.Tensor => F.conv2d(x, weight, null, { padding: 1 }).relu();

  test("are written once, each with places of its own", () => {
    const weights = [1, 2, 3].map(() => input([16, 16, 3, 3]));
    const program = programOf(wide, weights.reduce(block, input([2, 16, 12, 12])));
    const { functions, steps } = emitProgram(program);
    const products = productsOf(program).kernels;
    expect(products).toHaveLength(3);
    // The last writes an output, and is none of them.
    expect(new Set(products.slice(0, 2).map(({ phases }) => phases)).size).toBe(1);
    expect(functions.size).toBeLessThan(steps.length);
    const weightsRead = steps.flatMap(({ places }) => places.filter(({ base }) => base >= bases.buffers + 1));
    expect(new Set(weightsRead.map(({ base }) => base)).size).toBe(weights.length + 1);
  });

  test("are not those that read one value twice and two values once", () => {
    const [x, y] = [input([64]), input([64])];
    const program = programOf(wide, x.add(x.mul(2)).cumsum(0), x.add(y.mul(2)).cumsum(0));
    const bodies = new Set(program.kernels.map(({ phases }) => phases));
    expect(bodies.size).toBe(program.kernels.length);
  });
});
