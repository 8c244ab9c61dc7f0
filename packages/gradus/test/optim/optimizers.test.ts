// Optimizers against PyTorch, step by step, and what is Gradus's own: one program for all steps, and a step that fails
// leaves no trace. Longer trajectories are in trajectories.test.ts, LBFGS is in lbfgs.test.ts.

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
  "SGD with Nesterov's momentum": (p) => new optim.SGD(p, { lr: 0.1, momentum: 0.9, nesterov: true }),
  "Adam with AMSGrad": (p) => new optim.Adam(p, { lr: 0.01, amsgrad: true }),
  AdamW: (p) => new optim.AdamW(p, { lr: 0.01 }),
  NAdam: (p) => new optim.NAdam(p, { lr: 0.01, weightDecay: 0.01 }),
  // Its steps begin to be rectified at the sixth.
  RAdam: (p) => new optim.RAdam(p, { lr: 0.01, weightDecay: 0.01, decoupledWeightDecay: true }),
  Adamax: (p) => new optim.Adamax(p, { lr: 0.01 }),
  "RMSprop, centered and with momentum": (p) =>
    new optim.RMSprop(p, { lr: 0.01, centered: true, momentum: 0.9, weightDecay: 0.01 }),
  Adagrad: (p) => new optim.Adagrad(p, { lr: 0.05, lrDecay: 0.1, initialAccumulatorValue: 0.1 }),
  Adadelta: (p) => new optim.Adadelta(p, { weightDecay: 0.01 }),
  Rprop: (p) => new optim.Rprop(p, { lr: 0.01 }),
  "ASGD that averages from the third step": (p) => new optim.ASGD(p, { lr: 0.05, t0: 2, lambd: 0.01 }),
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
    "of %s makes no new program after its second step, whatever happens to the rate, the decay and the momentum",
    async (_name, make) => {
      gd.manualSeed(4);
      const model = layers();
      const optimizer = make(model.parameters());
      await train(model, optimizer, 2);
      const before = gd.statistics();
      const group: Record<string, unknown> & { lr: number } = optimizer.paramGroups[0];
      for (let step = 1; step < 8; step++) {
        group.lr *= 0.9;
        for (const name of ["weightDecay", "momentum", "dampening", "eps", "alpha", "rho"]) {
          if (typeof group[name] === "number") group[name] *= 0.95;
        }
        if (Array.isArray(group.betas)) group.betas = group.betas.map((beta: number) => beta * 0.99);
        await train(model, optimizer, 1, 100 * step);
      }
      const after = gd.statistics();
      expect(after.programsCompiled - before.programsCompiled).toBe(0);
      expect(after.flushes - before.flushes).toBe(7);
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

  test.each(Object.entries(makers))("of %s lowers a loss", async (_name, make) => {
    gd.manualSeed(4);
    const model = layers();
    const optimizer = make(model.parameters());
    const losses: number[] = [];
    // The same samples in every step, or Rprop would see nothing but noise.
    for (let step = 0; step < 40; step++) losses.push(...(await train(model, optimizer, 1, 9)));
    expect(losses.at(-1)!).toBeLessThan(losses[0] * 0.7);
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
    expect(() => new optim.NAdam([parameter], { momentumDecay: -1 })).toThrow(/momentumDecay is -1/);
    expect(() => new optim.RAdam([parameter], { betas: [0.9, 1] })).toThrow(/betas\[1\] is 1/);
    expect(() => new optim.Adamax([parameter], { eps: Number.NaN })).toThrow(/eps is NaN/);
    expect(() => new optim.RMSprop([parameter], { alpha: 1.5 })).toThrow(/alpha is 1.5. Use a number from 0 to 1\./);
    expect(() => new optim.Adagrad([parameter], { lrDecay: -0.1 })).toThrow(/lrDecay is -0.1/);
    expect(() => new optim.Adadelta([parameter], { rho: -0.1 })).toThrow(/rho is -0.1/);
    expect(() => new optim.Rprop([parameter], { etas: [1.2, 0.5] })).toThrow(/etas are 1.2 and 0.5/);
    expect(() => new optim.Rprop([parameter], { stepSizes: [2, 1] })).toThrow(/stepSizes are 2 and 1/);
    expect(() => new optim.ASGD([parameter], { lambd: -1 })).toThrow(/lambd is -1/);
    expect(() => new optim.SGD([{ params: [parameter], weightDecay: -1 }])).toThrow(/weightDecay is -1/);
    expect(() => new optim.SGD([parameter.mul(2)])).toThrow(/computed tensor/);
    expect(() => new optim.SGD([parameter]).loadStateDict({ state: {}, param_groups: [{ params: [0, 1] }] })).toThrow(
      optim.OptimizerStateError,
    );
  });
});

