// The command line of the bench. Leans on commander for parsing and help, and on the table of workloads for names and
// defaults.

import { availableParallelism } from "node:os";
import { Argument, Command, InvalidArgumentError, Option } from "commander";
import { resolveSizes, type SizeName, type Sizes, type WorkloadName, workloadNames, workloads } from "./workloads.ts";

/** What code Gradus emits on the cpu; `auto` leaves the choice to Gradus. */
export type Codegen = "auto" | "wasm" | "native";

/** A workload to time. */
export interface WorkloadOptions {
  readonly workload: WorkloadName;
  readonly device: "cpu" | "webgpu";
  readonly codegen: Codegen;
  readonly threads: number;
  readonly sizes: Sizes;
  readonly steps: number;
  readonly rounds: number;
  readonly peers: boolean;
  readonly json: boolean;
}

/** No workload: only what the machine can do. */
export interface MachineOptions {
  readonly workload: "machine";
  readonly codegen: Codegen;
  readonly threads: number;
  readonly json: boolean;
}

export type Options = WorkloadOptions | MachineOptions;

interface RawOptions extends Partial<Record<SizeName, number>> {
  readonly device: WorkloadOptions["device"];
  readonly codegen: Codegen;
  readonly threads: number;
  readonly steps?: number;
  readonly rounds: number;
  readonly peers?: boolean;
  readonly json?: boolean;
}

function positiveInteger(text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new InvalidArgumentError(`"${text}" is not a whole number from 1 up.`);
  return Number(text);
}

function buildCommand(): Command {
  const rows = workloadNames.map((name) => {
    const sizes = Object.entries(workloads[name].defaults).map(([size, value]) => `${size} ${value}`);
    return `  ${name.padEnd(11)} ${workloads[name].summary} (${sizes.join(", ")}, ${workloads[name].steps} steps)`;
  });
  const machineRow = `  ${"machine".padEnd(11)} the machine's peaks alone, by which every workload is measured`;
  return new Command("bench")
    .description("Times one workload, alternating with the same work in other frameworks.")
    .addArgument(new Argument("<workload>", "what to time").choices([...workloadNames, "machine"]))
    .addOption(new Option("--device <device>", "where Gradus computes").choices(["cpu", "webgpu"]).default("cpu"))
    .addOption(
      new Option("--codegen <target>", "what Gradus emits on the cpu")
        .choices(["auto", "wasm", "native"])
        .default("auto"),
    )
    .option("--threads <n>", "threads of every contestant that has them", positiveInteger, availableParallelism())
    .option("--batch-size <n>", "samples in a batch", positiveInteger)
    .option("--size <n>", "edge of a matrix", positiveInteger)
    .option("--steps <n>", "timed steps in a round", positiveInteger)
    .option("--rounds <n>", "rounds; contestants take turns within each", positiveInteger, 5)
    .option("--peers", "also run PyTorch, jax-js and TensorFlow.js (installs the JavaScript peers on first use)")
    .option("--json", "print one JSON object as the last line")
    .addHelpText("after", ["", "Workloads:", ...rows, machineRow].join("\n"));
}

/**
 * Reads the arguments that follow the script's name.
 *
 * `exit: "throw"` makes wrong arguments a CommanderError instead of a message and the end of the process. A size that
 * the workload does not have is an error of the same kind.
 */
export function parseOptions(
  argv: readonly string[],
  { exit = "process" }: { exit?: "process" | "throw" } = {},
): Options {
  const command = buildCommand();
  if (exit === "throw") command.exitOverride().configureOutput({ writeErr: () => {}, writeOut: () => {} });
  command.parse([...argv], { from: "user" });
  const workload = command.args[0] as Options["workload"];
  const raw = command.opts<RawOptions>();
  const json = raw.json ?? false;
  if (workload === "machine") return { workload, codegen: raw.codegen, threads: raw.threads, json };
  return {
    workload,
    device: raw.device,
    codegen: raw.codegen,
    threads: raw.threads,
    sizes: sizesOrUsageError(command, workload, { size: raw.size, batchSize: raw.batchSize }),
    steps: raw.steps ?? workloads[workload].steps,
    rounds: raw.rounds,
    peers: raw.peers ?? false,
    json,
  };
}

function sizesOrUsageError(command: Command, workload: WorkloadName, asked: Sizes): Sizes {
  try {
    return resolveSizes(workload, asked);
  } catch (error) {
    return command.error(`error: ${(error as Error).message}`);
  }
}
