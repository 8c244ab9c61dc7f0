// `gradus train`: trains a model on images, shows how it goes, and leaves a run directory behind. Leans on gradus and
// @gradus/vision as any user does.

import { existsSync } from "node:fs";
import { join, relative } from "node:path";
import { DatasetError } from "@gradus/vision";
import { downloadDataset, type ImageDatasetSplits, progressBar } from "@gradus/vision/node";
import { config, data, F, init, type io, manualSeed, nn, optim, shutdown, train } from "gradus";
import { INTERRUPTED, INTERRUPTED_EXIT_CODE, RunDirectory, showProgress, stopOnInterrupt } from "gradus/node";
import { checkFolder } from "../arguments.ts";
import { UsageError } from "../errors.ts";
import { type GivenOptions, newRunOptions, type RunOptions, resumedRunOptions } from "../options.ts";
import type { Output } from "../program.ts";
import { DATA, RECIPES } from "../recipes.ts";
import { newRunFolder } from "../run-folder.ts";

/** Images at once in an evaluation: a divisor of every test set, so that all batches are one program. */
const TEST_BATCH_SIZE = 500;

/** What a run is to be: new, or one that goes on. */
interface Plan {
  readonly options: RunOptions;
  readonly run: RunDirectory;
  readonly checkpoint?: io.Checkpoint;
  /** A line to show before it starts. */
  readonly warning?: string | null;
}

/**
 * Runs the command.
 * @param isGiven whether an option stands on the command line, by its name in camelCase
 * @returns the exit code
 */
export async function runTrain(
  given: GivenOptions,
  isGiven: (name: string) => boolean,
  { stdout }: Output,
): Promise<number> {
  const say = (line: string): void => void stdout.write(`${line}\n`);
  const { options, run, checkpoint, warning } = await planRun(given, isGiven);
  const { train: training, test } = await loadData(given, options);
  await init({ device: given.device, codegen: given.codegen, threads: given.threads });
  try {
    const { device, codegen, threads, note } = config();
    say(
      `${options.model} on ${options.data}: ${training.length} training and ${test.length} test images; ` +
        `device ${device}, codegen ${codegen}, ${threads === 1 ? "1 thread" : `${threads} threads`}` +
        (note === undefined ? "" : `; ${note[0].toLowerCase()}${note.slice(1)}`),
    );
    manualSeed(options.seed);
    const model = RECIPES[options.model].create();
    const summary = nn.summary(model, training.imageShape, { batchSize: options.batchSize });
    say(String(summary));
    if (warning) say(warning);
    const loader = new data.DataLoader(training, { batchSize: options.batchSize, shuffle: true });
    const testLoader = new data.DataLoader(test, { batchSize: TEST_BATCH_SIZE });
    const optimizer = new optim.Adam(model.parameters(), { lr: options.lr });
    const scheduler = new optim.OneCycleLR(optimizer, options.lr, {
      epochs: options.epochs,
      stepsPerEpoch: loader.length,
    });
    const trainer = new train.Trainer({
      model,
      optimizer,
      scheduler,
      schedulerInterval: "step",
      loss: F.crossEntropy,
    });
    const path = relative(process.cwd(), run.path) || ".";
    say(checkpoint ? `Going on with ${path} after step ${checkpoint.facts.step}` : `Run: ${path}`);
    const result = await trainer.fit(loader, {
      epochs: options.epochs,
      evaluate: testLoader,
      resume: checkpoint,
      options: { ...options },
      callbacks: [
        showProgress(stdout),
        ...run.callbacks({
          checkpointEvery: given.checkpointEvery,
          report: {
            title: `${options.model} on ${options.data}`,
            summary: { ...options, device, codegen, threads, parameters: summary.totalParameters },
            classes: training.classes,
            modelSummary: String(summary),
          },
        }),
        stopOnInterrupt(),
      ],
    });
    if (result.stopReason === INTERRUPTED) {
      say(`Interrupted after step ${result.step}. Go on with: npm start -- --resume ${path}`);
      return INTERRUPTED_EXIT_CODE;
    }
    say(`test accuracy: ${result.evaluation?.accuracy.toFixed(4)}`);
    say(`report: ${join(path, "report.html")}`);
    return 0;
  } finally {
    await shutdown();
  }
}

async function planRun(given: GivenOptions, isGiven: (name: string) => boolean): Promise<Plan> {
  if (given.resume === undefined) {
    const options = newRunOptions(given);
    return { options, run: new RunDirectory(newRunFolder(given.runDir, `${options.model}-${options.data}`)) };
  }
  if (given.runDir !== undefined) {
    throw new UsageError(
      "--run-dir and --resume exclude each other: a resumed run stays in its folder. Leave one out.",
    );
  }
  checkFolder("--resume", given.resume);
  const run = new RunDirectory(given.resume);
  if (!existsSync(run.store.path) && !existsSync(run.store.previousPath)) {
    throw new UsageError(`--resume ${given.resume} holds no checkpoint. Give the folder of a run.`);
  }
  const { checkpoint, warning } = await run.store.load();
  return { options: resumedRunOptions(checkpoint.facts.options, given, isGiven), run, checkpoint, warning };
}

async function loadData(given: GivenOptions, options: RunOptions): Promise<ImageDatasetSplits> {
  const { source, download } = DATA[options.data];
  const folder = given.dataDir;
  if (download !== null && given.download) {
    await downloadDataset(download, folder, { onProgress: progressBar() });
  } else if (folder !== undefined) checkFolder("--data-dir", folder);
  try {
    return await source.load({ folder });
  } catch (error) {
    const isMissing = error instanceof DatasetError && error.place === "" && download !== null;
    if (isMissing) throw new UsageError(`${error.message} Or add --download.`, { cause: error });
    throw error;
  }
}