describe("a step that fails", () => {
  /** Takes the gradient of some rows; a row that is not there makes the program fail. */
  async function step(optimizer: gd.optim.Optimizer, table: gd.Tensor, rows: readonly number[]): Promise<void> {
    optimizer.zeroGrad();
    const chosen = table.indexSelect(0, gd.tensor([...rows], { dtype: "int32" }));
    chosen.square().sum().backward();
    await optimizer.step();
  }

  /** All of a parameter and its state as numbers. */
  async function everything(optimizer: gd.optim.Optimizer, table: gd.Tensor): Promise<unknown> {
    const { state } = optimizer.stateDict();
    const values: Record<string, unknown> = { table: Array.from(await table.data()) };
    for (const [name, value] of Object.entries(state[0] ?? {})) {
      values[name] = gd.isTensor(value) ? Array.from(await value.data()) : value;
    }
    return values;
  }

  test.each(Object.entries(makers))("leaves %s as it was", async (_name, make) => {
    const [start, twin] = [0, 1].map(() => new nn.Parameter(normal([4, 3], 5)));
    const [optimizer, other] = [make([start]), make([twin])];
    await expect(step(optimizer, start, [0, 9])).rejects.toThrow(/index|range/i);
    expect(optimizer.stateDict().state).toEqual({});
    for (const rows of [
      [0, 1],
      [2, 0],
      [3, 3],
    ]) {
      // biome-ignore format: rows
      await step(optimizer, start, rows);
      await step(other, twin, rows);
      const before = await everything(optimizer, start);
      await expect(step(optimizer, start, [1, 7])).rejects.toThrow(/index|range/i);
      expect(await everything(optimizer, start)).toEqual(before);
      expect(before).toEqual(await everything(other, twin));
    }
  });

  test("because one gradient is stale changes no other parameter of the optimizer", async () => {
    const [p, q] = [new nn.Parameter(gd.ones([2])), new nn.Parameter(gd.ones([2]))];
    const optimizer = new optim.Adam([p, q], { lr: 0.25 });
    const take = async (loss: gd.Tensor): Promise<void> => {
      optimizer.zeroGrad();
      loss.backward();
      await optimizer.step();
    };
    const old = p.mul(3);
    for (let i = 0; i < 3; i++) await take(p.sum().add(q.sum()));
    const before = await everything(optimizer, p);
    const other = await q.toArray();
    await expect(take(old.mul(q).sum().add(p.square().sum()))).rejects.toThrow(gd.StaleTensorError);
    expect(await everything(optimizer, p)).toEqual(before);
    expect(await q.toArray()).toEqual(other);
    expect(optimizer.stateDict().state[1].step).toBe(3);
    await take(p.sum().add(q.sum()));
    expect(optimizer.stateDict().state[0].step).toBe(4);
    // Adam goes 0.25 a step where the gradient is always 1.
    for (const tensor of [p, q]) for (const value of await tensor.data()) expect(value).toBeCloseTo(0, 5);
  });

  test("because a gradient has another shape says so", async () => {
    const parameter = new nn.Parameter(gd.ones([2]));
    const optimizer = new optim.SGD([parameter], { lr: 1 });
    parameter.grad = gd.ones([3]);
    await expect(optimizer.step()).rejects.toThrow(
      /SGD: a gradient must have its parameter's shape \(given \[2\] and \[3\]/,
    );
    expect(await parameter.toArray()).toEqual([1, 1]);
  });
});

