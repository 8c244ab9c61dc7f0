// The `gradus` command as a function: arguments in, exit code out. Leans on commander.

import { Command } from "commander";
import { runTrain } from "./commands/train.ts";
import { addTrainOptions, type GivenOptions } from "./options.ts";
import { configured, EXIT, type Output, runProgram } from "./program.ts";

/**
 * Runs the command.
 * @param argv the arguments after the program's name
 */
export async function main(argv: readonly string[], output: Output = process): Promise<number> {
  let exitCode: number = EXIT.done;
  const program = configured(
    new Command("gradus").description("Deep learning, compiled to the machine it runs on"),
    output,
  );
  const train = configured(
    new Command("train").description("Train a model on images and report how well it does"),
    output,
  );
  addTrainOptions(train).action(async (given: GivenOptions, command: Command) => {
    exitCode = await runTrain(given, (name) => command.getOptionValueSource(name) === "cli", output);
  });
  program.addCommand(train);
  return runProgram(program, argv, output, () => exitCode);
}
