// The options of `gradus train`: what they are called, what they may be, and how a resumed run takes over those it began
// with. Leans on commander.

import { type Command, Option } from "commander";
import { flagOf, HIGHEST_SEED, integer, positiveNumber } from "./arguments.ts";
import { UsageError } from "./errors.ts";
import { DATA_NAMES, type DataName, MODEL_NAMES, type ModelName, RECIPES } from "./recipes.ts";

/** Options as they were given. */
export interface GivenOptions {
  readonly model: ModelName;
  readonly data: DataName;
  readonly dataDir?: string;
  readonly download?: boolean;
  readonly epochs?: number;
  readonly batchSize?: number;
  readonly lr?: number;
  readonly seed: number;
  readonly threads?: number;
  readonly device: "cpu" | "reference";
  readonly codegen?: "wasm" | "native";
  readonly runDir?: string;
  readonly resume?: string;
  readonly checkpointEvery?: number;
}

/** What decides which numbers a run computes. A resumed run cannot change it. */
export interface RunOptions {
  readonly model: ModelName;
  readonly data: DataName;
  readonly epochs: number;
  readonly batchSize: number;
  readonly lr: number;
  readonly seed: number;
}

/** What each model does by default, for the help. */
const byModel = (field: "epochs" | "batchSize" | "lr"): string =>
  `(default: ${MODEL_NAMES.map((name) => `${RECIPES[name][field]} for ${name}`).join(", ")})`;

export function addTrainOptions(command: Command): Command {
  return command
    .addOption(new Option("--model <name>", "what to train").choices(MODEL_NAMES).default("modern-lenet"))
    .addOption(
      new Option("--data <name>", "what to train on; the digits need no download")
        .choices(DATA_NAMES)
        .default("digits"),
    )
    .option("--data-dir <folder>", "where the data's files are (default: the folder of downloads)")
    .option("--download", "fetch the data's files first where they are missing (default: no)")
    .option("--epochs <n>", `how often to walk through the data ${byModel("epochs")}`, integer(1))
    .option("--batch-size <n>", `samples a training step ${byModel("batchSize")}`, integer(1))
    .option("--lr <x>", `the highest learning rate ${byModel("lr")}`, positiveNumber)
    .option(
      "--seed <n>",
      "where all random numbers come from: the same seed gives the same model",
      integer(0, HIGHEST_SEED),
      0,
    )
    .option("--threads <n>", "threads that compute (default: one for each core)", integer(1, 256))
    .addOption(
      new Option("--device <name>", "cpu compiles; reference interprets, slowly")
        .choices(["cpu", "reference"])
        .default("cpu"),
    )
    .addOption(
      new Option(
        "--codegen <name>",
        "what cpu compiles to (default: native where a C compiler and koffi are there, else wasm)",
      ).choices(["wasm", "native"]),
    )
    .option("--run-dir <folder>", "where the run's files go (default: runs/<date>-<model>-<data>)")
    .option(
      "--resume <folder>",
      "go on with the run in this folder, with the options it began with (default: a new run)",
    )
    .option("--checkpoint-every <n>", "save every n steps, besides each epoch's end (default: only there)", integer(1));
}

/** The options of a new run. */
export function newRunOptions(given: GivenOptions): RunOptions {
  const { model, data, seed } = given;
  const { epochs, batchSize, lr } = RECIPES[model];
  return {
    model,
    data,
    epochs: given.epochs ?? epochs,
    batchSize: given.batchSize ?? batchSize,
    lr: given.lr ?? lr,
    seed,
  };
}

/**
 * The options of a run that goes on, from its checkpoint.
 * @param isGiven whether an option stands on the command line
 * @throws UsageError for a given option that differs, since the run could not go on as it began
 */
export function resumedRunOptions(
  saved: Readonly<Record<string, unknown>>,
  given: GivenOptions,
  isGiven: (name: string) => boolean,
): RunOptions {
  const names = ["model", "data", "epochs", "batchSize", "lr", "seed"] as const satisfies readonly (keyof RunOptions)[];
  for (const name of names) {
    if (saved[name] === undefined) {
      throw new UsageError(`The checkpoint does not tell its ${name}: it is not of \`gradus train\`. Resume another.`);
    }
    if (isGiven(name) && given[name] !== saved[name]) {
      throw new UsageError(
        `${flagOf(name)} ${given[name]} does not fit the run to resume, which has ${saved[name]}. Leave it out, or start a new run.`,
      );
    }
  }
  if (
    !(MODEL_NAMES as readonly unknown[]).includes(saved.model) ||
    !(DATA_NAMES as readonly unknown[]).includes(saved.data)
  ) {
    throw new UsageError(`The run to resume is of ${saved.model} on ${saved.data}, which this version does not know.`);
  }
  return Object.fromEntries(names.map((name) => [name, saved[name]])) as unknown as RunOptions;
}
