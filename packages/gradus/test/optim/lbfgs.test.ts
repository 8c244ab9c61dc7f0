// L-BFGS against PyTorch: the loss of every step, how often it was asked for, and where it ends; the line search and the
// recursion by themselves; and that a step that fails, a state dict and many steps do what they should.

import * as gd from "gradus";
import { beforeAll, describe, expect, test } from "vitest";
import { Curvature } from "../../src/optim/curvature.ts";
import { cubicMinimum, type LinePoint, strongWolfe } from "../../src/optim/strong-wolfe.ts";
import { useDevice } from "../support/device.ts";
import { normal, tensorOf } from "../support/nn-golden.ts";
import { type LBFGSCase, optimGolden } from "./golden.ts";

const { nn, optim } = gd;
beforeAll(useDevice);

type Problem = LBFGSCase["problem"];

/** A problem in a dtype: its parameters, and the loss of them. */
function problemOf(problem: Problem, start: LBFGSCase["start"], dtype: gd.DType) {
  const parameters = start.map((value) => new nn.Parameter(tensorOf(value).to(dtype)));
  const { matrix, target } = optimGolden.leastSquares;
  const [a, b] = [tensorOf(matrix).to(dtype), tensorOf(target).to(dtype)];
  const loss = (): gd.Tensor => {
    if (problem === "leastSquares") {
      const [weight, bias] = parameters;
      return a.matmul(weight.flatten()).add(bias).sub(b).square().sum();
    }
    const [x, y] = [parameters[0].select(0, 0), parameters[0].select(0, 1)];
    return x.rsub(1).square().add(y.sub(x.square()).square().mul(100));
  };
  return { parameters, loss };
}

function closureOf(optimizer: gd.optim.Optimizer, loss: () => gd.Tensor) {
  return () => {
    optimizer.zeroGrad();
    const value = loss();
    value.backward();
    return value;
  };
}

const titles = optimGolden.lbfgs.map((each) => [`${each.problem} with ${JSON.stringify(each.options)}`, each] as const);

describe("in float64, the steps of PyTorch", () => {
  test.each(titles)("on %s", async (_title, { problem, options, start, losses, evaluations, iterations, end }) => {
    const { parameters, loss } = problemOf(problem, start, "float64");
    const optimizer = new optim.LBFGS(parameters, options);
    const closure = closureOf(optimizer, loss);
    const found: number[] = [];
    for (let step = 0; step + 1 < losses.length; step++) found.push(await (await optimizer.step(closure)).item());
    found.push(await loss().item());
    // Every iteration enlarges rounding errors, by some powers of ten on the way through the valley; near the minimum only
    // the difference from the least loss is left to compare.
    found.forEach((value, step) => {
      expect(Math.abs(value - losses[step]), `loss ${step}`).toBeLessThan(1e-6 * losses[step] + 1e-12);
    });
    const { state } = optimizer.stateDict();
    expect(state[0].func_evals).toBe(evaluations);
    expect(state[0].n_iter).toBe(iterations);
    for (const [i, expected] of end.entries()) {
      const values = await parameters[i].data();
      expected.data.forEach((value, j) => {
        expect(values[j]).toBeCloseTo(Number(value), 5);
      });
    }
  });
});

