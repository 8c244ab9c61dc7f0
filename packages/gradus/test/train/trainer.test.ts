// The Trainer on a tiny model: that it learns, that a resumed run gives the same bits, that evaluations count every sample,
// that a NaN is traced to its layer, and what a run leaves behind.

import { existsSync, readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as gd from "gradus";
import { INTERRUPTED, RunDirectory, showProgress, stopOnInterrupt } from "gradus/node";
import { afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { useDevice } from "../support/device.ts";

const { data, F, nn, optim, train } = gd;

beforeAll(useDevice);

const SAMPLES = 46;
const SIDE = 4;

/** Pictures whose class is the half that is brighter: easy to learn. */
function dataset(seed: number, samples = SAMPLES): gd.data.TensorDataset {
  let state = seed;
  const next = (): number => (state = (state * 48271) % 2147483647) / 2147483647;
  const images = new Float32Array(samples * SIDE * SIDE);
  const labels = new Int32Array(samples);
  for (let i = 0; i < samples; i++) {
    labels[i] = next() < 0.5 ? 0 : 1;
    for (let p = 0; p < SIDE * SIDE; p++) {
      const isBright = p % SIDE < SIDE / 2 === (labels[i] === 0);
      images[i * SIDE * SIDE + p] = next() + (isBright ? 0.5 : 0);
    }
  }
  return new data.TensorDataset({ data: images, shape: [samples, 1, SIDE, SIDE] }, { data: labels, shape: [samples] });
}

/** Everything that has state: a convolution, running statistics, dropout, momentum, a schedule, a shuffled order. */
function setUp(options: Partial<gd.train.TrainerOptions> = {}) {
  gd.manualSeed(11);
  const model = new nn.Sequential(
    new nn.Conv2d(1, 3, 3, { padding: 1 }),
    new nn.BatchNorm2d(3),
    new nn.ReLU(),
    new nn.Flatten(),
    new nn.Dropout(0.25),
    new nn.Linear(3 * SIDE * SIDE, 2),
  );
  const optimizer = new optim.SGD(model.parameters(), { lr: 0.05, momentum: 0.9 });
  const scheduler = new optim.ExponentialLR(optimizer, 0.8);
  const loader = new data.DataLoader(dataset(1), { batchSize: 10, shuffle: true });
  const testLoader = new data.DataLoader(dataset(2, 25), { batchSize: 10 });
  const trainer = new train.Trainer({ model, optimizer, scheduler, loss: F.crossEntropy, ...options });
  return { model, optimizer, loader, testLoader, trainer };
}

async function valuesOf(model: gd.nn.Module): Promise<Record<string, ArrayLike<number>>> {
  const values: [string, ArrayLike<number>][] = [];
  for (const [name, tensor] of model.stateDict()) values.push([name, await tensor.data()]);
  return Object.fromEntries(values);
}

describe("fit", () => {
  test("learns, and gives the history of steps, epochs and evaluations", async () => {
    const { trainer, loader, testLoader } = setUp();
    const { history, step, epoch, stopReason, evaluation } = await trainer.fit(loader, {
      epochs: 4,
      evaluate: testLoader,
    });
    expect([step, epoch, stopReason]).toEqual([20, 4, null]);
    expect(history.points.map((point) => point.step)).toEqual(Array.from({ length: 20 }, (_, i) => i + 1));
    expect(history.points[6].epoch).toBeCloseTo(1.4);
    expect(history.epochs.map((point) => point.epoch)).toEqual([1, 2, 3, 4]);
    expect(history.epochs[3].loss).toBeLessThan(history.epochs[0].loss / 2);
    expect(history.evaluations).toHaveLength(4);
    expect(evaluation?.accuracy).toBeGreaterThan(0.9);
  });

  test("computes what the loop written by hand computes, to the bit", async () => {
    const byTrainer = setUp();
    await byTrainer.trainer.fit(byTrainer.loader, { epochs: 2 });
    const byHand = setUp();
    const scheduler = new optim.ExponentialLR(byHand.optimizer, 0.8);
    for (let epoch = 0; epoch < 2; epoch++) {
      for await (const [x, y] of byHand.loader) {
        byHand.optimizer.zeroGrad();
        F.crossEntropy(byHand.model.forward(x), y).backward();
        await byHand.optimizer.step();
      }
      scheduler.step();
    }
    expect(await valuesOf(byTrainer.model)).toEqual(await valuesOf(byHand.model));
  });

  test("weighs the batches of an epoch by their sizes", async () => {
    const losses: number[] = [];
    const { trainer, loader } = setUp({
      callbacks: [{ onStep: (_, { measured }) => void losses.push(measured.loss) }],
    });
    const { history } = await trainer.fit(loader, { epochs: 1 });
    const sizes = [10, 10, 10, 10, 6];
    const mean = losses.reduce((sum, loss, i) => sum + loss * sizes[i], 0) / SAMPLES;
    expect(history.epochs[0].loss).toBeCloseTo(mean, 12);
  });

  test("calls the callbacks in order, and closes them also after an error", async () => {
    const calls: string[] = [];
    const note = (name: string) => () => void calls.push(name);
    const callback: gd.train.Callback = {
      onStart: note("start"),
      onStep: note("step"),
      onEvaluationBatch: note("batch"),
      onEpochEnd: note("epoch"),
      onEnd: note("end"),
      close: note("close"),
    };
    const { trainer, loader, testLoader } = setUp({ callbacks: [callback] });
    await trainer.fit(loader, { epochs: 1, evaluate: testLoader });
    const steps = Array<string>(5).fill("step");
    expect(calls).toEqual(["start", ...steps, "batch", "batch", "batch", "epoch", "end", "close"]);
    calls.length = 0;
    const failing: gd.train.Callback = {
      onStep() {
        throw new Error("disk full");
      },
    };
    await expect(trainer.fit(loader, { epochs: 1, callbacks: [failing] })).rejects.toThrow("disk full");
    expect(calls.at(-1)).toBe("close");
  });

  test("steps the scheduler after every batch where that is asked for", async () => {
    const rates: number[] = [];
    const { trainer, loader } = setUp({
      schedulerInterval: "step",
      callbacks: [{ onStep: (_, { learningRate }) => void rates.push(learningRate) }],
    });
    await trainer.fit(loader, { epochs: 1 });
    rates.forEach((rate, i) => {
      expect(rate).toBeCloseTo(0.05 * 0.8 ** i, 12);
    });
  });

  test("refuses a number of epochs that is none", async () => {
    const { trainer, loader } = setUp();
    await expect(trainer.fit(loader, { epochs: 0 })).rejects.toThrow("0 epochs");
  });
});

describe("resuming", () => {
  test.each([3, 5, 7, 10, 19])(
    "after step %i gives the same bits as a run that was never interrupted",
    async (stopAt) => {
      const whole = setUp();
      const wholeResult = await whole.trainer.fit(whole.loader, { epochs: 4, evaluate: whole.testLoader });
      const first = setUp();
      let bytes: Uint8Array | null = null;
      await first.trainer.fit(first.loader, {
        epochs: 4,
        evaluate: first.testLoader,
        callbacks: [
          {
            async onStep(training) {
              if (training.step !== stopAt) return;
              bytes = await gd.io.encodeCheckpoint(training.snapshot());
              training.stop("enough");
            },
          },
        ],
      });
      // Another seed: nothing may come from the new process's random numbers.
      const second = setUp();
      gd.manualSeed(12345);
      const resumed = await second.trainer.fit(second.loader, {
        epochs: 4,
        evaluate: second.testLoader,
        resume: gd.io.decodeCheckpoint(bytes!),
      });
      expect(await valuesOf(second.model)).toEqual(await valuesOf(whole.model));
      expect(resumed.history.getState()).toEqual(wholeResult.history.getState());
    },
  );

  test("refuses a checkpoint of another model", async () => {
    const { trainer, loader } = setUp();
    let checkpoint: gd.io.Checkpoint | undefined;
    await trainer.fit(loader, {
      epochs: 1,
      callbacks: [
        {
          onEnd: async (training) => {
            checkpoint = gd.io.decodeCheckpoint(await gd.io.encodeCheckpoint(training.snapshot()));
          },
        },
      ],
    });
    const model = new nn.Sequential(new nn.Flatten(), new nn.Linear(SIDE * SIDE, 2));
    const optimizer = new optim.SGD(model.parameters(), { lr: 0.05 });
    const other = new train.Trainer({ model, optimizer, loss: F.crossEntropy });
    await expect(other.fit(setUp().loader, { epochs: 2, resume: checkpoint })).rejects.toThrow(nn.StateDictError);
  });
});

describe("evaluate", () => {
  test("counts every sample of a smaller last batch, and leaves modes and statistics as they were", async () => {
    const { trainer, model } = setUp();
    const samples = dataset(3, 25);
    const before = await valuesOf(model);
    model[1].eval();
    const inParts = await trainer.evaluate(new data.DataLoader(samples, { batchSize: 10 }));
    const atOnce = await trainer.evaluate(new data.DataLoader(samples, { batchSize: 25 }));
    expect(inParts!.accuracy).toBeCloseTo(atOnce!.accuracy, 6);
    expect(inParts!.loss).toBeCloseTo(atOnce!.loss, 5);
    expect(model.modules().map((module) => module.training)).toEqual([true, true, false, true, true, true, true]);
    expect(await valuesOf(model)).toEqual(before);
  });

  test("measures what it is told to", async () => {
    const { trainer, testLoader } = setUp({ metrics: { largest: (output) => output.max() } });
    const measured = await trainer.evaluate(testLoader);
    expect(Object.keys(measured!)).toEqual(["loss", "largest"]);
  });
});

/** 1 / (x - x): infinite whatever comes in. */
class Divides extends nn.Module {
  forward(x: gd.Tensor): gd.Tensor {
    return x.sub(x).add(1).div(x.sub(x));
  }
}

describe("a loss that is not finite", () => {
  async function messageOf(layers: gd.nn.Module[], prepare?: (model: gd.nn.Sequential) => void): Promise<string> {
    const model = new nn.Sequential(new nn.Flatten(), ...layers);
    prepare?.(model);
    const optimizer = new optim.SGD(model.parameters(), { lr: 0.1 });
    const trainer = new train.Trainer({ model, optimizer, loss: F.crossEntropy });
    const error = await trainer.fit(setUp().loader, { epochs: 1 }).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(train.NonFiniteLossError);
    return (error as Error).message;
  }

  test("is traced to the first layer whose output is not finite", async () => {
    const message = await messageOf([new nn.Linear(16, 4), new Divides(), new nn.Linear(4, 2)]);
    expect(message).toMatch(/step 1 .*learning rate 0\.1.* is 2 \(Divides\): its output, \[10, 4\], holds Infinity/);
  });

  test("is traced to a parameter that was not finite before", async () => {
    const message = await messageOf([new nn.Linear(16, 4), new nn.ReLU(), new nn.Linear(4, 2)], (model) => {
      gd.noGrad(() => (model[3] as gd.nn.Linear).weight.fill_(Number.NaN));
    });
    expect(message).toContain("3 (Linear): its parameter 3.weight holds NaN");
  });

  test("is traced to the data", async () => {
    const { trainer, loader } = setUp();
    (loader.dataset as gd.data.TensorDataset).arrays[0].data[5] = Number.NaN;
    await expect(trainer.evaluate(loader)).rejects.toThrow(/evaluation.*input holds NaN/);
    await expect(trainer.fit(loader, { epochs: 1 })).rejects.toThrow(/input holds NaN \(1 of \d+ elements/);
  });

  test("is traced to the loss function", async () => {
    const { trainer, loader } = setUp({ loss: (output) => output.sum().sub(output.sum()).log() });
    await expect(trainer.fit(loader, { epochs: 1 })).rejects.toThrow("begins in the loss function");
  });

  test("comes with steps that diverge, and names a layer", async () => {
    const model = new nn.Sequential(new nn.Flatten(), new nn.Linear(16, 8), new nn.Linear(8, 2));
    const optimizer = new optim.SGD(model.parameters(), { lr: 1e30 });
    const trainer = new train.Trainer({ model, optimizer, loss: F.crossEntropy });
    await expect(trainer.fit(setUp().loader, { epochs: 3 })).rejects.toThrow(/Lower the learning rate/);
  });
});

describe("early stopping", () => {
  test("stops when the test set has not improved for the patience", async () => {
    const { trainer, loader, testLoader } = setUp({
      callbacks: [train.earlyStopping({ metric: "fixed", patience: 2 })],
    });
    const fixed = new train.Trainer({
      ...(trainer as unknown as { given: gd.train.TrainerOptions }).given,
      metrics: { fixed: (output) => output.sum().mul(0).add(1) },
    });
    const { epoch, stopReason } = await fixed.fit(loader, { epochs: 9, evaluate: testLoader });
    expect([epoch, stopReason]).toEqual([3, "the test fixed has not improved for 2 epochs"]);
  });

  test("names what can be watched where nothing measures what it watches", async () => {
    const callbacks = [train.earlyStopping({ metric: "f1" })];
    const { trainer, loader, testLoader } = setUp({ callbacks });
    await expect(trainer.fit(loader, { epochs: 1, evaluate: testLoader })).rejects.toThrow(
      "Watch one of loss, accuracy",
    );
    expect(() => train.earlyStopping({ patience: 0 })).toThrow("patience of 0");
  });
});

describe("a run directory", () => {
  let folder: string;
  const lines: string[] = [];
  const stream = { write: (text: string) => lines.push(text) } as unknown as NodeJS.WritableStream;

  beforeEach(async () => {
    lines.length = 0;
    folder = await mkdtemp(join(tmpdir(), "gradus-run-"));
  });
  afterEach(() => rm(folder, { recursive: true }));

  test("holds checkpoints, logs and a report; without a terminal each epoch is a plain line", async () => {
    const { trainer, loader, testLoader } = setUp();
    const run = new RunDirectory(join(folder, "run"));
    await trainer.fit(loader, {
      epochs: 2,
      evaluate: testLoader,
      callbacks: [showProgress(stream), ...run.callbacks({ logEvery: 2, report: { classes: ["left", "right"] } })],
    });
    expect(lines.join("")).toMatch(/^Epoch 1\/2: loss .*test accuracy .*\nEpoch 2\/2: .*\n$/);
    const logged = readFileSync(join(run.path, "metrics.jsonl"), "utf8").trim().split("\n");
    const entries = logged.map((line) => JSON.parse(line) as Record<string, number>);
    expect(entries.map(({ step }) => step)).toEqual([2, 4, 5, 6, 8, 10, 10]);
    expect(Object.keys(entries[2])).toEqual(expect.arrayContaining(["epochLoss", "testLoss", "testAccuracy"]));
    const report = readFileSync(run.reportPath, "utf8");
    for (const part of ["Confusion matrix", "left", "first layer", "data:image/png"]) expect(report).toContain(part);
    const { checkpoint } = await run.store.load();
    expect([checkpoint.facts.step, checkpoint.facts.epoch]).toEqual([10, 2]);
    expect(existsSync(run.store.previousPath)).toBe(true);
  });

  test("goes on to the same end when the run was stopped and its log was ahead of its checkpoint", async () => {
    const whole = setUp();
    const wholeRun = new RunDirectory(join(folder, "whole"));
    const options = { epochs: 2, evaluate: whole.testLoader };
    await whole.trainer.fit(whole.loader, { ...options, callbacks: wholeRun.callbacks({ logEvery: 1 }) });
    const run = new RunDirectory(join(folder, "run"));
    const first = setUp();
    const dies: gd.train.Callback = {
      onStep(training) {
        if (training.step === 7) throw new Error("power cut");
      },
    };
    const callbacks = [...run.callbacks({ logEvery: 1, checkpointEvery: 4 }), dies];
    await expect(first.trainer.fit(first.loader, { ...options, callbacks })).rejects.toThrow("power cut");
    const second = setUp();
    const { checkpoint } = await run.store.load();
    expect(checkpoint.facts.step).toBe(5);
    await second.trainer.fit(second.loader, {
      ...options,
      resume: checkpoint,
      callbacks: run.callbacks({ logEvery: 1, checkpointEvery: 4 }),
    });
    expect(await valuesOf(second.model)).toEqual(await valuesOf(whole.model));
    const logOf = ({ path }: RunDirectory): unknown[] =>
      readFileSync(join(path, "metrics.jsonl"), "utf8")
        .trim()
        .split("\n")
        .map((line) => ({ ...(JSON.parse(line) as object), time: 0, seconds: 0 }));
    expect(logOf(run)).toEqual(logOf(wholeRun));
  });

  test("has a report when a run is resumed at its very end", async () => {
    const first = setUp();
    const run = new RunDirectory(folder);
    const [, , checkpoints] = run.callbacks();
    await first.trainer.fit(first.loader, { epochs: 1, evaluate: first.testLoader, callbacks: [checkpoints] });
    expect(existsSync(run.reportPath)).toBe(false);
    const second = setUp();
    await second.trainer.fit(second.loader, {
      epochs: 1,
      evaluate: second.testLoader,
      resume: (await run.store.load()).checkpoint,
      callbacks: run.callbacks(),
    });
    expect(readFileSync(run.reportPath, "utf8")).toContain("Confusion matrix");
  });

  test("is saved when SIGINT comes, after the step under way", async () => {
    const { trainer, loader, testLoader } = setUp();
    const run = new RunDirectory(folder);
    const interrupts: gd.train.Callback = {
      onStep(training) {
        if (training.step === 7) process.emit("SIGINT");
      },
    };
    const before = process.listenerCount("SIGINT");
    const { stopReason, step } = await trainer.fit(loader, {
      epochs: 3,
      evaluate: testLoader,
      callbacks: [showProgress(stream), ...run.callbacks(), stopOnInterrupt(), interrupts],
    });
    expect([stopReason, step]).toEqual([INTERRUPTED, 7]);
    expect((await run.store.load()).checkpoint.facts.step).toBe(7);
    expect(lines.join("")).toContain("Ctrl-C again");
    expect(process.listenerCount("SIGINT")).toBe(before);
    expect(existsSync(run.reportPath)).toBe(false);
  });
});

describe("a step of one's own", () => {
  /** Two networks with an optimizer each, of which one learns from the other's output: the shape of a GAN. */
  function setUpPair() {
    gd.manualSeed(5);
    const [maker, judge] = [new nn.Linear(3, 4), new nn.Linear(4, 1)];
    const model = new nn.Sequential(maker, judge);
    const optimizers = [
      new optim.Adam([{ params: judge.weight }, { params: judge.bias!, lr: 0.02 }], { lr: 0.01 }),
      new optim.SGD(maker.parameters(), { lr: 0.05, momentum: 0.9 }),
    ] as const;
    const step: gd.train.TrainingStep = async ([images]) => {
      const [real] = images.flatten(1).split([4, 12], 1);
      optimizers[0].zeroGrad();
      const made = maker.forward(gd.randn([real.shape[0], 3]));
      const lossOfJudge = judge.forward(real).sub(1).square().mean().add(judge.forward(made.detach()).square().mean());
      lossOfJudge.backward();
      await optimizers[0].step();
      optimizers[1].zeroGrad();
      const loss = judge.forward(made).sub(1).square().mean();
      loss.backward();
      await optimizers[1].step();
      return { loss: await loss.item(), judge: await lossOfJudge.item() };
    };
    const loader = new data.DataLoader(dataset(1), { batchSize: 10, shuffle: true });
    return { model, loader, trainer: new train.Trainer({ model, optimizer: optimizers, step }) };
  }

  test("has its measurements logged, and goes on from a checkpoint with all its optimizers to the same bits", async () => {
    const whole = setUpPair();
    const { history } = await whole.trainer.fit(whole.loader, { epochs: 3 });
    expect(Object.keys(history.points[0])).toEqual(["step", "epoch", "loss", "judge"]);
    const folder = await mkdtemp(join(tmpdir(), "gradus-pair-"));
    try {
      const run = new RunDirectory(folder);
      const begun = setUpPair();
      await begun.trainer.fit(begun.loader, {
        epochs: 3,
        callbacks: [
          ...run.callbacks(),
          { onStep: (training) => void (training.step === 7 && training.stop("enough")) },
        ],
      });
      const { checkpoint } = await run.store.load();
      expect(checkpoint.optimizer.param_groups.map(({ params }) => params)).toEqual([[0], [1], [2, 3]]);
      const resumed = setUpPair();
      await resumed.trainer.fit(resumed.loader, { epochs: 3, resume: checkpoint });
      expect(await valuesOf(resumed.model)).toEqual(await valuesOf(whole.model));
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  test("that gives a loss that is not finite ends the run with an error that says where", async () => {
    const { model, loader } = setUpPair();
    const optimizer = new optim.SGD(model.parameters(), { lr: 1 });
    const trainer = new train.Trainer({ model, optimizer, step: async () => ({ loss: Number.NaN }) });
    await expect(trainer.fit(loader, { epochs: 1 })).rejects.toThrow(/The loss is NaN at step 1/);
  });

  test("is needed without a loss, and for more than one optimizer", () => {
    const { model } = setUpPair();
    const optimizer = new optim.SGD(model.parameters(), { lr: 1 });
    expect(() => new train.Trainer({ model, optimizer })).toThrow(/no loss and no step/);
    expect(() => new train.Trainer({ model, optimizer: [optimizer, optimizer], loss: F.mseLoss })).toThrow(
      /2 optimizers and no step/,
    );
  });
});
