// A command line program as a function: arguments in, exit code out. Errors are one line on the error stream: exit code 2
// where the arguments are wrong, 1 where the work failed; GRADUS_DEBUG adds the stack. Leans on commander.

import { type Command, CommanderError } from "commander";
import { UsageError } from "./errors.ts";

export const EXIT = { done: 0, failed: 1, usage: 2 } as const;

/** Where a program writes. */
export interface Output {
  readonly stdout: NodeJS.WritableStream & { readonly isTTY?: boolean; readonly columns?: number };
  readonly stderr: NodeJS.WritableStream;
}

/** A command that neither ends the process nor writes past `output`. */
export function configured(command: Command, output: Output): Command {
  return command
    .exitOverride()
    .configureOutput({ writeOut: (text) => void output.stdout.write(text), writeErr: () => {} })
    .configureHelp({ helpWidth: 100 });
}

/**
 * Runs a program; without arguments it prints its help.
 * @param exitCode asked for when the work is done
 */
export async function runProgram(
  program: Command,
  argv: readonly string[],
  output: Output,
  exitCode: () => number,
): Promise<number> {
  try {
    if (argv.length === 0) program.outputHelp();
    else await program.parseAsync([...argv], { from: "user" });
    return exitCode();
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return EXIT.done; // help was asked for
    const isUsage = error instanceof CommanderError || error instanceof UsageError;
    output.stderr.write(`${program.name()}: ${oneLine(error)}${isUsage ? "" : stackOf(error)}\n`);
    return isUsage ? EXIT.usage : EXIT.failed;
  }
}

/** Whoever reads the output may stop reading, as `head` does: then there is nobody left to write for. */
export function exitOnClosedPipe(stream: NodeJS.WriteStream): void {
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(EXIT.done);
    throw error;
  });
}

function oneLine(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message.replace(/^error: /, "").replace(/\s*\n\s*/g, " ");
}

function stackOf(error: unknown): string {
  return process.env.GRADUS_DEBUG && error instanceof Error ? `\n${error.stack}` : "";
}
