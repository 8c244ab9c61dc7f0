// Optimizers against PyTorch, step by step, and what is Gradus's own: one program for all steps.

import * as gd from "gradus";
import { beforeAll, describe, expect, test } from "vitest";
import { useDevice } from "../support/device.ts";
import { numbersOf, type StoredTensor } from "../support/golden.ts";
import { construct, expectTensor, nnGolden, normal, tensorOf, titleOf } from "../support/nn-golden.ts";

const { nn, optim } = gd;
beforeAll(useDevice);

const makers: Record<string, (params: Iterable<gd.Tensor>) => gd.optim.Optimizer> = {
  "SGD with momentum and dampening": (p) =>
    new optim.SGD(p, { lr: 0.1, momentum: 0.9, dampening: 0.2, weightDecay: 0.01 }),
  "Adam with AMSGrad": (p) => new optim.Adam(p, { lr: 0.01, amsgrad: true }),
  AdamW: (p) => new optim.AdamW(p, { lr: 0.01 }),
};

describe("five steps agree with PyTorch, one parameter going without a gradient once", () => {
  test.each(nnGolden.optimizers.map((each) => [titleOf(each.type, [each.options]), each] as const))(
    "%s",
    async (_title, { type, options, start, steps, state }) => {
      const parameters = start.map((value) => new nn.Parameter(tensorOf(value)));
      const optimizer = construct<gd.optim.Optimizer>(optim, type, [parameters, options]);
      for (const [number, step] of steps.entries()) {
        parameters.forEach((parameter, i) => {
          const gradient = step.gradients[i];
          parameter.grad = gradient === null ? null : tensorOf(gradient);
        });
        await optimizer.step();
        for (const [i, expected] of step.parameters.entries()) {
          await expectTensor(parameters[i], expected, `parameter ${i} after step ${number + 1}`);
        }
      }
      const own = optimizer.stateDict().state;
      expect(Object.keys(own)).toEqual(Object.keys(state).filter((key) => Object.keys(state[key]).length > 0));
      for (const [index, entry] of Object.entries(state)) {
        expect(Object.keys(own[index] ?? {}).sort()).toEqual(Object.keys(entry).sort());
        for (const [name, value] of Object.entries(entry)) {
          if (typeof value === "number") expect(own[index][name]).toBe(value);
          else await expectTensor(own[index][name] as gd.Tensor, value, `${name} of ${index}`);
        }
      }
    },
  );
});

const layers = () => new nn.Sequential(new nn.Linear(3, 4), new nn.Tanh(), new nn.Linear(4, 1));

async function train(model: gd.nn.Module, optimizer: gd.optim.Optimizer, steps: number, seed = 1): Promise<number[]> {
  const losses: number[] = [];
  for (let step = 0; step < steps; step++) {
    optimizer.zeroGrad();
    const loss = model
      .forward(normal([5, 3], seed + step))
      .square()
      .mean();
    loss.backward();
    await optimizer.step();
    losses.push(await loss.item());
  }
  return losses;
}

describe("a training loop", () => {
  test.each(Object.entries(makers))(
    "of %s makes no new program after its second step, whatever happens to the learning rate",
    async (_name, make) => {
      gd.manualSeed(4);
      const model = layers();
      const optimizer = make(model.parameters());
      await train(model, optimizer, 2);
      const before = gd.statistics();
      for (let step = 1; step < 6; step++) {
        optimizer.paramGroups[0].lr *= 0.9;
        await train(model, optimizer, 1, 100 * step);
      }
      const after = gd.statistics();
      expect(after.programsCompiled - before.programsCompiled).toBe(0);
      expect(after.flushes - before.flushes).toBe(5);
    },
  );

  test.each(Object.entries(makers))("of %s goes on from a state dict as if it had not stopped", async (_name, make) => {
    gd.manualSeed(4);
    const model = layers();
    const optimizer = make(model.parameters());
    await train(model, optimizer, 3);
    const values = async (tensor: gd.Tensor) => gd.tensor(await tensor.data()).reshape(tensor.shape);
    const saved = new Map<string, gd.Tensor>();
    for (const [key, tensor] of model.stateDict()) saved.set(key, await values(tensor));
    const { state, param_groups } = optimizer.stateDict();
    const savedState: Record<string, Record<string, gd.optim.StateValue>> = {};
    for (const [index, entry] of Object.entries(state)) {
      savedState[index] = {};
      for (const [name, value] of Object.entries(entry)) {
        savedState[index][name] = gd.isTensor(value) ? await values(value) : value;
      }
    }
    const went = await train(model, optimizer, 3, 50);
    const again = layers();
    const resumed = make(again.parameters());
    resumed.paramGroups[0].lr = 77;
    again.loadStateDict(saved);
    resumed.loadStateDict({ state: savedState, param_groups });
    expect(resumed.paramGroups[0].lr).toBe(optimizer.paramGroups[0].lr);
    expect(await train(again, resumed, 3, 50)).toEqual(went);
  });

  test("loads a step count that is a tensor, as PyTorch saves it", () => {
    const optimizer = new optim.Adam([new nn.Parameter(gd.ones([2]))]);
    const entry = { step: gd.tensor(3), exp_avg: gd.tensor([0.5, -1]), exp_avg_sq: gd.tensor([0.25, 2]) };
    optimizer.loadStateDict({ state: { 0: entry }, param_groups: [{ lr: 0.1, params: [0] }] });
    expect(optimizer.stateDict().state[0].step).toBe(3);
  });

  test("lowers a loss", async () => {
    gd.manualSeed(4);
    const model = layers();
    const losses = await train(model, new optim.SGD(model.parameters(), { lr: 0.1 }), 30);
    expect(losses.at(-1)!).toBeLessThan(losses[0] / 5);
  });
});

