// Every operation agrees with PyTorch: values, gradients and gradients of gradients, on whatever device runs the suite.
// The data and the true values come from tools/golden_ops.py.

import * as gd from "gradus";
import { beforeAll, describe, expect, test } from "vitest";
import golden from "../golden/ops.json";
import { expectClose, type Tolerance } from "../support/compare.ts";
import { useDevice } from "../support/device.ts";
import { call, type GoldenCase, numbersOf, resultOf, tensorOf, weightedSum } from "../support/golden.ts";

const cases = golden as unknown as readonly GoldenCase[];

interface Tolerances {
  readonly values: Tolerance;
  readonly gradients: Tolerance;
  readonly second: Tolerance;
}

const within = (part: number): Tolerance => ({ rtol: part, scaled: part });
const exactly: Tolerance = {};

/**
 * What float32 needs, whose unit is 6e-8. PyTorch's own float32 stays below 4e-7 of (element + largest element) in
 * every case but those named (golden_ops.py prints it); composing a function of others and adding in another order cost
 * a few units more, so 2e-6 is enough for maps and sums and 1e-5 for what divides differences.
 */
const tolerances: { readonly [family: string]: Tolerances } = {
  // Moved, compared or counted: nothing is rounded. Their gradients add up to a few dozen weights of 8 bits.
  exact: { values: exactly, gradients: within(1e-6), second: within(1e-6) },
  view: { values: exactly, gradients: within(1e-6), second: within(1e-6) },
  index: { values: within(5e-7), gradients: within(1e-6), second: within(1e-6) },
  // Polynomials within 2 units, and their composites (tan = sin / cos, log2 = log * constant).
  map: { values: within(2e-6), gradients: within(2e-6), second: within(4e-6) },
  // Sums of up to 67 terms; the variance of numbers near 100 loses a factor of 100 in its gradient.
  reduction: { values: within(2e-6), gradients: within(1e-5), second: within(1e-5) },
  softmax: { values: within(2e-6), gradients: within(1e-5), second: within(1e-5) },
  // Sums of up to 72 products, and for second gradients sums of sums.
  contraction: { values: within(4e-6), gradients: within(4e-6), second: within(1e-5) },
  program: { values: within(4e-6), gradients: within(1e-5), second: within(2e-5) },
};

beforeAll(useDevice);

const byOperation = new Map<string, GoldenCase[]>();
for (const golden of cases) {
  const known = byOperation.get(golden.op);
  if (known) known.push(golden);
  else byOperation.set(golden.op, [golden]);
}

for (const [operation, group] of byOperation) {
  describe(operation, () => {
    for (const one of group) {
      test(`${one.name} agrees with PyTorch`, () => check(one));
    }
  });
}

async function check(one: GoldenCase): Promise<void> {
  const allowed = tolerances[one.family];
  const differentiates = one.gradients !== undefined;
  const inputs = one.inputs.map((stored) => tensorOf(stored, differentiates));
  const outputs = await call(one, inputs);
  expect(outputs.map((output) => ({ shape: [...output.shape], dtype: output.dtype }))).toEqual(
    one.outputs.map(({ shape, dtype }) => ({ shape, dtype })),
  );
  for (const [k, output] of outputs.entries()) {
    expectClose(await output.data(), resultOf(one.outputs[k]), allowed.values, `output ${k}`);
  }
  if (!differentiates) return;
  const leaves = inputs.filter((input) => gd.isFloat(input.dtype));
  const gradients = gradientsOf(weightedSum(outputs, 37, 11, 5), leaves);
  await compare(gradients, one.gradients!, allowed.gradients, "gradient");
  if (one.second === undefined) return;
  const again = gradients.flatMap((gradient) => (gradient === null ? [] : [gradient]));
  await compare(gradientsOf(weightedSum(again, 29, 5, 3), leaves), one.second, allowed.second, "second gradient");
}

function gradientsOf(total: gd.Tensor | null, leaves: readonly gd.Tensor[]): (gd.Tensor | null)[] {
  if (total === null) return leaves.map(() => null);
  return gd.grad(total, leaves, { createGraph: true, allowUnused: true });
}

async function compare(
  gradients: readonly (gd.Tensor | null)[],
  expected: NonNullable<GoldenCase["gradients"]>,
  allowed: Tolerance,
  what: string,
): Promise<void> {
  for (const [k, gradient] of gradients.entries()) {
    const wanted = numbersOf(expected[k]);
    // No gradient at all is a gradient of zeros.
    const actual = gradient === null ? wanted.map(() => 0) : await gradient.data();
    expectClose(actual, wanted, allowed, `${what} of input ${k}`);
  }
}
