// Convolutions over dilated inputs: transposed ones and the gradients of strided ones. Taken literally, most of their
// products are with zeros that lie between the elements of the input; by phases, they are not. Multiply-adds are counted
// as the compiler counts them for its kernels, whole register tiles included, against those of the definition: each
// element of the smaller image meets each element of the kernel. Channels are such that tiles are filled.

import * as gd from "gradus";
import { afterEach, describe, expect, test, vi } from "vitest";
import { input, multiplyAddsOf, programOf, trainable } from "../support/compile.ts";

const { F } = gd;

const settings = globalThis as { GRADUS_DEBUG?: string };

afterEach(() => {
  settings.GRADUS_DEBUG = undefined;
  vi.restoreAllMocks();
});

const [batch, channels] = [4, 16];

interface Geometry {
  /** Of the smaller image: what a transposed convolution reads, what a strided one makes. */
  readonly size: number;
  readonly kernel: number;
  readonly stride: number;
  readonly padding?: number;
  readonly outputPadding?: number;
  readonly groups?: number;
  /** The most multiply-adds where there are phases, as a factor of the definition's. Literally they would be stride^2. */
  readonly atMost: number;
}

const geometries: { readonly [claim: string]: Geometry } = {
  // Padding shifts the phases against each other, so each has one row and one column more than are asked for.
  "stride 2, kernel 4, from 4x4": { size: 4, kernel: 4, stride: 2, padding: 1, atMost: 1.6 },
  "stride 2, kernel 4, from 8x8": { size: 8, kernel: 4, stride: 2, padding: 1, atMost: 1.3 },
  "stride 2, kernel 4, from 31x31": { size: 31, kernel: 4, stride: 2, padding: 1, atMost: 1.1 },
  // 33 columns make 9 vectors, which are 36.
  "stride 2, kernel 4, from 32x32": { size: 32, kernel: 4, stride: 2, padding: 1, atMost: 1.17 },
  "stride 2, kernel 4, from 15x15 in two groups": {
    size: 15,
    kernel: 4,
    stride: 2,
    padding: 1,
    groups: 2,
    atMost: 1.15,
  },
  "stride 2, kernel 2, from 8x8": { size: 8, kernel: 2, stride: 2, atMost: 1 },
  "stride 3, kernel 3, from 8x8": { size: 8, kernel: 3, stride: 3, atMost: 1 },
  "stride 2, kernel 1, from 16x16": { size: 16, kernel: 1, stride: 2, atMost: 1 },
  // All phases have as many elements of the kernel as the first: it counts as one of 4, or of 6.
  "stride 2, kernel 3, from 16x16": { size: 16, kernel: 3, stride: 2, padding: 1, outputPadding: 1, atMost: 16 / 9 },
  "stride 2, kernel 5, from 15x15": { size: 15, kernel: 5, stride: 2, padding: 2, outputPadding: 1, atMost: 1.65 },
};

const exactly = ({ size, kernel, groups = 1 }: Geometry): number =>
  batch * channels * (channels / groups) * (size * kernel) ** 2;

function gradientOf(value: gd.Tensor, leaf: gd.Tensor): gd.Tensor {
  return gd.grad(value.mul(input(value.shape)).sum(), [leaf])[0];
}

interface Convolution {
  readonly value: gd.Tensor;
  readonly image: gd.Tensor;
  readonly weight: gd.Tensor;
}

function transposed({ size, kernel, stride, padding, outputPadding, groups = 1 }: Geometry): Convolution {
  const image = trainable([batch, channels, size, size]);
  const weight = trainable([channels, channels / groups, kernel, kernel]);
  return { value: F.convTranspose2d(image, weight, null, { stride, padding, outputPadding, groups }), image, weight };
}

/** The strided convolution whose gradient the transposed one is. */
function strided({ size, kernel, stride, padding = 0, outputPadding = 0, groups = 1 }: Geometry): Convolution {
  const large = (size - 1) * stride + kernel - 2 * padding + outputPadding;
  const image = trainable([batch, channels, large, large]);
  const weight = trainable([channels, channels / groups, kernel, kernel]);
  return { value: F.conv2d(image, weight, null, { stride, padding, groups }), image, weight };
}

/** Columns are computed in vectors of four. */
const wholeVectors = (columns: number): number => (Math.ceil(columns / 4) * 4) / columns;
const exact = (): number => 1;
const byPhases = ({ atMost }: Geometry): number => atMost;
/** A kernel's elements are the columns of its gradient; those of one or of a whole number of vectors fit. */
const byKernel = ({ kernel }: Geometry): number => (kernel === 1 ? 1 : wholeVectors(kernel));

/** What is computed, and the most multiply-adds it may take. */
const computations: {
  readonly [name: string]: {
    readonly of: (geometry: Geometry) => gd.Tensor;
    readonly atMost: (geometry: Geometry) => number;
  };
} = {
  "a transposed convolution": { of: (geometry) => transposed(geometry).value, atMost: byPhases },
  "the gradient of its image": {
    of: (geometry) => {
      const { value, image } = transposed(geometry);
      return gradientOf(value, image);
    },
    atMost: exact,
  },
  "the gradient of its weight": {
    of: (geometry) => {
      const { value, weight } = transposed(geometry);
      return gradientOf(value, weight);
    },
    atMost: byKernel,
  },
  "a strided convolution": { of: (geometry) => strided(geometry).value, atMost: exact },
  "the gradient of a strided convolution's image": {
    of: (geometry) => {
      const { value, image } = strided(geometry);
      return gradientOf(value, image);
    },
    atMost: byPhases,
  },
  "the gradient of a strided convolution's weight": {
    of: (geometry) => {
      const { value, weight } = strided(geometry);
      return gradientOf(value, weight);
    },
    atMost: byKernel,
  },
};

describe.each(Object.entries(computations))("%s", (_, { of, atMost }) => {
  test.each(Object.entries(geometries))("takes few multiply-adds more than its definition: %s", (_, geometry) => {
    const factor = multiplyAddsOf(programOf(of(geometry))) / exactly(geometry);
    expect(factor).toBeGreaterThanOrEqual(1);
    expect(factor).toBeLessThanOrEqual(atMost(geometry) + 1e-9);
  });

  test("lays out no zeros between the elements of an image", () => {
    settings.GRADUS_DEBUG = "graph";
    const lines: string[] = [];
    vi.spyOn(console, "error").mockImplementation((line: unknown) => {
      lines.push(String(line));
    });
    for (const geometry of Object.values(geometries)) programOf(of(geometry));
    const amounts = lines.flatMap((line) => line.match(/interior=\[([\d,]*)\]/)?.[1].split(",") ?? []);
    expect(lines.length).toBeGreaterThan(20);
    expect(amounts.filter((amount) => Number(amount) !== 0)).toEqual([]);
  });
});
