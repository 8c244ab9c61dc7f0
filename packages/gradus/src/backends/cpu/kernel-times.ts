// GRADUS_DEBUG=time: how long each kernel of a program takes. Every kernel becomes a program of its own, and they are
// run and timed one after another; so a step as a whole takes a little longer than without, by a wake-up of the threads
// for every kernel. After 5 runs, 50, 500, ... a table of medians is printed, the slowest kernels first.

import type { Program, ProgramKernel } from "../../compiler/index.ts";
import type { Code } from "./code-generator.ts";

interface TimedKernel {
  readonly kernel: ProgramKernel;
  readonly code: Code;
  readonly parallel: boolean;
  readonly milliseconds: number[];
}

/** Runs of which the median is taken. */
const remembered = 9;

export class KernelTimes {
  private readonly timed: readonly TimedKernel[];
  private runs = 0;
  private nextTable = 5;

  /** @param load makes a program that runs by itself ready to run */
  constructor(program: Program, load: (program: Program) => Pick<TimedKernel, "code" | "parallel">) {
    this.timed = program.kernels.map((kernel) => {
      const alone = { ...program, kernels: [kernel], plan: { ...program.plan, barriers: [false] } };
      return { kernel, ...load(alone), milliseconds: [] };
    });
  }

  get codes(): readonly Code[] {
    return this.timed.map(({ code }) => code);
  }

  /** Runs all kernels by `run` and notes their times. */
  run(run: (code: Code, parallel: boolean) => void): void {
    for (const { code, parallel, milliseconds } of this.timed) {
      const start = performance.now();
      run(code, parallel);
      milliseconds.push(performance.now() - start);
      if (milliseconds.length > remembered) milliseconds.shift();
    }
    if (++this.runs < this.nextTable) return;
    this.nextTable *= 10;
    console.error(this.table());
  }

  private table(): string {
    const rows = this.timed.map(({ kernel, milliseconds }, i) => ({ kernel, i, time: median(milliseconds) }));
    const total = rows.reduce((sum, { time }) => sum + time, 0);
    const contractions = rows.filter(({ kernel }) => kernel.multiplyAdds > 0);
    const contracting = contractions.reduce((sum, { time }) => sum + time, 0);
    const multiplyAdds = contractions.reduce((sum, { kernel }) => sum + kernel.multiplyAdds, 0);
    const lines = rows
      .sort((a, b) => b.time - a.time)
      .map(({ kernel, i, time }) => {
        const share = `${((100 * time) / total).toFixed(1)}%`;
        const arithmetic = kernel.multiplyAdds > 0 ? gigaPerSecond(2 * kernel.multiplyAdds, time) : "";
        const memory = gigaPerSecond(kernel.bytes, time);
        const columns = [String(i), time.toFixed(3), share, arithmetic, memory];
        return `${columns.map((text, c) => text.padStart([4, 9, 7, 8, 7][c])).join(" ")}  ${kernel.name}`;
      });
    return [
      `times: ${total.toFixed(3)} ms for ${rows.length} kernels, medians of up to ${remembered} runs; contractions ` +
        `${contracting.toFixed(3)} ms at ${gigaPerSecond(2 * multiplyAdds, contracting)} GFLOP/s`,
      "   #        ms   share  GFLOP/s    GB/s  kernel",
      ...lines,
    ].join("\n");
  }
}

const gigaPerSecond = (amount: number, milliseconds: number): string =>
  milliseconds === 0 ? "-" : (amount / milliseconds / 1e6).toFixed(1);

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1];
}
