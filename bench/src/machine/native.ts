// The machine's native peaks: kernels.c, made by the system's compiler for the processor that it runs on. A process of its
// own measures, as for WebAssembly.

import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { Peaks } from "./peaks.ts";

/** No compiler is there that makes the program. */
export class NoCompilerError extends Error {
  override readonly name = "NoCompilerError";
}

const execute = promisify(execFile);
const limit = { timeout: 60_000 } as const;

// One path serves the built file as well as the source: both lie two folders below bench.
const source = fileURLToPath(new URL("../../src/machine/kernels.c", import.meta.url));

/** On ARM it is `-mcpu` that means the processor with all its instructions to every compiler. */
const processor = process.arch === "arm64" ? "-mcpu=native" : "-march=native";
const flags = ["-std=gnu11", "-O3", processor, "-ffp-contract=off", "-pthread"] as const;

/** Commands in the order in which they are tried. CC may hold arguments, as it may for make. */
function compilers(): readonly (readonly [command: string, ...args: string[]])[] {
  const own = (process.env.CC ?? "").split(/\s+/).filter(Boolean);
  const [command, ...args] = own;
  return [...(command === undefined ? [] : [[command, ...args] as const]), ["cc"], ["gcc"], ["clang"]];
}

async function compile(program: string): Promise<void> {
  const failures: string[] = [];
  for (const [command, ...args] of compilers()) {
    try {
      await execute(command, [...args, ...flags, "-o", program, source], limit);
      return;
    } catch (error) {
      failures.push((error as Error).message.trim().split("\n").at(-1)!);
    }
  }
  throw new NoCompilerError(
    `No C compiler made the native kernels (${failures.join("; ")}). Install one, or name it in CC.`,
  );
}

/**
 * Compiles, and measures for about a second.
 * @throws NoCompilerError where no compiler makes the program
 */
export async function measureNativePeaks(threads: number): Promise<Peaks> {
  const folder = await mkdtemp(join(tmpdir(), "gradus-bench-"));
  try {
    const program = join(folder, "kernels");
    await compile(program);
    const { stdout } = await execute(program, [String(threads)], limit);
    return JSON.parse(stdout) as Peaks;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