describe("parameter groups", () => {
  test("have their own options, and take those of the optimizer for the rest", async () => {
    const [a, b] = [new nn.Parameter(gd.ones([2])), new nn.Parameter(gd.ones([2]))];
    const optimizer = new optim.SGD([{ params: [a] }, { params: [b], lr: 1 }], { lr: 0.5, weightDecay: 0 });
    a.grad = gd.ones([2]);
    b.grad = gd.ones([2]);
    await optimizer.step();
    expect(Array.from(await a.data())).toEqual([0.5, 0.5]);
    expect(Array.from(await b.data())).toEqual([0, 0]);
    const { param_groups } = optimizer.stateDict();
    expect(param_groups).toMatchObject([
      { lr: 0.5, weight_decay: 0, params: [0] },
      { lr: 1, weight_decay: 0, params: [1] },
    ]);
  });

  test("can be added later, but hold a parameter only once", () => {
    const parameter = new nn.Parameter(gd.ones([2]));
    const optimizer = new optim.Adam([new nn.Parameter(gd.ones([2]))]);
    optimizer.addParamGroup({ params: parameter, lr: 0.5 });
    expect(optimizer.paramGroups.map(({ lr }) => lr)).toEqual([0.001, 0.5]);
    expect(() => optimizer.addParamGroup({ params: [parameter] })).toThrow(/more than one group/);
  });

  test("refuse what cannot be optimized", () => {
    const parameter = new nn.Parameter(gd.ones([2]));
    expect(() => new optim.SGD([])).toThrow(/no parameters/);
    expect(() => new optim.SGD([parameter], { lr: -1 })).toThrow(/lr is -1/);
    expect(() => new optim.SGD([parameter], { nesterov: true })).toThrow(/nesterov/);
    expect(() => new optim.Adam([parameter], { betas: [1, 0.9] })).toThrow(/betas\[0\] is 1/);
    expect(() => new optim.SGD([parameter.mul(2)])).toThrow(/computed tensor/);
    expect(() => new optim.SGD([parameter]).loadStateDict({ state: {}, param_groups: [{ params: [0, 1] }] })).toThrow(
      optim.OptimizerStateError,
    );
  });
});

describe("clipping", () => {
  test.each(nnGolden.clips.map((clip) => [`norm ${clip.normType} to ${clip.maxNorm}`, clip] as const))(
    "gradients by %s agrees with PyTorch",
    async (_title, { normType, maxNorm, gradients, total, clipped }) => {
      const parameters = gradients.map((gradient) => {
        const parameter = new nn.Parameter(gd.ones(gradient.shape));
        parameter.grad = tensorOf(gradient);
        return parameter;
      });
      const options = { normType: numbersOf([normType as StoredTensor["data"][number]])[0] };
      const norm = nn.utils.clipGradNorm_(parameters, maxNorm, options);
      expect(await norm.item()).toBeCloseTo(total, 5);
      for (const [i, expected] of clipped.entries()) await expectTensor(parameters[i].grad!, expected, `gradient ${i}`);
    },
  );

  test("by value limits every element", async () => {
    const parameter = new nn.Parameter(gd.ones([3]));
    parameter.grad = gd.tensor([-3, 0.5, 2]);
    nn.utils.clipGradValue_([parameter], 1);
    expect(Array.from(await parameter.grad.data())).toEqual([-1, 0.5, 1]);
  });
});
