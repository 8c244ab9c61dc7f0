import { availableParallelism } from "node:os";
import { describe, expect, test } from "vitest";
import { parseOptions } from "../src/options.ts";
import { workloadNames, workloads } from "../src/workloads.ts";

const parse = (line: string) => parseOptions(line.split(" ").filter(Boolean), { exit: "throw" });

describe("the command line", () => {
  test.each(workloadNames)("of %s alone takes the workload's defaults", (workload) => {
    expect(parse(workload)).toEqual({
      workload,
      device: "cpu",
      codegen: "auto",
      threads: availableParallelism(),
      sizes: workloads[workload].defaults,
      steps: workloads[workload].steps,
      rounds: 5,
      peers: false,
      json: false,
    });
  });

  test("takes every option", () => {
    const line =
      "lenet --device webgpu --codegen native --threads 7 --batch-size 33 --steps 4 --rounds 2 --peers --json";
    expect(parse(line)).toEqual({
      workload: "lenet",
      device: "webgpu",
      codegen: "native",
      threads: 7,
      sizes: { batchSize: 33 },
      steps: 4,
      rounds: 2,
      peers: true,
      json: true,
    });
  });

  test("asks for the machine's peaks alone", () => {
    const machine = { workload: "machine", codegen: "auto", threads: 3, json: true };
    expect(parse("machine --threads 3 --json")).toEqual(machine);
    expect(parse("machine --threads 3 --json --codegen wasm")).toEqual({ ...machine, codegen: "wasm" });
  });

  test.each([
    ["", /missing required argument/],
    ["alexnet", /Allowed choices are matmul, mlp, lenet, .*, machine/],
    ["matmul --threads 0", /"0" is not a whole number from 1 up/],
    ["matmul --size 12.5", /"12.5" is not a whole number/],
    ["matmul --batch-size 3", /"matmul" has no --batch-size \(3 was given\)\. Use --size/],
    ["softmax --batch-size 3", /"softmax" has no --batch-size \(3 was given\)\. Use --size/],
    ["mlp --size 3", /"mlp" has no --size \(3 was given\)\. Use --batch-size/],
    ["mlp --device tpu", /Allowed choices are cpu, webgpu/],
    ["mlp --codegen llvm", /Allowed choices are auto, wasm, native/],
  ])('refuses "%s" and says what would do', (line, message) => {
    expect(() => parse(line)).toThrow(message);
  });
});
