// MNIST against the clock: the best accuracy on held-out digits that a number of minutes gives. The first seconds measure how
// long an epoch takes on this machine; the rest is one cycle of the learning rate over as many epochs as there is time for.

import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { integer, positiveNumber } from "@gradus/cli";
import { digitNet, transforms } from "@gradus/vision";
import { Digits } from "@gradus/vision/node";
import { F, optim, train } from "gradus";
import { writeFileAtomic } from "gradus/node";
import { loadersOf } from "../data.ts";
import { checkLeaderboard, enter, standings } from "../leaderboard.ts";
import { type CommonOptions, recipe } from "../recipe.ts";
import type { Run } from "../run.ts";
import { saveWeights } from "../weights.ts";

interface Options extends CommonOptions {
  readonly minutes: number;
  readonly batchSize: number;
  readonly lr: number;
  readonly player: string;
  readonly leaderboard: string;
  readonly [name: string]: string | number | boolean | undefined;
}

/** What is kept for starting, the report and a slow minute: a part of the time, and seconds. */
const RESERVE = { part: 0.07, seconds: 5 };
const MOST_EPOCHS = 200;

/** What was decided when the contest began, and the seconds it has used. */
interface Clock {
  readonly epochs: number;
  used: number;
}

export const mnistContest = recipe<Options>({
  name: "mnist-contest",
  summary: "The best accuracy on 2,000 held-out digits within a time budget, with a leaderboard",
  options: (command) =>
    command
      .option("--minutes <x>", "the time budget", positiveNumber, 30)
      .option("--batch-size <n>", "images a step", integer(2), 64)
      .option("--lr <x>", "the highest learning rate of the cycle", positiveNumber, 0.01)
      .option("--player <name>", "who enters the leaderboard", "gradus")
      .option("--leaderboard <file>", "where results are kept", join("runs", "leaderboard.json")),

  async train(run) {
    const started = performance.now();
    const { minutes, batchSize, limit, lr, player, leaderboard, seed } = run.options;
    await checkLeaderboard(leaderboard);
    const images = await Digits.load({ normalize: false });
    const augment = new transforms.RandomAffine(12, {
      translate: [0.1, 0.1],
      scale: [0.9, 1.1],
      shear: 8,
      interpolation: "bilinear",
    });
    const { loader, evaluate } = loadersOf(images, Digits, { batchSize, limit, augment: (x) => augment.forward(x) });
    const clock = await startClock(run, 60 * minutes, started, loader, evaluate);
    run.seed();
    const model = digitNet();
    const optimizer = new optim.AdamW(model.parameters(), { lr, weightDecay: 0.02 });
    const { epochs } = clock;
    const scheduler = new optim.OneCycleLR(optimizer, lr, { epochs, stepsPerEpoch: loader.length });
    const usedBefore = clock.used;
    const usedNow = (): number => usedBefore + (performance.now() - started) / 1000;
    const keepTime: train.Callback = {
      onStep(training) {
        if (usedNow() > 60 * minutes - RESERVE.seconds / 2) training.stop(`the ${minutes} minutes are over`);
      },
      async onEpochEnd() {
        clock.used = usedNow();
        await saveClock(run, clock);
      },
    };
    const result = await run.fit({
      title: `MNIST in ${minutes} minutes`,
      model,
      optimizer,
      scheduler,
      schedulerInterval: "step",
      loss: F.crossEntropy,
      loader,
      evaluate,
      epochs,
      classes: images.train.classes,
      inputShape: [1, 28, 28],
      callbacks: [keepTime],
    });
    if (result.epoch === 0) {
      run.say(`No epoch was complete after ${minutes} minutes: nothing enters the leaderboard.`);
      return;
    }
    // Where time ran out within an epoch, the last evaluation is of other weights.
    const judge = new train.Trainer({ model, optimizer, loss: F.crossEntropy });
    const { accuracy } = (result.stopReason === null ? result.evaluation : await judge.evaluate(evaluate))!;
    const seconds = Math.round(usedNow());
    await saveWeights(run, model, { data: "MNIST digits", accuracy: accuracy.toFixed(4) });
    const board = await enter(leaderboard, { player, accuracy, minutes, seconds, epochs: result.epoch, seed });
    run.say(`test accuracy: ${accuracy.toFixed(4)} after ${seconds} s`);
    run.say(standings(board, minutes));
  },
});

/** Measures how long an epoch takes, or reads what was decided when the run began. */
async function startClock(
  run: Run,
  budget: number,
  started: number,
  loader: train.TrainLoader,
  evaluate: train.TrainLoader,
): Promise<Clock> {
  if (existsSync(run.path("clock.json"))) return JSON.parse(await readFile(run.path("clock.json"), "utf8"));
  const perEpoch = await secondsPerEpoch(loader, evaluate);
  const left = budget * (1 - RESERVE.part) - RESERVE.seconds - (performance.now() - started) / 1000;
  const clock = { epochs: Math.min(MOST_EPOCHS, Math.max(1, Math.floor(left / perEpoch))), used: 0 };
  run.say(`An epoch takes about ${perEpoch.toFixed(1)} s: ${clock.epochs} epochs`);
  await saveClock(run, clock);
  return clock;
}

const saveClock = (run: Run, clock: Clock): Promise<void> =>
  writeFileAtomic(run.path("clock.json"), new TextEncoder().encode(JSON.stringify(clock)));

/** Trains a model that is thrown away: some steps until everything is compiled, then those that are measured. */
async function secondsPerEpoch(loader: train.TrainLoader, evaluate: train.TrainLoader): Promise<number> {
  const [warmup, measured] = [5, 25];
  const model = digitNet();
  const optimizer = new optim.AdamW(model.parameters());
  const state = loader.stateDict();
  let step = 0;
  let begin = 0;
  for await (const [x, y] of loader) {
    if (step++ === warmup) begin = performance.now();
    optimizer.zeroGrad();
    const loss = F.crossEntropy(model.forward(x), y);
    loss.backward();
    await optimizer.step();
    await loss.item();
    if (step === warmup + measured) break;
  }
  const training = ((performance.now() - begin) / Math.max(1, step - warmup)) * loader.length;
  loader.loadStateDict(state);
  model.eval();
  let testing = 0;
  for await (const [x, y] of evaluate) {
    // The first batch compiles; the second tells.
    const before = performance.now();
    await F.crossEntropy(model.forward(x), y).item();
    testing = performance.now() - before;
  }
  return (training + testing * evaluate.length) / 1000;
}
