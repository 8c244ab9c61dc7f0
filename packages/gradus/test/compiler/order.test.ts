// The order in which kernels run: whatever it is given, each comes after those it reads from, and what can let go of
// memory does so early. Kernels are made by hand; what they compute does not matter here.
//
// GRADUS_TEST_SEED and GRADUS_TEST_RUNS look further than the fixed seed does.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Kernel } from "../../src/compiler/kernel.ts";
import { orderForMemory } from "../../src/compiler/order.ts";
import { leaf, type Node, sizeOf } from "../../src/graph/index.ts";
import { numberSetting } from "../support/device.ts";

const seed = numberSetting("GRADUS_TEST_SEED", 20250917);
const numRuns = numberSetting("GRADUS_TEST_RUNS", 200);

/** A kernel by the values it reads and the values it stores with their numbers of elements. */
interface Plan {
  readonly reads: readonly string[];
  readonly stores: { readonly [name: string]: number };
}

/** Kernels and the program's outputs, all by name. */
interface Program {
  readonly kernels: { readonly [name: string]: Plan };
  readonly outputs: readonly string[];
}

class Made {
  readonly kernels: Kernel[] = [];
  readonly stored = new Set<Node>();
  readonly outputs: ReadonlySet<Node>;
  private readonly names = new Map<Kernel, string>();

  constructor(program: Program) {
    const values = new Map<string, Node>();
    const valueNamed = (name: string, elements = 1): Node => {
      const known = values.get(name);
      if (known !== undefined) return known;
      const node = leaf("data", { requiresGrad: false }, { shape: [elements], dtype: "float32" }) as unknown as Node;
      values.set(name, node);
      return node;
    };
    for (const [name, { reads, stores }] of Object.entries(program.kernels)) {
      const outputs = Object.entries(stores).map(([value, elements]) => valueNamed(value, elements));
      for (const node of outputs) this.stored.add(node);
      const inputs = new Set(reads.map((value) => valueNamed(value)));
      const kernel: Kernel = { kind: "map", shape: [1], anchors: [], outputs, reads: inputs };
      this.kernels.push(kernel);
      this.names.set(kernel, name);
    }
    this.outputs = new Set(program.outputs.map((name) => valueNamed(name)));
  }

  ordered(): Kernel[] {
    return orderForMemory(this.kernels, this.stored, this.outputs);
  }

  namesOf(kernels: readonly Kernel[]): string[] {
    return kernels.map((kernel) => this.names.get(kernel)!);
  }

  /** The most elements of the arena that are alive while some kernel runs. */
  peakOf(kernels: readonly Kernel[]): number {
    const inArena = [...this.stored].filter((node) => !this.outputs.has(node));
    const alive = kernels.map((_, now) => {
      const isAlive = (node: Node): boolean => {
        const born = kernels.findIndex(({ outputs }) => outputs.includes(node));
        const last = kernels.findLastIndex(({ reads }) => reads.has(node));
        return born <= now && now <= Math.max(born, last);
      };
      return inArena.filter(isAlive).reduce((sum, { shape }) => sum + sizeOf(shape), 0);
    });
    return Math.max(0, ...alive);
  }
}

/**
 * A training step of three layers as the graph has it: forward, the gradients back to the first layer, and only then
 * what the weights' gradients are made of.
 */
const trainingStep: Program = {
  kernels: {
    "forward 1": { reads: ["image"], stores: { hidden1: 100 } },
    "forward 2": { reads: ["hidden1"], stores: { hidden2: 100 } },
    "forward 3": { reads: ["hidden2"], stores: { hidden3: 100 } },
    loss: { reads: ["hidden3"], stores: { gradient3: 100 } },
    "backward 3": { reads: ["gradient3"], stores: { gradient2: 100 } },
    "backward 2": { reads: ["gradient2"], stores: { gradient1: 100 } },
    "weights 1": { reads: ["gradient1", "image"], stores: { update1: 10 } },
    "weights 2": { reads: ["gradient2", "hidden1"], stores: { update2: 10 } },
    "weights 3": { reads: ["gradient3", "hidden2"], stores: { update3: 10 } },
  },
  outputs: ["update1", "update2", "update3"],
};

