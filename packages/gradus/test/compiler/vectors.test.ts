// Map and reduce kernels run on vectors. That is shown twice: in the scheduled loops, whose innermost ones compute
// nothing in single float32 numbers, and in the instructions of the emitted modules. Extents are multiples of four; for
// others at most three elements of a row are computed one by one.
//
// One number spread over a vector as it is loaded is a vector load. Beside padding, vectors that reach over an edge are
// put together lane by lane; they are the other side of a choice and do not count.

import * as gd from "gradus";
import { describe, expect, test } from "vitest";
import { emitModule } from "../../src/backends/cpu/wasm/emit.ts";
import type { Expression, Program, ProgramKernel } from "../../src/compiler/index.ts";
import { operandsOf, valuesOf } from "../../src/compiler/ir.ts";
import { innermostLoops, input, type Loop, programOf, statementsIn, trainable } from "../support/compile.ts";
import { type Instruction, innermostLoopsOf, instructionsOf } from "./instructions.ts";

const { F } = gd;

type Tensors = gd.Tensor | readonly gd.Tensor[];

const chain = (x: gd.Tensor): gd.Tensor => x.mul(2).add(1).relu().sub(0.5).square();

function withGradients(value: gd.Tensor, leaves: readonly gd.Tensor[]): readonly gd.Tensor[] {
  return [value, ...gd.grad(value.mul(input(value.shape)).sum(), [...leaves])];
}

/** A convolution with batch normalization beside a shortcut, and an update of its parameters. */
function residualStep(): readonly gd.Tensor[] {
  const x = input([4, 8, 14, 14]);
  const parameters = [[8, 8, 3, 3], [8], [8]].map((shape) => trainable(shape));
  const [kernel, weight, bias] = parameters;
  const convolved = F.conv2d(x, kernel, null, { padding: 1 });
  const loss = F.batchNorm(convolved, null, null, { weight, bias, training: true }).add(x).relu().square().mean();
  const rate = gd.scalar(0.1);
  return [loss, ...gd.grad(loss, parameters).map((gradient, i) => parameters[i].sub(gradient.mul(rate)))];
}

const functions = ["exp", "expm1", "log", "log1p", "tanh", "sigmoid", "erf", "sin", "cos", "sqrt", "rsqrt"] as const;

const computations: { readonly [name: string]: () => Tensors } = {
  "a chain of maps over one axis": () => chain(input([4096])),
  "a chain of maps over two axes": () => chain(input([256, 64])),
  "a chain of maps with broadcast operands": () =>
    chain(
      input([256, 64])
        .mul(input([64]))
        .add(input([256, 1])),
    ),
  "a chain of maps over views": () => chain(input([64, 8, 16]).permute(1, 0, 2).reshape(8, 1024).slice(0, 2, 6)),
  ...Object.fromEntries(functions.map((fn) => [fn, () => input([4096])[fn]()])),
  pow: () => input([4096]).pow(input([4096])),
  "a power by a constant": () => input([4096]).pow(2.5),
  gelu: () => F.gelu(input([4096])),
  "comparison and selection": () => gd.where(input([256, 64]).gt(0), input([256, 64]), input([256, 64]).exp()),
  dropout: () => F.dropout(input([256, 64]), 0.5),
  "a sum over the last axis": () => input([256, 64]).sum(1),
  "a sum over the first axis": () => input([256, 64]).sum(0),
  "a sum over a middle axis": () => input([16, 32, 64]).mean(1),
  "a sum over all": () => input([256, 64]).exp().sum(),
  "a maximum over the last axis": () => input([256, 64]).amax(1),
  "a maximum over the first axis": () => input([256, 64]).amax(0),
  softmax: () => input([256, 64]).softmax(1),
  "softmax over the first axis": () => input([64, 256]).softmax(0),
  "the logarithm of softmax": () => input([256, 64]).logSoftmax(1),
  "softmax forward and backward": () => {
    const x = trainable([256, 64]);
    return withGradients(x.softmax(1), [x]);
  },
  "layer normalization": () => F.layerNorm(input([256, 64]), [64], { weight: input([64]), bias: input([64]) }),
  "layer normalization forward and backward": () => {
    const [x, weight, bias] = [trainable([256, 64]), trainable([64]), trainable([64])];
    return withGradients(F.layerNorm(x, [64], { weight, bias }), [x, weight, bias]);
  },
  "batch normalization": () =>
    F.batchNorm(input([8, 16, 8, 8]), null, null, { weight: input([16]), bias: input([16]), training: true }).relu(),
  "batch normalization forward and backward": () => {
    const [x, weight, bias] = [trainable([8, 16, 8, 8]), trainable([16]), trainable([16])];
    return withGradients(F.batchNorm(x, null, null, { weight, bias, training: true }).relu(), [x, weight, bias]);
  },
  "group normalization": () => F.groupNorm(input([8, 16, 8, 8]), 4, { weight: input([16]), bias: input([16]) }),
  "cross-entropy and its gradient": () => {
    const x = trainable([256, 64]);
    return withGradients(F.crossEntropy(x, input([256, 64])), [x]);
  },
  "a training step of a residual convolution": residualStep,
};

/** The program and its kernels that are no contractions. */
function compiled(of: () => Tensors): { program: Program; kernels: readonly ProgramKernel[] } {
  const outputs = of();
  const program = programOf(...(outputs instanceof gd.Tensor ? [outputs] : outputs));
  return { program, kernels: program.kernels.filter(({ multiplyAdds }) => multiplyAdds === 0) };
}

