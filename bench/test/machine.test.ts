// The kernels that measure the machine compute what they should; how fast is never asked here.

import { beforeAll, describe, expect, test } from "vitest";
import { compileKernels, type Kernels } from "../src/machine/assemble.ts";
import { memoryPages, panelDepth, regionBytes, threadLayout, tile } from "../src/machine/layout.ts";
import { describePeaks, largerPeaks, type Peaks } from "../src/machine/peaks.ts";
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

describe("the machine's peaks", () => {
  const peaks: Peaks = { gflops: 101.23, gbs: 29.04, threads: 2, fused: true };

  test("are the better of two measurements in each respect", () => {
    expect(largerPeaks(peaks, { ...peaks, gflops: 90, gbs: 31 })).toEqual({ ...peaks, gbs: 31 });
  });

  test("are told in one line, with what the engine lacks", () => {
    expect(describePeaks(peaks)).toBe("machine: 101 GFLOP/s register tile, 29.0 GB/s copy, 2 threads");
    expect(describePeaks({ ...peaks, threads: 1, fused: false })).toBe(
      "machine: 101 GFLOP/s register tile (no fused multiply-add), 29.0 GB/s copy, 1 thread",
    );
  });
});