describe("kernels in the order for memory", () => {
  test("compute the gradient of a layer's weights as soon as they can", () => {
    const made = new Made(trainingStep);
    expect(made.namesOf(made.ordered())).toEqual([
      "forward 1",
      "forward 2",
      "forward 3",
      "loss",
      "weights 3",
      "backward 3",
      "weights 2",
      "backward 2",
      "weights 1",
    ]);
  });

  const cases: { readonly [claim: string]: Program } = {
    "a training step": trainingStep,
    "branches that each end in a small value": {
      kernels: {
        "wide a": { reads: ["x"], stores: { a: 1000 } },
        "wide b": { reads: ["x"], stores: { b: 1000 } },
        "wide c": { reads: ["x"], stores: { c: 1000 } },
        "sum a": { reads: ["a"], stores: { a1: 1 } },
        "sum b": { reads: ["b"], stores: { b1: 1 } },
        "sum c": { reads: ["c"], stores: { c1: 1 } },
        all: { reads: ["a1", "b1", "c1"], stores: { result: 1 } },
      },
      outputs: ["result"],
    },
    "a kernel with several results": {
      kernels: {
        split: { reads: ["x"], stores: { left: 100, right: 100, rest: 1 } },
        copy: { reads: ["rest"], stores: { large: 500 } },
        "use left": { reads: ["left"], stores: { l: 1 } },
        "use right": { reads: ["right"], stores: { r: 1 } },
        join: { reads: ["l", "r", "large"], stores: { result: 1 } },
      },
      outputs: ["result"],
    },
    "a chain, which has one order": {
      kernels: {
        first: { reads: ["x"], stores: { a: 10 } },
        second: { reads: ["a"], stores: { b: 300 } },
        third: { reads: ["b"], stores: { c: 20 } },
      },
      outputs: ["c"],
    },
  };

  test.each(Object.entries(cases))("keep no more alive than as given: %s", (_, program) => {
    const made = new Made(program);
    expect(made.peakOf(made.ordered())).toBeLessThanOrEqual(made.peakOf(made.kernels));
  });

  test("keep less alive where there is a choice", () => {
    const peaks = ["a training step", "branches that each end in a small value"].map((name) => {
      const made = new Made(cases[name]);
      return [made.peakOf(made.kernels), made.peakOf(made.ordered())];
    });
    expect(peaks).toEqual([
      [500, 400],
      [3001, 1003],
    ]);
  });

  test("of the same size stay as given", () => {
    const names = ["a", "b", "c", "d"];
    const kernels = Object.fromEntries(names.map((name) => [name, { reads: ["x"], stores: { [`${name}1`]: 8 } }]));
    const made = new Made({ kernels, outputs: names.map((name) => `${name}1`) });
    expect(made.namesOf(made.ordered())).toEqual(names);
  });

  test("of random programs are all there, each once, after all that they read from", () => {
    const kernel = fc.record({
      sizes: fc.array(fc.integer({ min: 1, max: 1000 }), { minLength: 1, maxLength: 3 }),
      // Of the values before it, counted back from the last; what is too far back is an input.
      reads: fc.array(fc.nat({ max: 30 }), { maxLength: 4 }),
      isOutput: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(kernel, { maxLength: 30, size: "max" }), (specifications) => {
        const values: string[] = [];
        const outputs: string[] = [];
        const kernels = specifications.map(({ sizes, reads, isOutput }, i): [string, Plan] => {
          const sources = reads.map((back) => values[values.length - 1 - back] ?? "input");
          const stores = Object.fromEntries(sizes.map((size, j) => [`value${i}.${j}`, size]));
          values.push(...Object.keys(stores));
          if (isOutput) outputs.push(`value${i}.0`);
          return [`kernel${i}`, { reads: sources, stores }];
        });
        const made = new Made({ kernels: Object.fromEntries(kernels), outputs });
        const ordered = made.ordered();
        expect(new Set(ordered)).toEqual(new Set(made.kernels));
        expect(ordered.length).toBe(made.kernels.length);
        const there = new Set<Node>();
        for (const { reads, outputs: results } of ordered) {
          for (const node of reads) if (made.stored.has(node)) expect(there).toContain(node);
          for (const node of results) there.add(node);
        }
      }),
      { seed, numRuns },
    );
  });
});
