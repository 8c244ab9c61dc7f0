// The kernels that measure the machine compute what they should; how fast is never asked here.

import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { compileKernels, type Kernels } from "../src/machine/assemble.ts";
import { memoryPages, panelDepth, regionBytes, threadLayout, tile } from "../src/machine/layout.ts";
import { measureNativePeaks, NoCompilerError } from "../src/machine/native.ts";
import { describePeaks, largerPeaks, measurePeaks, type Peaks } from "../src/machine/peaks.ts";
import { uniform } from "../src/recipes.ts";

describe.each([
  ["fused", true],
  ["plain", false],
] as const)("the %s kernels of the machine", (_, fused) => {
  const memory = new WebAssembly.Memory({ initial: 3, maximum: 3, shared: true });
  const floats = (at: number, length: number) => new Float32Array(memory.buffer, at, length);
  let kernels: Kernels;

  beforeAll(async () => {
    const compiled = await compileKernels({ fused });
    expect(compiled.fused).toBe(fused);
    kernels = new WebAssembly.Instance(compiled.module, { env: { memory } }).exports as unknown as Kernels;
  });

  test.each([
    [1, 1],
    [37, 3],
  ])("multiply panels of depth %i, %i times over, to one tile", (depth, times) => {
    const [rows, columns] = tile;
    const [a, b, c] = [floats(64, rows * depth), floats(8192, columns * depth), floats(16384, rows * columns)];
    a.set(uniform(1, a.length));
    b.set(uniform(2, b.length));
    kernels.multiply(a.byteOffset, b.byteOffset, c.byteOffset, depth, times);
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++) {
        let expected = 0;
        for (let k = 0; k < depth; k++) expected += a[rows * k + row]! * b[columns * k + column]!;
        // Sums of at most 37 products below 1, in float32.
        expect(c[columns * row + column]).toBeCloseTo(expected, 5);
      }
    }
  });

  test("copy what they are told to, and nothing beside it", () => {
    const [from, to] = [floats(65536, 64), floats(131072 - 64, 96)];
    from.set(uniform(3, 64));
    to.fill(7);
    kernels.copy(from.byteOffset, to.byteOffset + 64, 256);
    expect([...to]).toEqual([...new Array(16).fill(7), ...from, ...new Array(16).fill(7)]);
  });
});

describe("the memory of the measuring threads", () => {
  test.each([1, 2, 3, 64])("has a place of its own for each of %i, and no more pages than these fill", (threads) => {
    const [rows, columns] = tile;
    const places = Array.from({ length: threads }, (_, thread) => threadLayout(thread, threads)).flatMap(
      ({ a, b, c, from, to, copyBytes }) => [
        [a, 4 * rows * panelDepth],
        [b, 4 * columns * panelDepth],
        [c, 4 * rows * columns],
        [from, copyBytes],
        [to, copyBytes],
      ],
    ) as [number, number][];
    const sorted = places.toSorted(([first], [second]) => first - second);
    const ends = sorted.map(([start, bytes]) => start + bytes);
    // What the threads meet by lies first.
    expect(sorted[0]![0]).toBeGreaterThanOrEqual(8);
    for (const [index, [start]] of sorted.slice(1).entries()) expect(start).toBeGreaterThanOrEqual(ends[index]!);
    expect(ends.at(-1)).toBeLessThanOrEqual(memoryPages(threads) * 65536);
    expect(memoryPages(threads) * 65536).toBeLessThan(2 * regionBytes + 2 ** 22);
  });

  test("lets every thread copy whole cache lines, and loses less than a line of each slice", () => {
    for (const threads of [1, 3, 7]) {
      const { copyBytes } = threadLayout(0, threads);
      expect(copyBytes % 64).toBe(0);
      expect(regionBytes - threads * copyBytes).toBeLessThan(64 * threads);
    }
  });
});

describe("the native kernels of the machine", () => {
  let temporary: string;

  beforeAll(() => {
    temporary = mkdtempSync(join(tmpdir(), "gradus-bench-test-"));
    return () => rmSync(temporary, { recursive: true });
  });

  afterEach(() => {
    vi.unstubAllEnvs();
  });

  test("are compiled, find that they compute what they should, and leave nothing behind", async ({ skip }) => {
    vi.stubEnv("TMPDIR", temporary);
    const peaks = await measureNativePeaks(2).catch((error: unknown) => {
      if (error instanceof NoCompilerError) return skip(error.message);
      throw error;
    });
    expect(peaks).toEqual({
      gflops: expect.any(Number),
      gbs: expect.any(Number),
      threads: 2,
      fused: expect.any(Boolean),
      tile: expect.stringMatching(/^\S.* \d+x\d+$/),
    });
    expect(peaks.gflops).toBeGreaterThan(0);
    expect(peaks.gbs).toBeGreaterThan(0);
    expect(readdirSync(temporary)).toEqual([]);
  });

  test("are refused where no compiler is found, with each that was tried", async () => {
    vi.stubEnv("TMPDIR", temporary);
    vi.stubEnv("PATH", temporary);
    vi.stubEnv("CC", "no-such-compiler -m64");
    const failure = await measureNativePeaks(2).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(NoCompilerError);
    expect((failure as Error).message).toMatch(/no-such-compiler.*\bcc\b.*\bgcc\b.*\bclang\b.*name it in CC/);
    expect(readdirSync(temporary)).toEqual([]);
  });
});

describe("the machine's peaks", () => {
  const peaks: Peaks = { gflops: 101.23, gbs: 29.04, threads: 2, fused: true, tile: "AVX-512 14x32" };

  test("are the better of two measurements in each respect", () => {
    expect(largerPeaks(peaks, { ...peaks, gflops: 90, gbs: 31 })).toEqual({ ...peaks, gbs: 31 });
    const other = { ...peaks, gflops: 110, gbs: 28, tile: "AVX2 6x16" };
    expect(largerPeaks(peaks, other)).toEqual({ ...other, gbs: 29.04 });
  });

  test("are told in one line, with what the engine lacks", () => {
    expect(describePeaks(peaks)).toBe("machine: 101 GFLOP/s register tile (AVX-512 14x32), 29.0 GB/s copy, 2 threads");
    expect(describePeaks({ ...peaks, threads: 1, fused: false, tile: "WebAssembly 4x8" })).toBe(
      "machine: 101 GFLOP/s register tile (WebAssembly 4x8, no fused multiply-add), 29.0 GB/s copy, 1 thread",
    );
  });

  const webAssembly = { ...peaks, tile: "WebAssembly 4x8" };
  const measuring = (native: () => Promise<Peaks>, codegen: string) =>
    measurePeaks(2, codegen, native, async () => webAssembly);

  test.each([
    ["native", peaks],
    ["auto", peaks],
    ["wasm", webAssembly],
    ["wgsl", webAssembly],
  ])("of %s code are those of its instructions", async (codegen, expected) => {
    expect(await measuring(async () => peaks, codegen)).toBe(expected);
  });

  test("are WebAssembly's where there is no compiler, and unknown where its program fails", async () => {
    const failing = (error: Error) => measuring(() => Promise.reject(error), "native");
    expect(await failing(new NoCompilerError("none"))).toBe(webAssembly);
    await expect(failing(new Error("no such instruction"))).rejects.toThrow("no such instruction");
  });
});
