// Gates that do not depend on the machine's mood: how many kernels a training step is, what it compiles, how many nodes
// it builds, what memory it takes. A change that makes one of these numbers worse is a change of performance, and is to
// be explained here. Limits stand a little above what is reached; where it is much less, lower them.
//
// GRADUS_TEST_REPORT=1 with --silent=false prints what is reached.

import * as gd from "gradus";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { leaf } from "../../src/graph/index.ts";

const { F, nn, optim } = gd;

// The gates are the compiler's, so they are for the device that compiles. A new device knows no program of other tests.
beforeEach(async () => {
  await gd.init({ device: "cpu" });
  gd.manualSeed(20250917);
});
afterEach(() => {
  vi.restoreAllMocks();
});

const kibibyte = 2 ** 10;
const mebibyte = 2 ** 20;
const batch = 64;

type Model = gd.nn.Module<[gd.Tensor], gd.Tensor>;

/** LeNet-5 as the course builds it: sigmoids and mean pooling, 61,706 parameters. */
function lenet(): Model {
  return new nn.Sequential(
    new nn.Conv2d(1, 6, 5, { padding: 2 }),
    new nn.Sigmoid(),
    new nn.AvgPool2d(2),
    new nn.Conv2d(6, 16, 5),
    new nn.Sigmoid(),
    new nn.AvgPool2d(2),
    new nn.Flatten(),
    new nn.Linear(400, 120),
    new nn.Sigmoid(),
    new nn.Linear(120, 84),
    new nn.Sigmoid(),
    new nn.Linear(84, 10),
  );
}

function perceptron(): Model {
  return new nn.Sequential(
    new nn.Flatten(),
    new nn.Linear(784, 256),
    new nn.ReLU(),
    new nn.Linear(256, 128),
    new nn.ReLU(),
    new nn.Linear(128, 10),
  );
}

/** Running statistics and dropout: what else changes from step to step. */
function normalized(): Model {
  return new nn.Sequential(
    new nn.Conv2d(1, 8, 3, { padding: 1, bias: false }),
    new nn.BatchNorm2d(8),
    new nn.ReLU(),
    new nn.MaxPool2d(2),
    new nn.Flatten(),
    new nn.Dropout(0.5),
    new nn.Linear(8 * 14 * 14, 10),
  );
}

/** One layer of each kind, for loops of thousands of steps. */
function tiny(): Model {
  return new nn.Sequential(
    new nn.Conv2d(1, 4, 5, { stride: 2 }),
    new nn.Sigmoid(),
    new nn.AvgPool2d(2),
    new nn.Flatten(),
    new nn.Linear(144, 10),
  );
}

const images = Float32Array.from({ length: batch * 28 * 28 }, (_, i) => 0.5 + 0.5 * Math.sin(i * 1.37 + (i % 97)));
const classes = Int32Array.from({ length: batch }, (_, i) => (i * 7 + 3) % 10);

/** New tensors for every batch, as a loader makes them. */
function nextBatch(count = batch): { x: gd.Tensor; y: gd.Tensor } {
  return {
    x: gd.Tensor.fromArray(images.subarray(0, count * 28 * 28), [count, 1, 28, 28]),
    y: gd.Tensor.fromArray(classes.subarray(0, count), [count]),
  };
}

/** What a step cost. */
interface Cost {
  readonly programs: number;
  readonly flushes: number;
  readonly kernels: number;
  readonly nodes: number;
}

const nodesSoFar = (): number => leaf("data", { requiresGrad: false }, { shape: [], dtype: "float32" }).id;

async function costOf(body: () => Promise<unknown>): Promise<Cost> {
  const [before, nodes] = [gd.statistics(), nodesSoFar()];
  await body();
  const after = gd.statistics();
  return {
    programs: after.programsCompiled - before.programsCompiled,
    flushes: after.flushes - before.flushes,
    kernels: after.kernelsRun - before.kernelsRun,
    nodes: nodesSoFar() - nodes - 1,
  };
}

interface Training {
  readonly model: Model;
  readonly optimizer: gd.optim.SGD | gd.optim.Adam;
  /** A step and the reading of its loss; `look` may read more once the step is done. */
  readonly step: (look?: (logits: gd.Tensor) => Promise<unknown>, count?: number) => Promise<number>;
}

function training(model: Model, optimizer: gd.optim.SGD | gd.optim.Adam): Training {
  const step: Training["step"] = async (look, count) => {
    const { x, y } = nextBatch(count);
    optimizer.zeroGrad();
    const logits = model.forward(x);
    const loss = F.crossEntropy(logits, y);
    loss.backward();
    await optimizer.step();
    await look?.(logits);
    return loss.item();
  };
  return { model, optimizer, step };
}

