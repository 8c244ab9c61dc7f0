import { describe, expect, test } from "vitest";
import type { Outcome } from "../src/contest.ts";
import type { Peaks } from "../src/machine/peaks.ts";
import { parseOptions, type WorkloadOptions } from "../src/options.ts";
import { renderTable, summarize } from "../src/report.ts";

const parse = (line: string) => parseOptions(line.split(" "), { exit: "throw" }) as WorkloadOptions;
const options = parse("matmul --size 1000 --threads 2");
const peaks: Peaks = { gflops: 119.0475, gbs: 50, threads: 2, fused: true, tile: "WebAssembly 4x8" };

function measured(times: readonly number[], version: string, check: readonly number[] = [8.5, 8.5]): Outcome {
  return { kind: "measured", times, peakMb: 256, ready: { kind: "ready", version, threads: 2, firstMs: 90, check } };
}
const outcomes = new Map<string, Outcome>([
  ["gradus", measured([20, 21, 26], "0.1.0")],
  ["pytorch", measured([7, 10, 8.4], "1.13.0")],
  ["jax-js", { kind: "absent", reason: "npm install failed" }],
]);

describe("the object of --json", () => {
  test("has Gradus's figures at the top and each peer's below its name", () => {
    expect(summarize(options, outcomes, peaks)).toEqual({
      workload: "matmul",
      device: "cpu",
      codegen: "auto",
      threads: 2,
      peak_gflops: 119.05,
      peak_gbs: 50,
      peak_tile: "WebAssembly 4x8",
      median_ms: 21,
      min_ms: 20,
      first_ms: 90,
      gflops: 95.238,
      gbs: null,
      peak_share: 0.8,
      peak_mb: 256,
      peers: {
        pytorch: {
          median_ms: 8.4,
          min_ms: 7,
          first_ms: 90,
          gflops: 238.1,
          gbs: null,
          peak_share: 2,
          peak_mb: 256,
          version: "1.13.0",
          threads: 2,
        },
        "jax-js": null,
      },
    });
  });

  test("has nulls for Gradus where it did not run, and no peers where none was asked for", () => {
    const failed = new Map<string, Outcome>([["gradus", { kind: "absent", reason: "no such module" }]]);
    expect(summarize(options, failed)).toEqual({
      workload: "matmul",
      device: "cpu",
      codegen: "auto",
      threads: 2,
      peak_gflops: null,
      peak_gbs: null,
      peak_tile: null,
      median_ms: null,
      min_ms: null,
      first_ms: null,
      gflops: null,
      gbs: null,
      peak_share: null,
      peak_mb: null,
      peers: {},
    });
  });

  test("measures by bytes where memory is the bound", () => {
    const gradus = new Map([["gradus", measured([8], "0.1.0")]]);
    // A matrix of 4 million bytes read and one written in 8 ms.
    expect(summarize(parse("softmax --size 1000"), gradus, peaks)).toMatchObject({
      gflops: null,
      gbs: 1,
      peak_share: 0.02,
    });
  });

  test("has no share of peaks that are not known", () => {
    expect(summarize(options, outcomes)).toMatchObject({ gflops: 95.238, peak_share: null, peak_gflops: null });
  });

  test("tells what code Gradus really ran", () => {
    const gradus = measured([1], "0.1.0") as Outcome & { kind: "measured" };
    const native = new Map<string, Outcome>([["gradus", { ...gradus, ready: { ...gradus.ready, codegen: "native" } }]]);
    expect(summarize(options, native).codegen).toBe("native");
  });
});

describe("the table", () => {
  const table = renderTable(options, outcomes, peaks);
  const row = (name: string) => table.split("\n").find((line) => line.startsWith(name));

  test("gives figures and the ratio to Gradus", () => {
    const cells = ["pytorch", "1.13.0", "2", "8.4", "7", "90", "238.1", "-", "200%", "256", "0.4"];
    expect(row("pytorch")?.split(/\s{2,}/)).toEqual(cells);
    expect(
      row("gradus")
        ?.split(/\s{2,}/)
        .at(-1),
    ).toBe("1");
  });

  test("tells the machine's peaks", () => {
    expect(row("machine")).toBe("machine: 119 GFLOP/s register tile (WebAssembly 4x8), 50.0 GB/s copy, 2 threads");
    expect(renderTable(options, outcomes)).not.toContain("machine");
  });

  test("gives the reason of an absence", () => {
    expect(row("jax-js")).toMatch(/^jax-js {3}absent: npm install failed$/);
  });

  test("has no ratio where Gradus did not run", () => {
    const alone = renderTable(options, new Map([["pytorch", measured([5], "1.13.0")]]));
    expect(alone.split("\n").at(-1)).toMatch(/-$/);
  });

  test("tells who computed something else, and not who rounded otherwise", () => {
    const mixed = new Map([
      ["gradus", measured([5], "0.1.0", [2.31, 2.3])],
      ["pytorch", measured([5], "1.13.0", [2.310001, 2.3])],
      ["tfjs-cpu", measured([5], "4.22.0", [2.31, 2.31])],
      ["jax-js", measured([5], "0.1.25", [Number.NaN, 2.3])],
    ]);
    const notes = renderTable(options, mixed)
      .split("\n")
      .filter((line) => line.includes("something else"));
    expect(notes.map((line) => line.split(" ")[0])).toEqual(["tfjs-cpu", "jax-js"]);
  });
});
