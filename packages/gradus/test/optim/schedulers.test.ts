// Learning-rate schedulers against PyTorch, epoch by epoch, alone and made of each other; and going on from a state.

import * as gd from "gradus";
import { describe, expect, test } from "vitest";
import { construct, nnGolden, titleOf } from "../support/nn-golden.ts";
import { nameOf, optimGolden, type ScheduleCase, schedulerOf } from "./golden.ts";

const { nn, optim } = gd;

const sgd = () => new optim.SGD([new nn.Parameter(gd.ones([1]))], { lr: 0.2, momentum: 0.9 });

/** Two groups, as in the golden data. */
function twoGroups(kind: ScheduleCase["optimizer"] = "SGD"): gd.optim.Optimizer {
  const groups = [{ params: [new nn.Parameter(gd.ones([1]))] }, { params: [new nn.Parameter(gd.ones([2]))], lr: 0.05 }];
  return construct(optim, kind, [groups, { lr: 0.2, ...(kind === "SGD" ? { momentum: 0.9 } : {}) }]);
}

const momentumOf = (group: unknown): number => {
  const { betas, momentum } = group as { betas?: readonly [number, number]; momentum?: number };
  return betas?.[0] ?? momentum!;
};

/** What the optimizer's groups say after an epoch. */
function expectEpoch(optimizer: gd.optim.Optimizer, { rates, momenta }: ScheduleCase, epoch: number): void {
  optimizer.paramGroups.forEach((group, i) => {
    // The rates follow from each other, here and there in float64 but not in the same order of operations.
    expect(group.lr, `rate of group ${i} in epoch ${epoch}`).toBeCloseTo(rates[epoch][i], 12);
    expect(momentumOf(group), `momentum of group ${i} in epoch ${epoch}`).toBeCloseTo(momenta[epoch][i], 12);
  });
}

const titles = optimGolden.schedulers.map(
  (each) => [`${nameOf(each.description)} on ${each.optimizer}`, each] as const,
);

describe("the rates and momenta of PyTorch over 30 epochs", () => {
  test.each(titles)("%s", (_title, one) => {
    const optimizer = twoGroups(one.optimizer);
    const scheduler = schedulerOf(optimizer, one.description);
    for (const epoch of one.rates.keys()) {
      if (epoch > 0) scheduler.step();
      expectEpoch(optimizer, one, epoch);
      expect(scheduler.getLastLr()).toEqual(optimizer.paramGroups.map(({ lr }) => lr));
    }
  });

  test.each(nnGolden.schedulers.map((each) => [titleOf(each.type, [...each.args, each.options]), each] as const))(
    "%s on one group",
    (_title, { type, args, options, rates, momenta }) => {
      const optimizer = sgd();
      const scheduler = construct<gd.optim.LRScheduler>(optim, type, [optimizer, ...args, options]);
      const [group] = optimizer.paramGroups;
      rates.forEach((rate, epoch) => {
        if (epoch > 0) scheduler.step();
        expect(group.lr, `rate of epoch ${epoch}`).toBeCloseTo(rate, 10);
        expect(group.momentum, `momentum of epoch ${epoch}`).toBeCloseTo(momenta[epoch], 10);
      });
    },
  );
});

describe("a scheduler goes on from a state that went through JSON", () => {
  test.each(titles)("%s", (_title, one) => {
    for (const pause of [1, 7, 13, 22]) {
      const first = schedulerOf(twoGroups(one.optimizer), one.description);
      for (let epoch = 0; epoch < pause; epoch++) first.step();
      const optimizer = twoGroups(one.optimizer);
      const resumed = schedulerOf(optimizer, one.description);
      resumed.loadStateDict(JSON.parse(JSON.stringify(first.stateDict())));
      for (let epoch = pause; epoch < one.rates.length; epoch++) {
        if (epoch > pause) resumed.step();
        expectEpoch(optimizer, one, epoch);
      }
    }
  });
});

