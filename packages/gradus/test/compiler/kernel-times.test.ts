// GRADUS_DEBUG=time prints how long each kernel of a program takes. That it times what it says is shown with a clock made
// by hand; that it changes no result, with a model that is trained with and without.

import * as gd from "gradus";
import { afterEach, describe, expect, test, vi } from "vitest";
import type { Code } from "../../src/backends/cpu/code-generator.ts";
import { KernelTimes } from "../../src/backends/cpu/kernel-times.ts";
import type { Program } from "../../src/compiler/index.ts";
import { input, programOf } from "../support/compile.ts";

const { F, nn, optim } = gd;

const settings = globalThis as { GRADUS_DEBUG?: string };

afterEach(() => {
  settings.GRADUS_DEBUG = undefined;
  vi.restoreAllMocks();
});

/** Code that runs nothing: it is known by its number. */
class NumberedCode implements Code {
  readonly bytes = 100;
  constructor(readonly number: number) {}
}

/** What is printed from now on. */
function listen(): string[] {
  const printed: string[] = [];
  vi.spyOn(console, "error").mockImplementation((text: unknown) => {
    printed.push(String(text));
  });
  return printed;
}

describe("the table of times", () => {
  const program = programOf(F.linear(input([64, 100]), input([30, 100]), input([30])).softmax(1));
  const names = program.kernels.map(({ name }) => name);

  /** Runs in which the kernels take these milliseconds, again and again. */
  function timed(milliseconds: readonly number[], runs: number): { loaded: Program[]; ran: number[] } {
    const loaded: Program[] = [];
    const ran: number[] = [];
    let now = 0;
    vi.spyOn(performance, "now").mockImplementation(() => now);
    const times = new KernelTimes(program, (kernel) => {
      loaded.push(kernel);
      return { code: new NumberedCode(loaded.length - 1), parallel: true };
    });
    for (let i = 0; i < runs; i++) {
      times.run((code, parallel) => {
        const { number } = code as NumberedCode;
        expect(parallel).toBe(true);
        ran.push(number);
        now += milliseconds[number];
      });
    }
    return { loaded, ran };
  }

  test("comes after 5, 50 and 500 runs", () => {
    for (const [runs, tables] of [
      [4, 0],
      [5, 1],
      [49, 1],
      [50, 2],
      [500, 3],
    ]) {
      const printed = listen();
      timed([1, 2], runs);
      expect([runs, printed.length]).toEqual([runs, tables]);
      vi.restoreAllMocks();
    }
  });

  test("has a line for each kernel, the slowest first, with its share and its rates", () => {
    const printed = listen();
    timed([1, 3], 5);
    const [head, columns, ...lines] = printed[0].split("\n");
    expect(head).toMatch(/^times: 4\.000 ms for 2 kernels, medians of up to 9 runs; contractions 1\.000 ms at /);
    expect(columns.trim().split(/ +/)).toEqual(["#", "ms", "share", "GFLOP/s", "GB/s", "kernel"]);
    const { bytes, multiplyAdds } = program.kernels[0];
    const rates = [(2 * multiplyAdds) / 1e6, bytes / 1e6].map((rate) => rate.toFixed(1));
    expect(lines.map((line) => line.trim().split(/ {2,}| (?=\d)/))).toEqual([
      ["1", "3.000", "75.0%", (program.kernels[1].bytes / 3e6).toFixed(1), names[1]],
      ["0", "1.000", "25.0%", ...rates, names[0]],
    ]);
  });

  test("is of programs that have one kernel each and wait for nothing, run in order", () => {
    listen();
    const { loaded, ran } = timed([1, 1], 3);
    expect(loaded.map(({ kernels }) => kernels)).toEqual(program.kernels.map((kernel) => [kernel]));
    expect(loaded.map(({ plan }) => plan.barriers)).toEqual([[false], [false]]);
    expect(ran).toEqual([0, 1, 0, 1, 0, 1]);
  });
});

describe("training with GRADUS_DEBUG=time", () => {
  /** The losses of a few steps of a model with every kind of kernel, and its parameters in the end. */
  async function train(steps: number): Promise<{ results: unknown[]; kernels: number }> {
    await gd.init({ device: "cpu" });
    gd.manualSeed(20250917);
    const model = new nn.Sequential(
      new nn.Conv2d(1, 4, 3, { padding: 1 }),
      new nn.BatchNorm2d(4),
      new nn.ReLU(),
      new nn.Flatten(),
      new nn.Linear(4 * 8 * 8, 10),
    );
    const optimizer = new optim.Adam(model.parameters(), { lr: 0.01 });
    const x = gd.randn([16, 1, 8, 8]);
    const classes = gd.tensor(
      Array.from({ length: 16 }, (_, i) => (3 * i) % 10),
      { dtype: "int32" },
    );
    await gd.flush();
    const losses: number[] = [];
    for (let i = 0; i < steps; i++) {
      optimizer.zeroGrad();
      const loss = F.crossEntropy(model.forward(x), classes);
      loss.backward();
      await optimizer.step();
      losses.push(await loss.item());
    }
    const parameters = await Promise.all(model.parameters().map((parameter) => parameter.data()));
    return { results: [losses, parameters], kernels: gd.memory().kernels };
  }

  test("prints a table of the step, with a line for each of its kernels, and changes no result", async () => {
    const without = await train(12);
    const printed = listen();
    settings.GRADUS_DEBUG = "time";
    const timed = await train(12);
    expect(timed.results).toEqual(without.results);
    expect(printed.length).toBe(1);
    const lines = printed[0].split("\n").slice(2);
    expect(lines.length).toBe(timed.kernels);
    const numbers = lines.map((line) => Number(line.match(/^ *(\d+) +[\d.]+ +[\d.]+%.* {2}\S/)?.[1]));
    expect(numbers.sort((a, b) => a - b)).toEqual(lines.map((_, i) => i));
  });
});
