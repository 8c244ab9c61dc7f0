// Where scheduling computes what a loop needs: an expression stands in the innermost loop in which it changes, and is
// computed there once. Loops made by hand show the rules one by one; compiled ones that nothing is left behind.

import * as gd from "gradus";
import { describe, expect, test } from "vitest";
import { Builder } from "../../src/compiler/builder.ts";
import { formatStatement } from "../../src/compiler/debug.ts";
import { Index, LoopVariable } from "../../src/compiler/index-expression.ts";
import {
  type BufferReference,
  bodyOf,
  type Expression,
  expressionsIn,
  loop,
  operandsOf,
  Register,
  type Statement,
  valuesOf,
} from "../../src/compiler/ir.ts";
import { schedule } from "../../src/compiler/schedule.ts";
import { wasmTarget } from "../../src/compiler/target.ts";
import { accessOf, innermostLoops, input, programOf, statementsIn, trainable } from "../support/compile.ts";

const { F } = gd;

const build = new Builder();
const row = new LoopVariable("row", 8);
const column = new LoopVariable("column", 16);
const part = new LoopVariable("part", 4);
const total = new Register("total", "f32", 1);
const partial = new Register("partial", "f32", 1);
const [x, y, z] = ["x", "y", "z"].map(
  (name, i): BufferReference => ({ name, dtype: "float32", elements: 128, space: i === 0 ? "input" : "output" }),
);

const at = (...variables: LoopVariable[]): Index =>
  variables.reduce((sum, variable) => sum.multiply(16).add(Index.variable(variable)), Index.constant(0));
const load = (buffer: BufferReference, ...variables: LoopVariable[]): Expression =>
  build.load(buffer, at(...variables), null);
const sqrt = (value: Expression): Expression => build.unary("sqrt", value);
const times = (a: Expression, b: Expression): Expression => build.binary("mul", a, b);
const assign = (register: Register, value: Expression): Statement => ({ op: "assign", register, value });
const store = (buffer: BufferReference, index: Index, value: Expression): Statement => ({
  op: "store",
  buffer,
  index,
  value,
});

/** The loops around every square root that is computed, the outermost first; "if" for a branch. */
function rootsIn(body: readonly Statement[], around: readonly string[] = []): string[][] {
  const roots = new Set<Expression>();
  const found: string[][] = [];
  for (const statement of body) {
    for (const value of expressionsIn(valuesOf(statement))) {
      if (value.node.op !== "unary" || value.node.fn !== "sqrt" || roots.has(value)) continue;
      roots.add(value);
      found.push([...around]);
    }
    const name = statement.op === "for" ? statement.variable.name : "if";
    found.push(...rootsIn(bodyOf(statement), [...around, name]));
  }
  return found;
}

/** Statements for each row, and the loops that its square roots are computed in. */
const rules: {
  readonly [claim: string]: { readonly of: readonly Statement[]; readonly roots: readonly (readonly string[])[] };
} = {
  "what depends on no loop is computed before all": {
    of: [loop(row, [loop(column, [store(y, at(row, column), sqrt(build.load(x, Index.constant(3), null)))])])],
    roots: [[]],
  },
  "what depends on an outer loop is computed there": {
    of: [loop(row, [loop(column, [store(y, at(row, column), sqrt(load(x, row)))])])],
    roots: [["row"]],
  },
  "what depends on the innermost loop is computed in it": {
    of: [loop(row, [loop(column, [store(y, at(row, column), sqrt(load(x, row, column)))])])],
    roots: [["row", "column"]],
  },
  "what is made of a row's result is computed outside of the loop that uses it": {
    of: [
      loop(row, [
        assign(total, load(x, row)),
        loop(column, [store(y, at(row, column), times(load(x, row, column), sqrt(build.read(total))))]),
      ]),
    ],
    roots: [["row"]],
  },
  "and outside of all loops in which it does not change": {
    of: [
      loop(row, [
        assign(total, load(x, row)),
        loop(column, [
          loop(part, [
            store(y, at(row, column).add(Index.variable(part)), times(load(x, part), sqrt(build.read(total)))),
          ]),
        ]),
      ]),
    ],
    roots: [["row"]],
  },
  "what is made of a result that changes in the loop is computed in it": {
    of: [
      loop(row, [
        assign(total, load(x, row)),
        loop(column, [
          assign(total, build.binary("add", build.read(total), load(x, row, column))),
          store(y, at(row, column), sqrt(build.read(total))),
        ]),
      ]),
    ],
    roots: [["row", "column"]],
  },
  "so is what changes in a loop within": {
    of: [
      loop(row, [
        loop(column, [
          assign(partial, load(x, column)),
          loop(part, [assign(partial, build.binary("add", build.read(partial), load(x, part)))]),
          store(y, at(row, column), sqrt(build.read(partial))),
        ]),
      ]),
    ],
    roots: [["row", "column"]],
  },
  "two uses of one value share it": {
    of: [
      loop(row, [
        loop(column, [
          store(y, at(row, column), sqrt(load(x, row, column))),
          store(z, at(row, column), times(sqrt(load(x, row, column)), load(x, column))),
        ]),
      ]),
    ],
    roots: [["row", "column"]],
  },
  "two uses share nothing where the register was assigned in between": {
    of: [
      loop(row, [
        assign(total, load(x, row)),
        loop(column, [store(y, at(row, column), sqrt(build.read(total)))]),
        assign(total, load(x, row, row)),
        loop(column, [store(z, at(row, column), sqrt(build.read(total)))]),
      ]),
    ],
    roots: [["row"], ["row"]],
  },
  "what the kernel writes is read where it is needed": {
    of: [
      loop(row, [
        loop(column, [store(y, at(column), load(x, row, column)), store(z, at(row, column), sqrt(load(y, row)))]),
      ]),
    ],
    roots: [["row", "column"]],
  },
  "a load does not leave its branch, for it may be out of bounds": {
    of: [
      loop(row, [
        loop(column, [
          {
            op: "if",
            condition: build.within(Index.variable(row), 0, 5),
            whenTrue: [store(y, at(row, column), sqrt(load(x, row)))],
            whenFalse: [],
          },
        ]),
      ]),
    ],
    roots: [["row", "column", "if"]],
  },
};

