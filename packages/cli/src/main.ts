// The `gradus` command as a function: arguments in, exit code out. Errors are one line on the error stream: exit code 2
// where the arguments are wrong, 1 where the work failed; GRADUS_DEBUG adds the stack. Leans on commander.

import { Command, CommanderError } from "commander";
import { type Output, runTrain } from "./commands/train.ts";
import { UsageError } from "./errors.ts";
import { addTrainOptions, type GivenOptions } from "./options.ts";

const EXIT = { done: 0, failed: 1, usage: 2 } as const;

/**
 * Runs the command.
 * @param argv the arguments after the program's name
 */
export async function main(argv: readonly string[], output: Output = process): Promise<number> {
  let exitCode: number = EXIT.done;
  const configure = (command: Command): Command =>
    command
      .exitOverride()
      .configureOutput({ writeOut: (text) => void output.stdout.write(text), writeErr: () => {} })
      .configureHelp({ helpWidth: 100 });
  const program = configure(new Command("gradus").description("Deep learning, compiled to the machine it runs on"));
  const train = configure(new Command("train").description("Train a model on images and report how well it does"));
  addTrainOptions(train).action(async (given: GivenOptions, command: Command) => {
    exitCode = await runTrain(given, (name) => command.getOptionValueSource(name) === "cli", output);
  });
  program.addCommand(train);
  try {
    if (argv.length === 0) program.outputHelp();
    else await program.parseAsync([...argv], { from: "user" });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return EXIT.done; // help was asked for
    const isUsage = error instanceof CommanderError || error instanceof UsageError;
    output.stderr.write(`gradus: ${oneLine(error)}${isUsage ? "" : stackOf(error)}\n`);
    return isUsage ? EXIT.usage : EXIT.failed;
  }
}

function oneLine(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message.replace(/^error: /, "").replace(/\s*\n\s*/g, " ");
}

function stackOf(error: unknown): string {
  return process.env.GRADUS_DEBUG && error instanceof Error ? `\n${error.stack}` : "";
}
