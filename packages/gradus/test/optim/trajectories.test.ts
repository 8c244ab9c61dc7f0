// Every optimizer against PyTorch, over 20 steps, with options and groups of all kinds.

import * as gd from "gradus";
import { beforeAll, describe, expect, test } from "vitest";
import { useDevice } from "../support/device.ts";
import { construct, expectTensor, tensorOf } from "../support/nn-golden.ts";
import { optimGolden, type TrajectoryCase } from "./golden.ts";

const { nn, optim } = gd;
beforeAll(useDevice);

const { start, gradients } = optimGolden;

function make({ type, options, second }: TrajectoryCase, parameters: readonly gd.Tensor[]): gd.optim.Optimizer {
  const groups = [{ params: parameters.slice(0, 2) }, { params: parameters.slice(2), ...second }];
  return construct<gd.optim.Optimizer>(optim, type, [groups, options]);
}

async function expectState(optimizer: gd.optim.Optimizer, state: TrajectoryCase["state"]): Promise<void> {
  const own = optimizer.stateDict().state;
  for (const [index, entry] of Object.entries(state)) {
    expect(Object.keys(own[index] ?? {}).sort()).toEqual(Object.keys(entry).sort());
    for (const [name, value] of Object.entries(entry)) {
      // PyTorch keeps some of these numbers as float32.
      if (typeof value === "number") expect(own[index][name], `${name} of ${index}`).toBeCloseTo(value, 6);
      else await expectTensor(own[index][name] as gd.Tensor, value, `${name} of ${index}`);
    }
  }
}

/** Sets the gradients of a step and takes it. */
async function take(optimizer: gd.optim.Optimizer, parameters: readonly gd.Tensor[], step: number): Promise<void> {
  parameters.forEach((parameter, i) => {
    const gradient = gradients[step][i];
    parameter.grad = gradient === null ? null : tensorOf(gradient);
  });
  await optimizer.step();
}

const titles = optimGolden.optimizers.map((each) => {
  const { type, options, second } = each;
  return [`${type} with ${JSON.stringify(options)}, the second group ${JSON.stringify(second)}`, each] as const;
});

describe("20 steps agree with PyTorch, two parameters going without a gradient once", () => {
  test.each(titles)("%s", async (_title, one) => {
    const parameters = start.map((value) => new nn.Parameter(tensorOf(value)));
    const optimizer = make(one, parameters);
    for (const [step, expected] of one.trajectory.entries()) {
      await take(optimizer, parameters, step);
      for (const [i, data] of expected.entries()) {
        await expectTensor(parameters[i], { ...start[i], data }, `parameter ${i} after step ${step + 1}`);
      }
    }
    await expectState(optimizer, one.state);
  });
});

describe("a state dict of PyTorch's is taken over:", () => {
  test.each(titles)("%s", async (_title, one) => {
    const state: Record<string, Record<string, gd.optim.StateValue>> = {};
    for (const [index, entry] of Object.entries(one.state)) {
      // Where Gradus has a number PyTorch often has a tensor of one element.
      const values = Object.entries(entry).map(([name, value]) => {
        return [name, typeof value === "number" ? gd.tensor(value) : tensorOf(value)] as const;
      });
      state[index] = Object.fromEntries(values);
    }
    const parameters = start.map((value) => new nn.Parameter(tensorOf(value)));
    const optimizer = make(one, parameters);
    const { param_groups } = optimizer.stateDict();
    optimizer.loadStateDict({ state, param_groups });
    await expectState(optimizer, one.state);
    await take(optimizer, parameters, 1);
    expect(optimizer.stateDict().state[0].step ?? 21).toBe(21);
  });
});
