// GRADUS_DEBUG=graph,kernels,loops,plan prints what each pass made of a step, so that a person can follow it.

import * as gd from "gradus";
import { afterEach, describe, expect, test, vi } from "vitest";
import { input, programOf } from "../support/compile.ts";

const settings = globalThis as { GRADUS_DEBUG?: string };

afterEach(() => {
  settings.GRADUS_DEBUG = undefined;
  vi.restoreAllMocks();
});

/** What compiling a linear layer with softmax prints with some topics on. */
function printed(topics: string | undefined): string {
  settings.GRADUS_DEBUG = topics;
  const lines: string[] = [];
  vi.spyOn(console, "error").mockImplementation((line: unknown) => {
    lines.push(String(line));
  });
  const x = input([64, 100]);
  programOf(gd.F.linear(x, input([10, 100]), input([10])).softmax(1));
  return lines.join("\n");
}

describe("GRADUS_DEBUG", () => {
  test("prints nothing unless it is set, or set to something else", () => {
    expect(printed("")).toBe("");
    expect(printed("nothing,of,this")).toBe("");
  });

  test("graph lists every node after simplification with its inputs, attributes, type, and which are results", () => {
    const text = printed("graph");
    expect(text).toMatch(/^graph: \d+ nodes, 1 outputs$/m);
    expect(text).toMatch(/^ {2}%\d+ = dot\(%\d+, %\d+\) spec=\S+ : float32\[64,10\]$/m);
    expect(text).toMatch(/^ {2}%\d+ = max\(%\d+\) axes=\[1\] : float32\[64\]$/m);
    expect(text).toMatch(/^ {2}%\d+ = unary\(%\d+\) fn=exp : float32\[64,10\]$/m);
    expect(text).toMatch(/ : float32\[64,10\] -> output$/m);
  });

  test("graph names only nodes that it has listed before", () => {
    const known = new Set<string>();
    for (const line of printed("graph").split("\n").slice(1)) {
      const [, name, rest] = line.match(/^ {2}(%\d+) = (.*)$/)!;
      for (const used of rest.match(/%\d+/g) ?? []) expect(known).toContain(used);
      known.add(name);
    }
    expect(known.size).toBeGreaterThan(8);
  });

  test("kernels lists every kernel with its kind, shape, anchors, and what it reads and writes", () => {
    const text = printed("kernels");
    expect(text).toMatch(/^kernels: 2$/m);
    expect(text).toMatch(/^ {2} 0 contract \[64,10\] dot %\d+ spec=\S+$/m);
    expect(text).toMatch(/^ {7}reads input0, input1, input2$/m);
    expect(text).toMatch(/^ {2} 1 staged \[64\] max %\d+ axes=\[1\] \+ sum %\d+ axes=\[1\]$/m);
    expect(text).toMatch(/^ {7}writes output0:float32\[64,10\]$/m);
  });

  test("kernels lists the stages of a kernel, with the values they hand on by their nodes", () => {
    const stages = [...printed("kernels").matchAll(/^ {7}(\w+ \[[\d,]*\]) of (.+) to (\S+):float32\[[\d,]*\]$/gm)];
    expect(stages.map(([, kind]) => kind)).toEqual(["reduce [64]", "map [64,10]", "reduce [64]", "map [64,10]"]);
    const [maximum, exponentials, sum, result] = stages.map(([, , , written]) => written);
    for (const value of [maximum, exponentials, sum]) expect(value).toMatch(/^%\d+$/);
    expect(result).toBe("output0");
    const reads = stages.map(([, , read]) => read.split(", "));
    expect(reads[0]).toEqual([expect.stringMatching(/^value\d+$/)]);
    expect(reads[1]).toEqual([...reads[0], maximum]);
    expect(reads[3]).toContain(sum);
  });

  test("plan states the arena, how near it is to the least, and every value's place and life", () => {
    const text = printed("plan");
    const head =
      /^plan: arena (\d+) bytes, (\d+\.\d\d) times the peak of live bytes; (\d+) barriers; scratch \d+ bytes a thread$/m;
    const [, arena, ratio, barriers] = text.match(head)!;
    expect(Number(arena)).toBeGreaterThanOrEqual(64 * 10 * 4);
    expect(Number(ratio)).toBeGreaterThanOrEqual(1);
    expect(Number(barriers)).toBe(1);
    const places = [...text.matchAll(/^ {2}(\S+) at (\d+), (\d+) bytes, kernels (\d+) to (\d+)$/gm)];
    // The product's packed panel and the product; what the stages of softmax hand on has no place in the arena.
    expect(places.length).toBe(2);
    for (const [, , offset, bytes, first, last] of places) {
      expect(Number(offset) + Number(bytes)).toBeLessThanOrEqual(Number(arena));
      expect(Number(first)).toBeLessThanOrEqual(Number(last));
    }
  });

  test("loops prints every kernel as a program that can be read", () => {
    const text = printed("loops");
    expect(text).toMatch(/^kernel 0: dot\[64,10\]$/m);
    expect(text).toMatch(/^barrier\nkernel 1: max \/ map \/ sum \/ map\[64,10\]$/m);
    expect(text).toMatch(/^ +(parallel )?for \S+ = 0 to \d+( step \d+)?$/m);
    expect(text).toMatch(/^ +output0@\(.+\) = .+$/m);
    expect(text).toMatch(/fma\(/);
    expect(text).not.toMatch(/undefined|\[object|[@+] ?\(?NaN/);
  });

  test("prints several topics in the order of the passes", () => {
    const heads = [...printed("plan,kernels,graph,loops").matchAll(/^(graph|kernels|kernel 0|plan):/gm)];
    expect(heads.map(([, head]) => head)).toEqual(["graph", "kernels", "kernel 0", "plan"]);
  });
});

test("a training step on the device is printed as well", async () => {
  const lines: string[] = [];
  vi.spyOn(console, "error").mockImplementation((line: unknown) => {
    lines.push(String(line));
  });
  await gd.init({ device: "cpu" });
  const weight = new gd.Parameter(gd.tensor([[0.5, -0.25, 1]]));
  await gd.flush();
  settings.GRADUS_DEBUG = "kernels";
  const optimizer = new gd.optim.SGD([weight], { lr: 0.1 });
  gd.F.linear(gd.tensor([[1, 2, 3]]), weight)
    .square()
    .sum()
    .backward();
  await optimizer.step();
  expect(lines.join("\n")).toMatch(/reads .*scalar0/);
});