describe("in float32", () => {
  test("the first steps on a least-squares problem are PyTorch's, and the last reaches the least loss", async () => {
    for (const { problem, options, start, losses } of optimGolden.lbfgs) {
      if (problem !== "leastSquares") continue;
      const { parameters, loss } = problemOf(problem, start, "float32");
      const optimizer = new optim.LBFGS(parameters, options);
      const closure = closureOf(optimizer, loss);
      const found: number[] = [];
      for (let step = 0; step + 1 < losses.length; step++) found.push(await (await optimizer.step(closure)).item());
      found.push(await loss().item());
      // A loss of 8 squares is known to some 1e-6; what an iteration makes of that is ten times as much at most.
      for (const step of [0, 1, losses.length - 1]) {
        expect(Math.abs(found[step] / losses[step] - 1), `${JSON.stringify(options)}, loss ${step}`).toBeLessThan(1e-4);
      }
    }
  });

  test("the minimum of Rosenbrock's valley is found", async () => {
    const [{ start }] = optimGolden.lbfgs;
    const { parameters, loss } = problemOf("rosenbrock", start, "float32");
    const optimizer = new optim.LBFGS(parameters, { lineSearchFn: "strongWolfe" });
    for (let step = 0; step < 4; step++) await optimizer.step(closureOf(optimizer, loss));
    for (const value of await parameters[0].data()) expect(value).toBeCloseTo(1, 2);
  });

  test("a hundred remembered pairs of an ill-conditioned problem are no trouble", async () => {
    const n = 30;
    // Curvatures from 1 to 1e4.
    const scale = gd.tensor(Array.from({ length: n }, (_, i) => 10 ** ((4 * i) / (n - 1))));
    const x = new nn.Parameter(normal([n], 3));
    const optimizer = new optim.LBFGS([x], { lineSearchFn: "strongWolfe", maxIter: 25 });
    const loss = (): gd.Tensor => x.square().mul(scale).sum();
    const first = await loss().item();
    for (let step = 0; step < 8; step++) await optimizer.step(closureOf(optimizer, loss));
    expect(await loss().item()).toBeLessThan(first * 1e-9);
  });
});

describe("the programs", () => {
  test.each([
    ["without a line search", null],
    ["with a line search", "strongWolfe"],
  ] as const)("%s stay the same however long the history grows", async (_title, lineSearchFn) => {
    gd.manualSeed(4);
    const model = new nn.Sequential(new nn.Linear(3, 4), new nn.Tanh(), new nn.Linear(4, 1));
    const [x, y] = [normal([20, 3], 1), normal([20, 1], 2)];
    const optimizer = new optim.LBFGS(model.parameters(), { lr: 0.1, maxIter: 4, historySize: 6, lineSearchFn });
    const closure = closureOf(optimizer, () => model.forward(x).sub(y).square().mean());
    const losses: number[] = [];
    for (let step = 0; step < 2; step++) losses.push(await (await optimizer.step(closure)).item());
    const { programsCompiled } = gd.statistics();
    for (let step = 0; step < 5; step++) {
      optimizer.paramGroups[0].lr *= 0.99;
      losses.push(await (await optimizer.step(closure)).item());
    }
    expect(gd.statistics().programsCompiled).toBe(programsCompiled);
    expect(losses.at(-1)).toBeLessThan(losses[0]);
  });

  test("are few more while the room for the history doubles", async () => {
    const { parameters, loss } = problemOf("rosenbrock", optimGolden.lbfgs[0].start, "float32");
    const optimizer = new optim.LBFGS(parameters, { lr: 0.02, maxIter: 2, historySize: 20 });
    const closure = closureOf(optimizer, loss);
    for (let step = 0; step < 2; step++) await optimizer.step(closure);
    const { programsCompiled } = gd.statistics();
    for (let step = 0; step < 20; step++) await optimizer.step(closure);
    // 8, 16, 20 rows: two changes, each of the program that widens the rows, the one that takes in a pair and the one that
    // combines them.
    expect(gd.statistics().programsCompiled - programsCompiled).toBeLessThanOrEqual(2 * 4);
  });
});

