// The examples as one command: `npm run example -- NAME --help`. Leans on commander and @gradus/cli.

import { configured, EXIT, HIGHEST_SEED, integer, type Output, runProgram } from "@gradus/cli";
import { Command, Option } from "commander";
import { config, init, shutdown } from "gradus";
import { INTERRUPTED_EXIT_CODE } from "gradus/node";
import type { Recipe, RecipeOptions } from "./recipe.ts";
import { RECIPES } from "./recipes/index.ts";
import { Interrupted, Run, type RunPlace } from "./run.ts";

/** Options of the machine and the folder, which may change when a run goes on. */
interface Circumstances extends RunPlace {
  readonly threads?: number;
  readonly device?: "cpu" | "reference";
  readonly codegen?: "wasm" | "native";
}

const CIRCUMSTANCES = ["threads", "device", "codegen", "runDir", "resume", "checkpointEvery"] as const;

/**
 * Runs an example.
 * @param argv the arguments after the program's name
 * @returns the exit code
 */
export async function main(argv: readonly string[], output: Output = process): Promise<number> {
  let exitCode: number = EXIT.done;
  const program = configured(new Command("example").description("Recipes that train the course's models"), output);
  for (const recipe of RECIPES) {
    const command = configured(new Command(recipe.name).description(recipe.summary), output);
    addCommonOptions(recipe.options(command)).action(async (given: Record<string, unknown>) => {
      exitCode = await runRecipe(recipe, given, (name) => command.getOptionValueSource(name) === "cli", output);
    });
    program.addCommand(command);
  }
  return runProgram(program, argv, output, () => exitCode);
}

function addCommonOptions(command: Command): Command {
  return command
    .option("--seed <n>", "where all random numbers come from", integer(0, HIGHEST_SEED), 0)
    .option("--limit <n>", "how many training images to use, for a quick try (default: all)", integer(1))
    .option("--run-dir <folder>", "where the run's files go (default: runs/<date>-<recipe>)")
    .option("--resume <folder>", "go on with the run in this folder, with the options it began with")
    .option("--checkpoint-every <n>", "save every n steps, besides each epoch's end", integer(1))
    .option("--threads <n>", "threads that compute (default: one for each core)", integer(1, 256))
    .addOption(new Option("--device <name>", "cpu compiles; reference interprets").choices(["cpu", "reference"]))
    .addOption(new Option("--codegen <name>", "what cpu compiles to").choices(["wasm", "native"]));
}

async function runRecipe(
  recipe: Recipe,
  given: Readonly<Record<string, unknown>>,
  isGiven: (name: string) => boolean,
  output: Output,
): Promise<number> {
  const { threads, device, codegen, runDir, resume, checkpointEvery } = given as Circumstances;
  const isCircumstance = (name: string): boolean => (CIRCUMSTANCES as readonly string[]).includes(name);
  const own = Object.entries(given).filter(([name, value]) => !isCircumstance(name) && value !== undefined);
  const options = Object.fromEntries(own) as unknown as RecipeOptions;
  const run = await Run.open(recipe.name, options, { runDir, resume, checkpointEvery }, isGiven, output);
  await init({ threads, device, codegen });
  try {
    const { device: used, codegen: generator, threads: count, note } = config();
    run.say(`${recipe.name}: device ${used}, codegen ${generator}, ${count === 1 ? "1 thread" : `${count} threads`}`);
    if (note !== undefined) run.say(note);
    run.say(run.isResumed ? `Going on with ${run.place}` : `Run: ${run.place}`);
    run.seed();
    await recipe.train(run);
    return EXIT.done;
  } catch (error) {
    if (!(error instanceof Interrupted)) throw error;
    run.say(`Interrupted ${error.message}. Go on with: npm run example -- ${recipe.name} --resume ${run.place}`);
    return INTERRUPTED_EXIT_CODE;
  } finally {
    await shutdown();
  }
}
