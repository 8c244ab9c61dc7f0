// Golden cases of functions of one tensor: what `function_case` of tools/golden_spatial.py writes.

import * as gd from "gradus";
import { test } from "vitest";
import type { StoredTensor } from "./golden.ts";
import { expectTensor, tensorOf, titleOf } from "./nn-golden.ts";

export interface FunctionCase {
  readonly name: string;
  readonly args: readonly unknown[];
  readonly input: StoredTensor;
  readonly seed: StoredTensor;
  readonly output: StoredTensor;
  /** Of sum(seed * output^2): squared, so that the second derivatives of a linear function are not zero. */
  readonly gradient: StoredTensor;
  readonly secondSeed?: StoredTensor;
  /** Of sum(secondSeed * gradient). */
  readonly second?: StoredTensor;
}

type SpatialFunction = (x: gd.Tensor, ...args: readonly unknown[]) => gd.Tensor;

/** A test for each case. */
export function testFunctions(cases: readonly FunctionCase[]): void {
  test.each(cases.map((each, i) => [`${i} ${titleOf(each.name, each.args)}`, each] as const))(
    "%s",
    async (_title, { name, args, input, seed, output, gradient, secondSeed, second }) => {
      const compute = (gd.nn.functional as unknown as Record<string, SpatialFunction>)[name];
      const x = tensorOf(input, true);
      const y = compute(x, ...args);
      const [first] = gd.grad(y.mul(y).mul(tensorOf(seed)).sum(), [x], { createGraph: true });
      await expectTensor(y, output, "output");
      await expectTensor(first!, gradient, "gradient");
      if (second === undefined) return;
      const [found] = gd.grad(first!.mul(tensorOf(secondSeed!)).sum(), [x]);
      await expectTensor(found!, second, "second derivative");
    },
  );
}