describe("ReduceLROnPlateau", () => {
  const cases = optimGolden.plateaus.map((each) => [JSON.stringify(each.options), each] as const);

  test.each(cases)("with %s does as PyTorch's, and goes on from a state", (_title, { options, metrics, rates }) => {
    let optimizer = twoGroups();
    let plateau = new optim.ReduceLROnPlateau(optimizer, options);
    metrics.forEach((metric, epoch) => {
      if ([0, 9, 20].includes(epoch)) {
        const state = JSON.parse(JSON.stringify(plateau.stateDict()));
        optimizer = twoGroups();
        plateau = new optim.ReduceLROnPlateau(optimizer, options);
        plateau.loadStateDict(state);
      }
      plateau.step(Number(metric));
      rates[epoch].forEach((rate, i) => {
        expect(optimizer.paramGroups[i].lr, `rate of group ${i} in epoch ${epoch}`).toBeCloseTo(rate, 14);
      });
      expect(plateau.getLastLr()).toEqual(optimizer.paramGroups.map(({ lr }) => lr));
    });
  });

  test("refuses a factor that would not lower the rate, and modes that are none", () => {
    expect(() => new optim.ReduceLROnPlateau(sgd(), { factor: 1 })).toThrow(/factor is 1/);
    expect(() => new optim.ReduceLROnPlateau(sgd(), { mode: "least" as "min" })).toThrow(/mode "least"/);
    expect(() => new optim.ReduceLROnPlateau(sgd(), { minLr: [0, 1] })).toThrow(/2 of minLr for 1 parameter groups/);
  });
});

describe("CyclicLR", () => {
  test("scales its cycles by a function of one's own", () => {
    const optimizer = sgd();
    const scaleFn = (cycle: number): number => 1 / cycle;
    const scheduler = new optim.CyclicLR(optimizer, 0.1, 0.5, { stepSizeUp: 1, scaleFn, cycleMomentum: false });
    const rates = [optimizer.paramGroups[0].lr];
    for (let step = 0; step < 5; step++) {
      scheduler.step();
      rates.push(optimizer.paramGroups[0].lr);
    }
    for (const [i, rate] of [0.1, 0.5, 0.1, 0.3, 0.1, 0.1 + 0.4 / 3].entries()) expect(rates[i]).toBeCloseTo(rate, 12);
  });

  test("cycles Adam's first beta, and refuses an optimizer without a momentum", () => {
    const adam = new optim.Adam([new nn.Parameter(gd.ones([1]))]);
    const scheduler = new optim.CyclicLR(adam, 0.1, 0.5, { stepSizeUp: 2 });
    expect(adam.paramGroups[0].betas).toEqual([0.9, 0.999]);
    scheduler.step();
    scheduler.step();
    expect(adam.paramGroups[0].betas[0]).toBeCloseTo(0.8, 12);
    const adagrad = new optim.Adagrad([new nn.Parameter(gd.ones([1]))]);
    expect(() => new optim.CyclicLR(adagrad, 0.1, 0.5)).toThrow(/no momentum/);
    expect(() => new optim.OneCycleLR(adagrad, 0.1, { totalSteps: 9 })).toThrow(/no momentum/);
  });
});

test("OneCycleLR says when its cycle is over", () => {
  const scheduler = new optim.OneCycleLR(sgd(), 0.5, { totalSteps: 3 });
  for (let step = 0; step < 3; step++) scheduler.step();
  expect(() => scheduler.step()).toThrow(/3 steps is over/);
});

describe("schedulers refuse what makes no sense", () => {
  const cases: Readonly<Record<string, [() => unknown, RegExp]>> = {
    "a step size of 0": [() => new optim.StepLR(sgd(), 0), /stepSize is 0/],
    "a cosine of no length": [() => new optim.CosineAnnealingLR(sgd(), 0), /tMax is 0/],
    "restarts that come sooner and sooner": [
      () => new optim.CosineAnnealingWarmRestarts(sgd(), 3, { tMult: 0.5 }),
      /tMult is 0.5/,
    ],
    "a warm-up from nothing": [() => new optim.LinearLR(sgd(), { startFactor: 0 }), /startFactor is 0/],
    "a factor above 1": [() => new optim.ConstantLR(sgd(), { factor: 2 }), /factor is 2/],
    "functions for other groups": [() => new optim.LambdaLR(sgd(), [() => 1, () => 2]), /2 of functions for 1/],
    "a cycle of no steps": [() => new optim.OneCycleLR(sgd(), 1, { epochs: 3 }), /a cycle of 0 steps/],
    "a mode that is none": [() => new optim.CyclicLR(sgd(), 0, 1, { mode: "round" as "triangular" }), /mode "round"/],
    "milestones that do not fit": [
      () => {
        const optimizer = sgd();
        return new optim.SequentialLR(optimizer, [new optim.StepLR(optimizer, 2)], [3]);
      },
      /1 milestones for 1 schedulers/,
    ],
    "schedulers of different optimizers": [
      () => new optim.ChainedScheduler([new optim.StepLR(sgd(), 2), new optim.StepLR(sgd(), 2)]),
      /scheduler 1 is of another optimizer/,
    ],
    "no schedulers": [() => new optim.ChainedScheduler([]), /no schedulers/],
    "a state of other groups": [
      () => new optim.StepLR(sgd(), 2).loadStateDict(new optim.StepLR(twoGroups(), 2).stateDict()),
      /2 parameter groups, the optimizer has 1/,
    ],
  };
  test.each(Object.entries(cases))("%s", (_title, [make, message]) => {
    expect(make).toThrow(message);
  });
});