describe("a step", () => {
  test("needs a closure, which may be async and may read the loss", async () => {
    const run = async (closure: (optimizer: gd.optim.LBFGS, loss: () => gd.Tensor) => gd.optim.Closure) => {
      const { parameters, loss } = problemOf("rosenbrock", optimGolden.lbfgs[0].start, "float64");
      const optimizer = new optim.LBFGS(parameters, { lineSearchFn: "strongWolfe", maxIter: 5 });
      for (let step = 0; step < 3; step++) await optimizer.step(closure(optimizer, loss));
      return await parameters[0].toArray();
    };
    const read: number[] = [];
    const reading = await run((optimizer, loss) => async () => {
      const value = closureOf(optimizer, loss)();
      read.push(await value.item());
      return value;
    });
    expect(reading).toEqual(await run(closureOf));
    expect(read.length).toBeGreaterThan(5);
    await expect(new optim.LBFGS([new nn.Parameter(gd.ones([1]))]).step()).rejects.toThrow(/without a closure/);
  });

  test("at the minimum does nothing", async () => {
    const x = new nn.Parameter(gd.zeros([3]));
    const optimizer = new optim.LBFGS([x]);
    expect(await (await optimizer.step(closureOf(optimizer, () => x.square().sum()))).item()).toBe(0);
    expect(await x.toArray()).toEqual([0, 0, 0]);
  });

  test("ends where the loss is not finite", async () => {
    const x = new nn.Parameter(gd.tensor([-1]));
    const optimizer = new optim.LBFGS([x]);
    expect(await (await optimizer.step(closureOf(optimizer, () => x.log().sum()))).item()).toBeNaN();
    expect(await x.toArray()).toEqual([-1]);
  });

  test("with a line search steps back from where the loss is not finite", async () => {
    const x = new nn.Parameter(gd.tensor([3], { dtype: "float64" }));
    const optimizer = new optim.LBFGS([x], { lr: 10, lineSearchFn: "strongWolfe" });
    // Least at 1, and not defined below 0, where the first trial lands.
    const loss = (): gd.Tensor => x.sub(x.log()).sum();
    await optimizer.step(closureOf(optimizer, loss));
    expect(await x.item()).toBeCloseTo(1, 4);
  });

  test("counts parameters without a gradient as resting", async () => {
    const [x, y] = [new nn.Parameter(gd.tensor([2])), new nn.Parameter(gd.tensor([5]))];
    const optimizer = new optim.LBFGS([x, y]);
    await optimizer.step(closureOf(optimizer, () => x.square().sum()));
    expect(await x.item()).toBeCloseTo(0, 5);
    expect(await y.item()).toBe(5);
  });
});

describe("a step that fails", () => {
  test.each([
    ["at its first evaluation", 1],
    ["in its first iteration", 2],
    ["in the middle of a line search", 5],
  ])("%s leaves parameters and state where the last whole iteration was", async (_title, failing) => {
    const { parameters, loss } = problemOf("rosenbrock", optimGolden.lbfgs[0].start, "float64");
    const options = { lineSearchFn: "strongWolfe", maxIter: 1 } as const;
    const optimizer = new optim.LBFGS(parameters, options);
    const closure = closureOf(optimizer, loss);
    let evaluations = 0;
    const breaking = (): gd.Tensor => {
      const value = closure();
      if (++evaluations === failing) throw new Error("a broken closure");
      return value;
    };
    const before = await parameters[0].toArray();
    const step = async (): Promise<void> => {
      for (;;) await optimizer.step(breaking);
    };
    await expect(step()).rejects.toThrow("a broken closure");
    // What is left is what as many whole iterations make, and it goes on as these do.
    const done = (optimizer.stateDict().state[0]?.n_iter as number | undefined) ?? 0;
    const twin = problemOf("rosenbrock", optimGolden.lbfgs[0].start, "float64");
    const other = new optim.LBFGS(twin.parameters, options);
    for (let i = 0; i < done; i++) await other.step(closureOf(other, twin.loss));
    expect(await parameters[0].toArray()).toEqual(await twin.parameters[0].toArray());
    if (failing < 3) expect(await parameters[0].toArray()).toEqual(before);
    for (let i = 0; i < 3; i++) {
      await optimizer.step(closure);
      await other.step(closureOf(other, twin.loss));
    }
    const [x, y] = [await parameters[0].data(), await twin.parameters[0].data()];
    for (const i of [0, 1]) expect(x[i]).toBeCloseTo(y[i], 9);
  });
});

