// Learning-rate schedulers against PyTorch.

import * as gd from "gradus";
import { describe, expect, test } from "vitest";
import { construct, nnGolden, titleOf } from "../support/nn-golden.ts";

const { nn, optim } = gd;

const sgd = () => new optim.SGD([new nn.Parameter(gd.ones([1]))], { lr: 0.2, momentum: 0.9 });

describe("the rates and momenta of PyTorch", () => {
  test.each(nnGolden.schedulers.map((each) => [titleOf(each.type, [...each.args, each.options]), each] as const))(
    "%s",
    (_title, { type, args, options, rates, momenta }) => {
      const optimizer = sgd();
      const scheduler = construct<gd.optim.LRScheduler>(optim, type, [optimizer, ...args, options]);
      const [group] = optimizer.paramGroups;
      rates.forEach((rate, epoch) => {
        if (epoch > 0) scheduler.step();
        expect(group.lr, `rate of epoch ${epoch}`).toBeCloseTo(rate, 10);
        expect(scheduler.getLastLr()).toEqual([group.lr]);
        expect(group.momentum, `momentum of epoch ${epoch}`).toBeCloseTo(momenta[epoch], 10);
      });
    },
  );
});

test("LambdaLR multiplies the first rate by a function of the epoch", () => {
  const optimizer = sgd();
  const scheduler = new optim.LambdaLR(optimizer, (epoch) => 1 / (1 + epoch));
  const rates = [optimizer.paramGroups[0].lr];
  for (let epoch = 0; epoch < 3; epoch++) {
    scheduler.step();
    rates.push(optimizer.paramGroups[0].lr);
  }
  for (const [i, rate] of [0.2, 0.1, 0.2 / 3, 0.05].entries()) expect(rates[i]).toBeCloseTo(rate, 12);
});

test("a scheduler goes on from its state", () => {
  const first = sgd();
  const scheduler = new optim.CosineAnnealingLR(first, 9);
  for (let epoch = 0; epoch < 4; epoch++) scheduler.step();
  const second = sgd();
  const resumed = new optim.CosineAnnealingLR(second, 9);
  resumed.loadStateDict(JSON.parse(JSON.stringify(scheduler.stateDict())));
  expect(second.paramGroups[0].lr).toBe(first.paramGroups[0].lr);
  scheduler.step();
  resumed.step();
  expect(second.paramGroups[0].lr).toBe(first.paramGroups[0].lr);
});

test("OneCycleLR says when its cycle is over", () => {
  const scheduler = new optim.OneCycleLR(sgd(), 0.5, { totalSteps: 3 });
  for (let step = 0; step < 3; step++) scheduler.step();
  expect(() => scheduler.step()).toThrow(/3 steps is over/);
});