test("a chain in a sequence begins anew at its milestone", () => {
  const optimizer = sgd();
  const chain = new optim.ChainedScheduler([
    new optim.ConstantLR(optimizer, { factor: 0.5, totalIters: 2 }),
    new optim.ExponentialLR(optimizer, 0.9),
  ]);
  const scheduler = new optim.SequentialLR(optimizer, [new optim.ExponentialLR(optimizer, 0.5), chain], [2]);
  const rates = [optimizer.paramGroups[0].lr];
  for (let epoch = 0; epoch < 5; epoch++) {
    scheduler.step();
    rates.push(optimizer.paramGroups[0].lr);
  }
  const expected = [0.2, 0.1, 0.1, 0.09, 0.162, 0.1458];
  for (const [i, rate] of expected.entries()) expect(rates[i]).toBeCloseTo(rate, 12);
});

describe("a group that is added after the scheduler", () => {
  /** The rates of the old and of the added group, which begins with 0.5, after two epochs. */
  function ratesAfterTwo(make: (optimizer: gd.optim.Optimizer) => gd.optim.LRScheduler): number[] {
    const optimizer = sgd();
    const scheduler = make(optimizer);
    optimizer.addParamGroup({ params: [new nn.Parameter(gd.ones([2]))], lr: 0.5 });
    scheduler.step();
    scheduler.step();
    return scheduler.getLastLr();
  }

  test.each([
    ["StepLR", (optimizer: gd.optim.Optimizer) => new optim.StepLR(optimizer, 2, { gamma: 0.5 }), 0.25],
    ["ExponentialLR", (optimizer: gd.optim.Optimizer) => new optim.ExponentialLR(optimizer, 0.1), 0.005],
  ])("follows %s, as in PyTorch", (_title, make, expected) => {
    expect(ratesAfterTwo(make)[1]).toBeCloseTo(expected, 12);
  });

  const others: Readonly<Record<string, (optimizer: gd.optim.Optimizer) => gd.optim.LRScheduler<never>>> = {
    LambdaLR: (optimizer) => new optim.LambdaLR(optimizer, (epoch) => 1 / (1 + epoch)),
    CosineAnnealingLR: (optimizer) => new optim.CosineAnnealingLR(optimizer, 4),
    CosineAnnealingWarmRestarts: (optimizer) => new optim.CosineAnnealingWarmRestarts(optimizer, 4),
    OneCycleLR: (optimizer) => new optim.OneCycleLR(optimizer, 1, { totalSteps: 9 }),
    CyclicLR: (optimizer) => new optim.CyclicLR(optimizer, 0.1, 1, { stepSizeUp: 4 }),
  };
  test.each(Object.entries(others))("keeps its rate under %s", (_title, make) => {
    const [old, added] = ratesAfterTwo(make as unknown as Parameters<typeof ratesAfterTwo>[0]);
    expect(old).not.toBe(0.2);
    expect(added).toBe(0.5);
  });

  test("is part of the state", () => {
    const optimizer = sgd();
    const scheduler = new optim.LambdaLR(optimizer, (epoch) => 1 / (1 + epoch));
    optimizer.addParamGroup({ params: [new nn.Parameter(gd.ones([2]))], lr: 0.5 });
    scheduler.step();
    const resumed = new optim.LambdaLR(twoGroups(), (epoch) => 1 / (1 + epoch));
    resumed.loadStateDict(scheduler.stateDict());
    for (const each of [scheduler, resumed]) {
      each.step();
      expect(each.getLastLr()[0]).toBeCloseTo(0.2 / 3, 12);
      expect(each.getLastLr()[1]).toBe(0.5);
    }
  });
});
