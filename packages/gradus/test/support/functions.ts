// Compares functions of several tensors with golden data: outputs, gradients and second derivatives of every float input,
// as tools/golden_functional.py writes them.

import * as gd from "gradus";
import { expect, test } from "vitest";
import type { StoredTensor } from "./golden.ts";
import { expectTensor, tensorOf } from "./nn-golden.ts";

export interface FunctionCase {
  /** A function of `gd.F`. */
  readonly name: string;
  readonly options: Readonly<Record<string, unknown>>;
  readonly inputs: readonly StoredTensor[];
  readonly seed: StoredTensor;
  readonly output: StoredTensor;
  /** Of sum(seed * output); null for inputs of integers. */
  readonly gradients: readonly (StoredTensor | null)[];
  readonly secondSeeds?: readonly (StoredTensor | null)[];
  /** Of the sum of all gradients, each times its second seed. */
  readonly second?: readonly (StoredTensor | null)[];
  /** The second input, if the call changes it. */
  readonly after?: StoredTensor;
}

type Callable = (...args: readonly unknown[]) => gd.Tensor;

/** Options are what JSON has, infinity by its name, or tensors. */
function optionOf(value: unknown): unknown {
  if (value === "inf") return Number.POSITIVE_INFINITY;
  const isTensor = typeof value === "object" && value !== null && "data" in value;
  return isTensor ? tensorOf(value as StoredTensor) : value;
}

/** A test for each case. */
export function testFunctions(cases: readonly FunctionCase[]): void {
  const titled = cases.map((one, i) => {
    const shapes = one.inputs.map(({ shape }) => `[${shape.join(", ")}]`).join(", ");
    return [`${i} ${one.name}(${shapes}) ${JSON.stringify(one.options)}`, one] as const;
  });
  test.each(titled)("%s", async (_title, { name, options, inputs, seed, ...expected }) => {
    const given = inputs.map((input) => tensorOf(input, true));
    const decoded = Object.entries(options).map(([key, value]) => [key, optionOf(value)] as const);
    const call = (gd.F as unknown as Readonly<Record<string, Callable>>)[name];
    const output = call(...given, ...(decoded.length > 0 ? [Object.fromEntries(decoded)] : []));
    const floats = given.filter(({ requiresGrad }) => requiresGrad);
    const stored = <T>(list: readonly (T | null)[]): T[] => list.filter((one) => one !== null);
    const first = gd.grad(output.mul(tensorOf(seed)).sum(), floats, { createGraph: expected.second !== undefined });
    await gd.flush(output);
    await expectTensor(output, expected.output, "output");
    for (const [i, value] of stored(expected.gradients).entries()) {
      await expectTensor(first[i], value, `gradient of float input ${i}`);
    }
    if (expected.after !== undefined) await expectTensor(given[1], expected.after, "the second input afterwards");
    if (expected.second === undefined) return;
    const seeds = stored(expected.secondSeeds!).map((one) => tensorOf(one));
    const penalty = first.map((gradient, i) => gradient.mul(seeds[i]).sum()).reduce((sum, part) => sum.add(part));
    const second = penalty.requiresGrad ? gd.grad(penalty, floats, { allowUnused: true }) : floats.map(() => null);
    expect(second).toHaveLength(floats.length);
    for (const [i, value] of stored(expected.second).entries()) {
      await expectTensor(second[i] ?? gd.zerosLike(floats[i]), value, `second derivative of float input ${i}`);
    }
  });
}