describe("a state dict", () => {
  const options = { lineSearchFn: "strongWolfe", maxIter: 3, historySize: 10 } as const;

  async function values(tensor: gd.Tensor): Promise<gd.Tensor> {
    return gd.tensor(await tensor.data()).reshape(tensor.shape);
  }

  const listOf = (rows: gd.Tensor): unknown => Array.from({ length: rows.shape[0] }, (_, i) => rows.select(0, i));

  test.each([
    ["of its own", (rows: gd.Tensor): unknown => rows],
    ["of PyTorch's, with lists", listOf],
  ])("%s goes on as if it had not stopped", async (_title, stored) => {
    const { parameters, loss } = problemOf("rosenbrock", optimGolden.lbfgs[0].start, "float64");
    const optimizer = new optim.LBFGS(parameters, options);
    for (let step = 0; step < 4; step++) await optimizer.step(closureOf(optimizer, loss));
    const { state, param_groups } = optimizer.stateDict();
    expect(param_groups[0]).toMatchObject({ line_search_fn: "strong_wolfe", history_size: 10, max_iter: 3 });
    const entry: Record<string, unknown> = { al: [] };
    for (const [name, value] of Object.entries(state[0])) {
      entry[name] = gd.isTensor(value) ? await values(value) : value;
      if (["old_dirs", "old_stps"].includes(name)) entry[name] = stored(entry[name] as gd.Tensor);
    }
    expect(Object.keys(entry).sort()).toEqual(
      [
        "H_diag",
        "al",
        "d",
        "func_evals",
        "n_iter",
        "old_dirs",
        "old_stps",
        "prev_flat_grad",
        "prev_loss",
        "ro",
        "t",
      ].sort(),
    );
    const again = problemOf("rosenbrock", optimGolden.lbfgs[0].start, "float64");
    gd.noGrad(() => again.parameters[0].copy_(parameters[0]));
    const resumed = new optim.LBFGS(again.parameters, { lr: 9 });
    resumed.loadStateDict({ state: { 0: entry as Record<string, gd.optim.StateValue> }, param_groups });
    // Saved again at once it is the same.
    const saved = resumed.stateDict().state[0];
    for (const [name, value] of Object.entries(state[0])) {
      if (gd.isTensor(value)) expect(await (saved[name] as gd.Tensor).toArray(), name).toEqual(await value.toArray());
      else expect(saved[name], name).toBe(value);
    }
    expect(resumed.paramGroups[0]).toMatchObject({ ...options, lr: 1 });
    for (let step = 0; step < 3; step++) {
      await optimizer.step(closureOf(optimizer, loss));
      await resumed.step(closureOf(resumed, again.loss));
    }
    const [x, y] = [await parameters[0].data(), await again.parameters[0].data()];
    for (const i of [0, 1]) expect(y[i]).toBeCloseTo(x[i], 9);
  });

  test("of before the first step makes it new", async () => {
    const { parameters, loss } = problemOf("leastSquares", optimGolden.lbfgs[4].start, "float64");
    const optimizer = new optim.LBFGS(parameters, { maxIter: 2 });
    const fresh = optimizer.stateDict();
    const start = await Promise.all(parameters.map(values));
    const run = async (): Promise<unknown> => {
      for (let step = 0; step < 3; step++) await optimizer.step(closureOf(optimizer, loss));
      return await parameters[0].toArray();
    };
    const first = await run();
    gd.noGrad(() => {
      for (const [i, value] of start.entries()) parameters[i].copy_(value);
    });
    optimizer.loadStateDict(fresh);
    expect(await run()).toEqual(first);
  });

  test("of other parameters is refused", () => {
    const optimizer = new optim.LBFGS([new nn.Parameter(gd.ones([2])), new nn.Parameter(gd.ones([1]))]);
    const load = (entry: Record<string, gd.optim.StateValue>) => () =>
      optimizer.loadStateDict({ state: { 0: entry }, param_groups: [{ params: [0, 1] }] });
    expect(load({ d: gd.ones([2]) })).toThrow(/d is \[2\] instead of \[3\]/);
    expect(load({ old_stps: gd.ones([2, 4]), old_dirs: gd.ones([2, 4]) })).toThrow(/history is of 4 numbers, not 3/);
    expect(load({ old_stps: gd.ones([2, 3]), old_dirs: gd.ones([1, 3]) })).toThrow(optim.OptimizerStateError);
  });
});

test("options that make no sense are refused", () => {
  const parameter = new nn.Parameter(gd.ones([2]));
  expect(() => new optim.LBFGS([parameter], { maxIter: 0 })).toThrow(/maxIter is 0/);
  expect(() => new optim.LBFGS([parameter], { toleranceGrad: -1 })).toThrow(/toleranceGrad is -1/);
  expect(() => new optim.LBFGS([parameter], { lineSearchFn: "armijo" as "strongWolfe" })).toThrow(
    /line search "armijo"/,
  );
  expect(() => new optim.LBFGS([{ params: parameter }, { params: new nn.Parameter(gd.ones([1])) }])).toThrow(
    /more than one parameter group/,
  );
});