// In the loops --------------------------------------------------------------------------------------------------------

const isSingle = ({ kind, lanes }: Expression): boolean => kind === "f32" && lanes === 1;

/** What a loop computes, loads or stores in single float32 numbers. */
function singlesIn({ body }: Loop): string[] {
  const found: string[] = [];
  const seen = new Set<Expression>();
  const visit = (expression: Expression): void => {
    if (seen.has(expression)) return;
    seen.add(expression);
    const { node } = expression;
    if (isSingle(expression) && node.op !== "constant" && node.op !== "read") found.push(node.op);
    if (node.op === "splat" && node.x.node.op === "fetch") visit(node.x.node.address);
    else if (node.op === "choose" && expression.lanes > 1) [node.condition, node.a].forEach(visit);
    else operandsOf(node).forEach(visit);
  };
  for (const statement of statementsIn(body)) {
    valuesOf(statement).forEach(visit);
    if (statement.op === "put" && isSingle(statement.value)) found.push("put");
  }
  return found;
}

describe("the innermost loops of map and reduce kernels compute in vectors", () => {
  test.each(Object.entries(computations))("%s", (_, of) => {
    const loops = compiled(of).kernels.flatMap((kernel) => innermostLoops(kernel));
    expect(loops.length).toBeGreaterThan(0);
    expect(loops.flatMap(singlesIn)).toEqual([]);
  });

  const odd: { readonly [name: string]: () => Tensors } = {
    "a chain of maps": () => chain(input([4099])),
    "a map of rows": () =>
      input([70, 57])
        .add(input([70, 1]))
        .exp(),
    softmax: () => input([64, 70]).softmax(1),
    "layer normalization": () => F.layerNorm(input([64, 77]), [77], { weight: input([77]), bias: input([77]) }),
  };
  test.each(Object.entries(odd))(
    "but for at most three elements where there is no whole number of them: %s",
    (_, of) => {
      const loops = compiled(of).kernels.flatMap((kernel) => innermostLoops(kernel));
      const single = loops.filter((loop) => singlesIn(loop).length > 0);
      expect(single.length).toBeGreaterThan(0);
      for (const { from, to, step } of single) {
        expect([from.isConstant, to.isConstant, step]).toEqual([true, true, 1]);
        expect(to.constant - from.constant).toBeLessThan(4);
        expect(from.constant % 4).toBe(0);
      }
    },
  );
});

// In the instructions -------------------------------------------------------------------------------------------------

function instructionsFor(program: Program, kernel: ProgramKernel): Instruction[][] {
  const alone = { ...program, kernels: [kernel], plan: { ...program.plan, barriers: [false] } };
  const memory = { initial: 1, maximum: 1, shared: false };
  return instructionsOf(emitModule(alone, { memory, relaxedSimd: true, threads: 1 }));
}

const isOtherSide = ({ within }: Instruction): boolean =>
  within.some(({ kind, isVector }) => isVector && kind === "else");
/** Arithmetic, loads and stores of single numbers; constants and moves of them cost nothing worth counting. */
const isScalarFloat = ({ name }: Instruction): boolean =>
  /^f(32|64)\./.test(name) && !name.endsWith(".const") && !name.includes("reinterpret");
const isVectorInstruction = ({ name }: Instruction): boolean => /^(v128|[if]\d+x\d+)\./.test(name);

describe("the instructions in the innermost loops of map and reduce kernels are vector instructions", () => {
  test.each(Object.entries(computations))("%s", (_, of) => {
    const { program, kernels } = compiled(of);
    for (const kernel of kernels) {
      const loops = innermostLoopsOf(instructionsFor(program, kernel)).map((loop) =>
        loop.filter((instruction) => !isOtherSide(instruction)),
      );
      // A loop that hands ranges to a function has the call and no arithmetic.
      const working = loops.filter((loop) => !loop.some(({ name }) => name === "call"));
      expect(working.length).toBeGreaterThan(0);
      for (const loop of working) {
        expect(loop.filter(isScalarFloat).map(({ name }) => name)).toEqual([]);
        expect(loop.filter(isVectorInstruction).length).toBeGreaterThan(0);
      }
    }
  });

  test("and there is arithmetic on float32 vectors among them", () => {
    for (const name of ["a chain of maps over two axes", "softmax", "batch normalization forward and backward"]) {
      const { program, kernels } = compiled(computations[name]);
      const names = kernels.flatMap((kernel) =>
        instructionsFor(program, kernel)
          .flat()
          .map((i) => i.name),
      );
      expect(names.filter((instruction) => instruction.startsWith("f32x4.")).length).toBeGreaterThan(2);
    }
  });
});

test("the instructions that are counted are those the module has", () => {
  const { program, kernels } = compiled(() => input([64]).sqrt());
  const functions = instructionsFor(program, kernels[0]);
  const [loop] = innermostLoopsOf(functions);
  const names = loop.map(({ name }) => name).filter((name) => name !== "local.get");
  expect(names).toEqual([
    "loop",
    "i32.const",
    "i32.shl",
    "local.set",
    "i32.add",
    "i32.add",
    "v128.load",
    "f32x4.sqrt",
    "v128.store",
    "i32.const",
    "i32.add",
    "local.tee",
    "i32.lt_s",
    "br_if",
  ]);
});
