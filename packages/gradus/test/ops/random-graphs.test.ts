// Random programs of tensor operations give the same values and gradients on the device as in the reference
// interpreter. How values are kept comparable stands in support/random-programs.ts.
//
// GRADUS_TEST_SEED and GRADUS_TEST_RUNS look further than the fixed seed does; a failure prints the shortest program
// that fast-check finds.

import fc from "fast-check";
import * as gd from "gradus";
import { beforeAll, test, vi } from "vitest";
import { expectClose } from "../support/compare.ts";
import { numberSetting, useDevice } from "../support/device.ts";
import { weightedSum } from "../support/golden.ts";
import { buildProgram, instructions, type ProgramBuilder } from "../support/random-programs.ts";
import { perturbedValues, trueValues } from "../support/reference.ts";

const seed = numberSetting("GRADUS_TEST_SEED", 20250917);
const numRuns = numberSetting("GRADUS_TEST_RUNS", 200);

beforeAll(async () => {
  await useDevice();
  // Hundreds of different programs are the point here; the engine would warn of them.
  vi.spyOn(console, "warn").mockImplementation(() => undefined);
});

const shape = fc.array(fc.integer({ min: 1, max: 9 }), { maxLength: 4 });
const instruction = fc.record({
  kind: fc.constantFrom(...Object.keys(instructions)),
  numbers: fc.array(fc.nat({ max: 1000 }), { minLength: 1, maxLength: 8 }),
});

test("random programs and their gradients agree with the reference interpreter", { timeout: 600_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(shape, { minLength: 1, maxLength: 3 }),
      fc.array(instruction, { minLength: 1, maxLength: 14, size: "max" }),
      async (shapes, steps) => {
        const program = buildProgram(shapes, steps);
        try {
          await check(program);
        } catch (error) {
          throw new Error(`${(error as Error).message}\n\n${program.lines.join("\n")}\n`, { cause: error });
        }
      },
    ),
    { seed, numRuns },
  );
});

async function check(program: ProgramBuilder): Promise<void> {
  const { outputs } = program;
  const total = weightedSum(
    outputs.map(({ tensor }) => tensor),
    37,
    11,
    5,
  );
  const leaves = program.leaves.filter((leaf) => leaf.requiresGrad);
  const found: (gd.Tensor | null)[] = total === null ? [] : gd.grad(total, leaves, { allowUnused: true });
  const gradients = found.flatMap((gradient, k) => (gradient === null ? [] : [{ gradient, k }]));
  const tensors = [...outputs.map(({ tensor }) => tensor), ...gradients.map(({ gradient }) => gradient)];
  const names = [...outputs.map(({ name }) => name), ...gradients.map(({ k }) => `gradient of input ${k}`)];
  const expected = trueValues(tensors);
  const perturbed = perturbedValues(tensors);
  // Everything in one program, as a training step would have it.
  await gd.flush(...tensors);
  for (const [k, tensor] of tensors.entries()) {
    const exact = k < outputs.length && outputs[k].digits !== null;
    const moved = expected[k].reduce((most, value, i) => Math.max(most, Math.abs(value - perturbed[k][i])), 0);
    // Four units of error in every operation move a result by `moved`; a device may add up in another order, and more
    // terms one after the other, so it has eight times as much. Exact values must be equal.
    const allowed = exact ? {} : { rtol: 2e-6, scaled: 2e-6, atol: 8 * moved };
    expectClose(await tensor.data(), expected[k], allowed, names[k]);
  }
}