describe("the line search", () => {
  const along = (f: (t: number) => number, slope: (t: number) => number) => {
    const pointAt = (t: number): LinePoint => ({ t, loss: f(t), slope: slope(t) });
    return { start: pointAt(0), evaluate: async (t: number) => pointAt(t) };
  };

  test.each([0.01, 1, 50])("from a first trial of %f ends where the strong Wolfe conditions hold", async (t) => {
    // Down, up, and down again: sin(t) - t / 4 with a shift.
    const { start, evaluate } = along(
      (x) => Math.sin(x + 2) + x / 10,
      (x) => Math.cos(x + 2) + 1 / 10,
    );
    const { point, evaluations } = await strongWolfe(start, evaluate, { t, largest: 1, toleranceChange: 1e-9 });
    expect(point.loss).toBeLessThanOrEqual(start.loss + 1e-4 * point.t * start.slope);
    expect(Math.abs(point.slope)).toBeLessThanOrEqual(0.9 * Math.abs(start.slope));
    expect(evaluations).toBeLessThan(15);
  });

  test("gives up after 26 evaluations where the loss only falls", async () => {
    const { start, evaluate } = along(
      (x) => -x,
      () => -1,
    );
    const { point, evaluations } = await strongWolfe(start, evaluate, { t: 1, largest: 1, toleranceChange: 1e-9 });
    expect(evaluations).toBe(26);
    expect(point.t).toBeGreaterThan(1);
  });

  test("finds the minimum of a cubic at once, within its bounds", () => {
    // t^3 - 3 t has its minimum at 1.
    const at = (t: number): LinePoint => ({ t, loss: t ** 3 - 3 * t, slope: 3 * t * t - 3 });
    expect(cubicMinimum(at(0), at(3))).toBeCloseTo(1, 12);
    expect(cubicMinimum(at(3), at(0))).toBeCloseTo(1, 12);
    expect(cubicMinimum(at(0), at(3), 1.5, 3)).toBe(1.5);
    expect(cubicMinimum(at(0), { t: 3, loss: Number.NaN, slope: Number.NaN })).toBe(1.5);
  });
});

test("the direction by inner products is that of the two-loop recursion", () => {
  const n = 7;
  let seed = 1;
  const random = (): number => {
    seed = (seed * 16807) % 2147483647;
    return seed / 2147483647 - 0.5;
  };
  const vector = (): number[] => Array.from({ length: n }, random);
  const dot = (a: readonly number[], b: readonly number[]): number =>
    a.reduce((sum, value, i) => sum + value * b[i], 0);
  const plus = (a: readonly number[], factor: number, b: readonly number[]) =>
    a.map((value, i) => value + factor * b[i]);
  const most = 4;
  const curvature = new Curvature();
  const pairs: { s: number[]; y: number[] }[] = [];
  for (let k = 0; k < 9; k++) {
    const s = vector();
    pairs.push({ s, y: plus(vector(), 3, s) });
    if (pairs.length > most) pairs.shift();
    const newest = pairs.at(-1)!;
    curvature.push(
      {
        stepsWithY: pairs.map((pair) => dot(pair.s, newest.y)),
        changesWithS: pairs.map((pair) => dot(pair.y, newest.s)),
        changesWithY: pairs.map((pair) => dot(pair.y, newest.y)),
      },
      most,
    );
    const g = vector();
    let q = g.map((value) => -value);
    const alpha: number[] = [];
    for (let i = pairs.length - 1; i >= 0; i--) {
      alpha[i] = dot(pairs[i].s, q) / dot(pairs[i].s, pairs[i].y);
      q = plus(q, -alpha[i], pairs[i].y);
    }
    let r = q.map((value) => (value * dot(newest.s, newest.y)) / dot(newest.y, newest.y));
    for (const [i, { s: step, y }] of pairs.entries()) r = plus(r, alpha[i] - dot(y, r) / dot(step, y), step);
    const { steps, changes, gradient } = curvature.direction(
      pairs.map((pair) => dot(pair.s, g)),
      pairs.map((pair) => dot(pair.y, g)),
    );
    let found = g.map((value) => gradient * value);
    for (const [i, pair] of pairs.entries()) found = plus(plus(found, steps[i], pair.s), changes[i], pair.y);
    found.forEach((value, i) => {
      expect(value).toBeCloseTo(r[i], 10);
    });
  }
  expect(curvature.length).toBe(most);
});
