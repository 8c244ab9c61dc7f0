// Where views read, against what they mean: the reference interpreter applies a view to an array that holds its own
// positions, so every element of the result says which element of the input it is. Indices are made of loop variables,
// as the compiler makes them, and evaluated afterwards for every element. Chains of views show that indices compose.
//
// GRADUS_TEST_SEED and GRADUS_TEST_RUNS look further than the fixed seed does.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { interpret } from "../../src/backends/reference/interpreter.ts";
import { flatten, Index, LoopVariable } from "../../src/compiler/index-expression.ts";
import { GraphBuilder } from "../../src/compiler/rewrite.ts";
import { viewSource, views } from "../../src/compiler/view-index.ts";
import { leaf, type Node, sizeOf } from "../../src/graph/index.ts";
import { numberSetting } from "../support/device.ts";

const seed = numberSetting("GRADUS_TEST_SEED", 20250917);
const numRuns = numberSetting("GRADUS_TEST_RUNS", 60);

/** A number from 0 up to but excluding `count`, another at every call. */
type Choose = (count: number) => number;

const graph = new GraphBuilder();

/** How each view is made of an input, with random choices for what it takes. */
const random: { readonly [view: string]: (x: Node, choose: Choose) => Node } = {
  reshape: (x, choose) => {
    const shape: number[] = [];
    for (let left = sizeOf(x.shape); left > 1 || shape.length < 1 || choose(3) === 0; left /= shape[0]) {
      const divisors = Array.from({ length: left }, (_, i) => i + 1).filter((divisor) => left % divisor === 0);
      shape.unshift(divisors[choose(divisors.length)]);
    }
    return graph.make("reshape", [x], {}, { shape, dtype: x.dtype });
  },
  permute: (x, choose) => graph.make("permute", [x], { axes: someOf(x, choose, x.shape.length) }),
  expand: (x, choose) => {
    const shape = x.shape.map((extent) => (extent === 1 ? 1 + choose(4) : extent));
    return graph.make("expand", [x], {}, { shape, dtype: x.dtype });
  },
  slice: (x, choose) => {
    const start = x.shape.map((extent) => choose(extent));
    const stop = x.shape.map((extent, axis) => start[axis] + 1 + choose(extent - start[axis]));
    return graph.make("slice", [x], { start, stop, step: x.shape.map(() => 1 + choose(3)) });
  },
  flip: (x, choose) => graph.make("flip", [x], { axes: someOf(x, choose) }),
  window: (x, choose) => {
    const axes = someOf(x, choose);
    const dilation = axes.map(() => 1 + choose(2));
    const size = axes.map((axis, i) => 1 + choose(Math.ceil(x.shape[axis] / dilation[i])));
    return graph.make("window", [x], { axes, size, dilation, stride: axes.map(() => 1 + choose(3)) });
  },
};

/** Different axes in any order, as many as wanted. */
function someOf({ shape }: Node, choose: Choose, count = 1 + choose(shape.length)): number[] {
  const left = shape.map((_, axis) => axis);
  return Array.from({ length: count }, () => left.splice(choose(left.length), 1)[0]);
}

/** For every element of a view of views, the element of the array it comes from. */
function asEvaluated(x: Node, result: Node): number[] {
  const positions = Float64Array.from({ length: sizeOf(x.shape) }, (_, i) => i);
  return [...interpret({ inputs: [x], scalars: [], outputs: [result] }, [positions], [])[0]];
}

/** The same by the compiler's indices. */
function asIndexed(x: Node, result: Node): number[] {
  const loops = result.shape.map((extent, axis) => new LoopVariable(`i${axis}`, extent));
  let at: readonly Index[] = loops.map((loop) => Index.variable(loop));
  for (let node = result; node !== x; node = node.inputs[0]) at = viewSource(node, at);
  const place = flatten(at, x.shape);
  return Array.from({ length: sizeOf(result.shape) }, (_, position) => {
    let rest = position;
    return loops.reduceRight((index, loop) => {
      const value = Index.constant(rest % loop.extent);
      rest = Math.floor(rest / loop.extent);
      return index.substitute(loop, value, (inner) => inner);
    }, place).constant;
  });
}

const shapes = fc.array(fc.constantFrom(1, 2, 3, 4, 6), { minLength: 1, maxLength: 4 });
const choices = fc.array(fc.nat({ max: 10_000 }), { minLength: 40, maxLength: 40 });

function check(names: fc.Arbitrary<readonly string[]>): void {
  fc.assert(
    fc.property(shapes, names, choices, (shape, chain, numbers) => {
      let next = 0;
      const choose: Choose = (count) => numbers[next++ % numbers.length] % count;
      const x = leaf("data", { requiresGrad: false }, { shape, dtype: "int32" }) as unknown as Node;
      const result = chain.reduce((node, name) => random[name](node, choose), x);
      // Windows of windows grow beyond what is worth trying.
      fc.pre(sizeOf(result.shape) <= 4000 && result.shape.length <= 8);
      expect(asIndexed(x, result)).toEqual(asEvaluated(x, result));
    }),
    { seed, numRuns },
  );
}

describe("the index into the input of a view", () => {
  test.each([...views])("%s is where the view reads", (name) => {
    check(fc.constant([name]));
  });

  test("composes through views of views", () => {
    check(fc.array(fc.constantFrom(...views), { minLength: 2, maxLength: 4 }));
  });
});