describe("in loops made by hand", () => {
  test.each(Object.entries(rules))("%s", (_, { of, roots }) => {
    const { body } = schedule({ body: of }, wasmTarget);
    expect(rootsIn(body), body.flatMap(formatStatement).join("\n")).toEqual(roots);
  });
});

/**
 * What a compiled program's innermost loops compute again and again: expressions that depend neither on the loop nor on
 * a register it assigns, nor on memory that the kernel writes.
 */
function leftBehind(...outputs: readonly gd.Tensor[]): string[] {
  return programOf(...outputs).kernels.flatMap((kernel) => {
    const { writes } = accessOf(kernel);
    const isVolatile = (expression: Expression): boolean =>
      (expression.node.op === "fetch" &&
        (writes.has(expression.node.buffer) || expression.node.buffer.space === "scratch")) ||
      operandsOf(expression.node).some(isVolatile);
    return innermostLoops(kernel).flatMap(({ body, variable }) => {
      const statements = statementsIn(body).filter(({ op }) => op !== "if");
      const assigned = new Set(
        statements.flatMap((statement) => (statement.op === "assign" ? [statement.register] : [])),
      );
      const changes = (expression: Expression): boolean =>
        expression.variables.has(variable) ||
        [...expression.registers].some((register) => assigned.has(register)) ||
        isVolatile(expression);
      const isComputed = ({ node }: Expression): boolean => !["constant", "read", "variable", "base"].includes(node.op);
      return [...expressionsIn(statements.flatMap(valuesOf))]
        .filter((expression) => isComputed(expression) && !changes(expression))
        .map(({ node }) => `${kernel.name}: ${node.op}`);
    });
  });
}

function withGradients(value: gd.Tensor, leaves: readonly gd.Tensor[]): readonly gd.Tensor[] {
  return [value, ...gd.grad(value.mul(input(value.shape)).sum(), [...leaves])];
}

const compiled: { readonly [name: string]: () => readonly gd.Tensor[] } = {
  softmax: () => [input([64, 100]).softmax(1)],
  "softmax forward and backward": () => {
    const leaf = trainable([64, 100]);
    return withGradients(leaf.softmax(1), [leaf]);
  },
  "rows divided by the ratio of two of their results": () => {
    const leaf = input([64, 100]);
    const [sum, maximum] = [leaf.sum(1, { keepdim: true }), leaf.amax(1, { keepdim: true })];
    return [
      leaf.div(
        sum
          .expand([64, 100])
          .div(maximum.expand([64, 100]))
          .abs()
          .sqrt(),
      ),
    ];
  },
  "layer normalization forward and backward": () => {
    const [leaf, weight, bias] = [trainable([64, 100]), trainable([100]), trainable([100])];
    return withGradients(F.layerNorm(leaf, [100], { weight, bias }), [leaf, weight, bias]);
  },
  "batch normalization forward and backward": () => {
    const [leaf, weight, bias] = [trainable([8, 16, 8, 8]), trainable([16]), trainable([16])];
    return withGradients(F.batchNorm(leaf, null, null, { weight, bias, training: true }).relu(), [leaf, weight, bias]);
  },
  "an update by a learning rate": () => [input([1000]).sub(input([1000]).mul(gd.scalar(0.1).square().neg()))],
  "a linear layer": () => [F.linear(input([64, 100]), input([30, 100]), input([30])).relu()],
};

describe("in compiled loops", () => {
  test.each(Object.entries(compiled))("nothing is computed again that does not change: %s", (_, of) => {
    expect(leftBehind(...of())).toEqual([]);
  });

  test("a row's numbers are spread over vectors, and divided, before the loop over the row", () => {
    const [kernel] = programOf(...compiled["rows divided by the ratio of two of their results"]()).kernels;
    const printed = kernel.phases.flatMap(({ body }) => body.flatMap(formatStatement));
    const stages = printed.map((line, i) => ({ line: line.trim(), i }));
    const lastLoop = stages.findLast(({ line }) => /^for \S+ = 0 to 100 step 4$/.test(line))!;
    const root = stages.findLast(({ line }) => line.includes("sqrt("))!;
    expect(root.i).toBeLessThan(lastLoop.i);
    expect(root.line).toMatch(/sqrt\(/);
    expect(printed.slice(lastLoop.i).join("\n")).not.toMatch(/splat|sqrt/);
  });
});