const withSGD = (model: Model): Training => training(model, new optim.SGD(model.parameters(), { lr: 0.1 }));
const withAdam = (model: Model): Training => training(model, new optim.Adam(model.parameters(), { lr: 0.001 }));

interface Gate {
  readonly make: () => Training;
  /** The most that a step may be, run and need. */
  readonly kernels: number;
  readonly nodes: number;
  /** As WebAssembly, since this is the same on every machine; native code is for the machine it is made on. */
  readonly arenaBytes: number;
  readonly codeBytes: number;
}

const gates: { readonly [model: string]: Gate } = {
  "LeNet-5 with gradient descent": {
    make: () => withSGD(lenet()),
    kernels: 33,
    nodes: 245,
    arenaBytes: 3.25 * mebibyte,
    codeBytes: 62 * kibibyte,
  },
  "an MLP with Adam": {
    make: () => withAdam(perceptron()),
    kernels: 14,
    nodes: 290,
    arenaBytes: 0.375 * mebibyte,
    codeBytes: 28 * kibibyte,
  },
  "a normalized network with dropout, with Adam": {
    make: () => withAdam(normalized()),
    kernels: 27,
    nodes: 365,
    arenaBytes: 5 * mebibyte,
    codeBytes: 30 * kibibyte,
  },
};

/** What was reached, for whoever sets the limits. */
function report(model: string, reached: Omit<Gate, "make">): void {
  if (process.env.GRADUS_TEST_REPORT) console.log(model, JSON.stringify(reached));
}

describe.each(Object.entries(gates))("a training step of %s", (model, gate) => {
  test("is one program, of few kernels", async () => {
    const { step } = gate.make();
    const first = await costOf(() => step());
    expect(first.programs).toBe(2); // the initial values, and the step
    const second = await costOf(() => step());
    expect([second.flushes, second.programs]).toEqual([1, 0]);
    const { kernels, arenaBytes, codeBytes } = gd.memory();
    report(`${model}, ${gd.config().codegen}`, { kernels, nodes: second.nodes, arenaBytes, codeBytes });
    expect(second.kernels).toBe(kernels);
    expect(kernels).toBeLessThanOrEqual(gate.kernels);
  });

  test("takes little memory, and is little code, as WebAssembly", async () => {
    await gd.init({ device: "cpu", codegen: "wasm" });
    await gate.make().step();
    const { arenaBytes, codeBytes } = gd.memory();
    expect(arenaBytes).toBeLessThanOrEqual(gate.arenaBytes);
    expect(codeBytes).toBeLessThanOrEqual(gate.codeBytes);
  });

  test("builds as many nodes as every other", async () => {
    const { step } = gate.make();
    await step();
    const costs = [];
    for (let i = 0; i < 6; i++) costs.push(await costOf(() => step()));
    for (const { nodes } of costs) expect(nodes).toBe(costs[0].nodes);
    expect(costs[0].nodes).toBeLessThanOrEqual(gate.nodes);
  });
});