describe("a closure", () => {
  test.each(Object.entries(makers))(
    "computes the loss for %s, in the same program as the step",
    async (_name, make) => {
      gd.manualSeed(4);
      const [model, twin] = [layers(), layers()];
      twin.loadStateDict(model.stateDict());
      const [optimizer, other] = [make(model.parameters()), make(twin.parameters())];
      const losses: number[] = [];
      for (let step = 0; step < 3; step++) {
        const { flushes } = gd.statistics();
        const loss = await gd.noGrad(() =>
          optimizer.step(async () => {
            optimizer.zeroGrad();
            const value = model
              .forward(normal([5, 3], 1 + step))
              .square()
              .mean();
            value.backward();
            return value;
          }),
        );
        // The first program makes the initial values.
        if (step > 0) expect(gd.statistics().flushes - flushes).toBe(1);
        losses.push(await loss.item());
      }
      expect(losses).toEqual(await train(twin, other, 3));
    },
  );
});

describe("accumulated gradients", () => {
  const samples = 12;

  /** Trains on all samples, `parts` at a time, and gives the programs compiled by step and the most bytes held. */
  async function trainInParts(parts: number, between: (optimizer: gd.optim.Optimizer) => Promise<void>) {
    gd.manualSeed(4);
    const model = layers();
    const optimizer = new optim.Adam(model.parameters(), { lr: 0.05 });
    const compiled: number[] = [];
    const bytes: number[] = [];
    for (let step = 0; step < 8; step++) {
      const { programsCompiled } = gd.statistics();
      const x = normal([samples, 3], step);
      optimizer.zeroGrad();
      for (let part = 0; part < parts; part++) {
        const size = samples / parts;
        model
          .forward(x.narrow(0, part * size, size))
          .square()
          .mean()
          .div(parts)
          .backward();
        await between(optimizer);
      }
      await optimizer.step();
      compiled.push(gd.statistics().programsCompiled - programsCompiled);
      bytes.push(gd.memory().arenaBytes);
    }
    const weights: number[] = [];
    for (const parameter of model.parameters()) weights.push(...(await parameter.data()));
    return { weights, compiled, bytes };
  }

  const nothing = async (): Promise<void> => undefined;

  test.each([
    ["in one program", nothing],
    ["computed part by part", (optimizer: gd.optim.Optimizer) => optimizer.accumulate()],
  ] as const)("of 4 micro-batches, %s, make the step of one large batch", async (_title, between) => {
    const whole = await trainInParts(1, nothing);
    const { weights, compiled, bytes } = await trainInParts(4, between);
    // The sums are taken in another order, which Adam's division by the root of the square does not enlarge.
    weights.forEach((weight, i) => {
      expect(weight).toBeCloseTo(whole.weights[i], 5);
    });
    expect(compiled.slice(2)).toEqual([0, 0, 0, 0, 0, 0]);
    expect(new Set(bytes.slice(2)).size).toBe(1);
  });

  test("computed part by part need the memory of one part", async () => {
    gd.manualSeed(4);
    const model = new nn.Sequential(new nn.Linear(4, 32), new nn.Tanh(), new nn.Linear(32, 1));
    const optimizer = new optim.SGD(model.parameters(), { lr: 0.01 });
    const backward = (seed: number): void =>
      model
        .forward(normal([64, 4], seed))
        .square()
        .mean()
        .backward();
    const most = async (accumulate: boolean): Promise<number> => {
      let bytes = 0;
      for (let step = 0; step < 2; step++) {
        optimizer.zeroGrad();
        for (let part = 0; part < 4; part++) {
          backward(part);
          if (accumulate) await optimizer.accumulate();
          bytes = Math.max(bytes, gd.memory().arenaBytes);
        }
        await optimizer.step();
        bytes = Math.max(bytes, gd.memory().arenaBytes);
      }
      return bytes;
    };
    const [parts, whole] = [await most(true), await most(false)];
    // The reference device has no arena.
    if (whole > 0) expect(parts).toBeLessThan(whole);
  });

  test("are nothing to compute where there are none", async () => {
    const optimizer = new optim.SGD([new nn.Parameter(gd.ones([2]))]);
    await gd.flush();
    const { flushes } = gd.statistics();
    await optimizer.accumulate();
    expect(gd.statistics().flushes).toBe(flushes);
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
