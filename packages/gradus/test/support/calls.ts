// Compares calls with several inputs and outputs with golden data: what `call_case` of tools/golden_calls.py writes.

import * as gd from "gradus";
import { expect, test } from "vitest";
import { type StoredTensor, tensorOf } from "./golden.ts";
import { expectTensor, titleOf } from "./nn-golden.ts";

export interface CallCase {
  readonly type: string;
  readonly args: readonly unknown[];
  /** The arguments of the call; `{ input: i }` stands for an input wherever it stands. */
  readonly call: readonly unknown[];
  readonly eval: boolean;
  /** The module's state; empty for a function. */
  readonly state: Readonly<Record<string, StoredTensor>>;
  readonly inputs: readonly StoredTensor[];
  readonly seeds: readonly StoredTensor[];
  readonly outputs: readonly StoredTensor[];
  /** Of float inputs, in their order. */
  readonly inputGradients: readonly StoredTensor[];
  readonly gradients: Readonly<Record<string, StoredTensor>>;
  readonly secondSeed?: StoredTensor;
  readonly second?: {
    readonly inputs: readonly StoredTensor[];
    readonly gradients: Readonly<Record<string, StoredTensor>>;
  };
}

type Callable = (...args: readonly unknown[]) => unknown;

function given(value: unknown, inputs: readonly gd.Tensor[]): unknown {
  if (Array.isArray(value)) return value.map((entry) => given(entry, inputs));
  if (typeof value !== "object" || value === null) return value;
  if ("input" in value) return inputs[value.input as number];
  return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, given(entry, inputs)]));
}

function tensorsOf(result: unknown): gd.Tensor[] {
  if (gd.isTensor(result)) return [result];
  return Array.isArray(result) ? result.flatMap(tensorsOf) : [];
}

/**
 * A test for each case.
 * @param make gives a module with a `forward`, or a function, for a case
 */
export function testCalls(
  cases: readonly CallCase[],
  make: (call: CallCase) => gd.nn.AnyModule | ((...args: never[]) => unknown),
): void {
  const titled = cases.map((call, i) => [`${i} ${titleOf(call.type, call.args)}${titleOfCall(call)}`, call] as const);
  test.each(titled)("%s", async (_title, call) => {
    const made = make(call);
    const isModule = made instanceof gd.nn.Module;
    const parameters = new Map<string, gd.Tensor>(isModule ? made.namedParameters() : []);
    if (isModule) {
      expect([...made.stateDict().keys()]).toEqual(Object.keys(call.state));
      made.loadStateDict(new Map(Object.entries(call.state).map(([key, value]) => [key, tensorOf(value)])));
      made.train(!call.eval);
    }
    const inputs = call.inputs.map((input) => tensorOf(input, true));
    const run = (isModule ? made.forward : made) as Callable;
    const outputs = tensorsOf(run(...call.call.map((value) => given(value, inputs))));
    const total = outputs.map((y, i) => y.mul(tensorOf(call.seeds[i])).sum()).reduce((sum, part) => sum.add(part));
    const names = Object.keys(call.gradients);
    const floats = inputs.filter((input) => input.requiresGrad);
    const leaves = [...floats, ...names.map((name) => parameters.get(name)!)];
    const titles = [...floats.map((_, i) => `float input ${i}`), ...names];
    const gradients = gd.grad(total, leaves, { allowUnused: true, createGraph: call.second !== undefined });
    await gd.flush(...outputs, ...gradients.filter((gradient) => gradient !== null));
    expect(outputs).toHaveLength(call.outputs.length);
    for (const [i, output] of outputs.entries()) await expectTensor(output, call.outputs[i], `output ${i}`);
    const compare = async (
      what: string,
      found: readonly (gd.Tensor | null)[],
      wanted: Pick<NonNullable<CallCase["second"]>, "inputs" | "gradients">,
    ): Promise<void> => {
      const expected = [...wanted.inputs, ...names.map((name) => wanted.gradients[name])];
      for (const [i, gradient] of found.entries()) {
        await expectTensor(gradient ?? gd.zerosLike(leaves[i]), expected[i], `${what} of ${titles[i]}`);
      }
    };
    await compare("gradient", gradients, { inputs: call.inputGradients, gradients: call.gradients });
    if (call.second === undefined) return;
    const penalty = gradients[0]!.mul(tensorOf(call.secondSeed!)).sum();
    await compare("second derivative", gd.grad(penalty, leaves, { allowUnused: true }), call.second);
  });
}

/** The shapes of the inputs, and the options of the call. */
function titleOfCall({ inputs, call, eval: evaluates }: CallCase): string {
  const options = call.at(-1);
  const named = typeof options === "object" && options !== null && !Array.isArray(options) && !("input" in options);
  const shapes = inputs.map(({ shape }) => `[${shape.join(", ")}]`).join(", ");
  return ` of ${shapes}${named ? ` with ${JSON.stringify(options)}` : ""}${evaluates ? " in evaluation" : ""}`;
}