describe("a training loop", () => {
  test("of 300 steps of LeNet-5 compiles one program for its steps and one for its first values", async () => {
    const { step } = withSGD(lenet());
    const losses: number[] = [];
    const { programs, flushes } = await costOf(async () => {
      for (let i = 0; i < 300; i++) losses.push(await step());
    });
    expect([programs, flushes]).toEqual([2, 300]);
    expect(losses[299]).toBeLessThan(losses[0]);
  });

  test("compiles nothing when the learning rate changes", async () => {
    for (const { step, optimizer } of [withSGD(tiny()), withAdam(tiny())]) {
      await step();
      const { programs } = await costOf(async () => {
        for (const rate of [0.05, 0.2, 1e-4]) {
          for (const group of optimizer.paramGroups) group.lr = rate;
          await step();
        }
        const scheduler = new optim.CosineAnnealingLR(optimizer, 10);
        for (let i = 0; i < 3; i++) {
          await step();
          scheduler.step();
        }
      });
      expect(programs).toBe(0);
    }
  });

  test("compiles nothing for dropout's new masks, which differ from step to step", async () => {
    const model = new nn.Sequential(new nn.Flatten(), new nn.Dropout(0.5), new nn.Linear(784, 10));
    const { step } = withSGD(model);
    await step();
    const kept: gd.Tensor[] = [];
    const { programs } = await costOf(async () => {
      for (let i = 0; i < 5; i++) await step();
    });
    expect(programs).toBe(0);
    const dropout = new nn.Dropout(0.5);
    for (let i = 0; i < 2; i++) kept.push(dropout.forward(gd.ones([256])));
    const [first, second] = await Promise.all(kept.map((mask) => mask.toArray()));
    expect(first).not.toEqual(second);
  });

  test("compiles one more program for a last batch of another size, once and not in every epoch", async () => {
    const { step } = withSGD(tiny());
    const epoch = async (): Promise<void> => {
      for (const count of [batch, batch, 13]) await step(undefined, count);
    };
    expect((await costOf(epoch)).programs).toBe(3);
    expect((await costOf(epoch)).programs).toBe(0);
  });

  test("with an evaluation in between compiles one program for that", async () => {
    const { step, model } = withSGD(normalized());
    const evaluate = async (): Promise<number> => {
      model.eval();
      const { x, y } = nextBatch();
      const correct = gd.noGrad(() => model.forward(x).argmax(1).eq(y).float().mean());
      const accuracy = await correct.item();
      model.train();
      return accuracy;
    };
    const epoch = async (): Promise<void> => {
      await step();
      await step();
      await evaluate();
    };
    expect((await costOf(epoch)).programs).toBe(3);
    expect((await costOf(epoch)).programs).toBe(0);
  });

  test("that makes a new program in every step is told so, once, with what differs", async () => {
    const told = vi.spyOn(console, "warn").mockImplementation(() => undefined);
    const x = gd.Tensor.fromArray(images.subarray(0, 640), [640]);
    const shrinking = (rate: number): gd.Tensor =>
      x.mul(rate).sin().add(1).sqrt().mul(2).tanh().sub(0.25).square().exp().log1p().neg().sum();
    for (let i = 0; i < 12; i++) await shrinking(1 / (i + 1.5)).item();
    expect(told).toHaveBeenCalledTimes(1);
    expect(told.mock.calls[0][0]).toMatch(/value=\S+.*gd\.scalar/s);
  });
});

describe("reading the logits after the step", () => {
  /** Logits and predictions of a twin that is never updated: what the model said before its step. */
  async function beforeTheStep(model: Model): Promise<{ logits: gd.TypedArray; classes: gd.TypedArray }> {
    const { x } = nextBatch();
    const logits = gd.noGrad(() => model.forward(x));
    return { logits: await logits.data(), classes: await logits.argmax(1).data() };
  }

  test("gives what they were before the update, in every step", async () => {
    const { step, model } = withSGD(lenet());
    for (let i = 0; i < 4; i++) {
      const expected = await beforeTheStep(model);
      await step(async (logits) => {
        expect(await logits.argmax(1).data()).toEqual(expected.classes);
        const found = await logits.data();
        // The two are computed by different programs, which may add up in another order.
        found.forEach((value, k) => {
          expect(value).toBeCloseTo(expected.logits[k], 4);
        });
      });
      const updated = await beforeTheStep(model);
      expect(updated.logits).not.toEqual(expected.logits);
    }
  });

  test("costs one kernel more, and no second forward pass, from the third step on", async () => {
    const plain = withSGD(lenet());
    await plain.step();
    const without = await costOf(() => plain.step());

    const { step } = withSGD(lenet());
    const look = async (logits: gd.Tensor) => logits.argmax(1).data();
    for (let i = 0; i < 3; i++) await step(look);
    for (let i = 0; i < 3; i++) {
      const { kernels, programs, flushes } = await costOf(() => step(look));
      expect([programs, flushes]).toEqual([0, 2]);
      expect(kernels).toBeLessThanOrEqual(without.kernels + 1);
    }
  });
});

describe("memory", () => {
  test("stays bounded over 2,000 steps in which nothing is disposed of", { timeout: 60_000 }, async () => {
    const { step } = withSGD(tiny());
    const batchBytes = images.byteLength;
    const steps = 2000;
    let mostLive = 0;
    let [early, late] = [0, 0];
    for (let i = 0; i < steps; i++) {
      await step();
      mostLive = Math.max(mostLive, gd.memory().liveBytes);
      const { rss } = process.memoryUsage();
      // A first collection has been by then; what comes later must not add to it.
      if (i === 1000) early = rss;
      late = rss;
    }
    // The batches alone are several times the limit.
    expect(steps * batchBytes).toBeGreaterThan(2 * 160 * mebibyte);
    expect(mostLive).toBeLessThan(160 * mebibyte);
    expect(late - early).toBeLessThan(96 * mebibyte);
  });
});
