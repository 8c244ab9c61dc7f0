// What must hold after each pass. A violation is an error in the compiler, never in a user's program. On in tests and
// with GRADUS_VERIFY=1.

import { type Node, type ShapeAndDType, sameShape, shapeRules, topologicalOrder } from "../graph/index.ts";
import { loopsOf, traceKernel } from "./access.ts";
import type { FusedGraph } from "./fuse.ts";
import { flatten, Index, type LoopVariable, unflatten } from "./index-expression.ts";
import { type Expression, operandsOf, type Register, type Statement, valuesOf } from "./ir.ts";
import { inputs } from "./kernel.ts";
import { bytesOf, type KernelAccess, type MemoryPlan } from "./plan.ts";
import type { ProgramKernel } from "./program.ts";
import { isStaged, rowIndex, type StagedKernel } from "./stages.ts";

const enabled =
  typeof process !== "undefined" && (process.env?.GRADUS_VERIFY === "1" || process.env?.VITEST !== undefined);

type AnyShapeRule = (inputs: readonly Node[], attributes: object, wanted: ShapeAndDType) => ShapeAndDType;

class VerifyError extends Error {
  override readonly name = "VerifyError";
}

function check(holds: boolean, pass: string, problem: () => string): void {
  if (!holds) throw new VerifyError(`internal: after ${pass}: ${problem()}`);
}

/** Every node has the shape and dtype its rule gives, and no convolution is left. */
export function verifyGraph(outputs: readonly Node[]): void {
  if (!enabled) return;
  for (const node of topologicalOrder(outputs)) {
    const rule = shapeRules[node.op] as unknown as AnyShapeRule;
    const { shape, dtype } = rule(node.inputs, node.attributes, node);
    check(
      sameShape(shape, node.shape) && dtype === node.dtype,
      "simplify",
      () => `%${node.id} ${node.op} has shape [${node.shape}], its rule says [${shape}]`,
    );
    check(node.op !== "conv", "simplify", () => `%${node.id} is still a convolution`);
  }
}

/** Every output is stored once, and every kernel runs after those it reads from. */
export function verifyFusion({ groups, stored }: FusedGraph, outputs: readonly Node[]): void {
  if (!enabled) return;
  const done = new Set<Node>();
  for (const group of groups) {
    for (const kernel of group) {
      for (const read of kernel.reads) {
        check(
          !stored.has(read) || done.has(read),
          "fuse",
          () => `a ${kernel.kind} kernel reads %${read.id} before it is there`,
        );
      }
    }
    for (const kernel of group) {
      if (isStaged(kernel)) verifyStages(kernel, stored);
      for (const node of kernel.outputs) {
        check(!done.has(node), "fuse", () => `%${node.id} is stored twice`);
        done.add(node);
      }
    }
  }
  for (const node of outputs) check(done.has(node), "fuse", () => `output %${node.id} is stored nowhere`);
}

/** What stages keep inside of a kernel is read in the row in which it was kept. */
function verifyStages({ stages, internal }: StagedKernel, stored: ReadonlySet<Node>): void {
  const keptBy = new Map(stages.flatMap((stage) => stage.kernel.outputs.map((node) => [node, stage])));
  for (const { kernel, pinned } of stages) {
    const loops = loopsOf(kernel);
    const here = loops.outer.map((variable) => Index.variable(variable));
    const row = rowIndex(here, kernel.shape, pinned).key;
    traceKernel(kernel, loops, {
      isStored: (node) => stored.has(node) || inputs.has(node.op) || internal.has(node),
      stored: (node, at) => {
        if (!internal.has(node) || kernel.outputs.includes(node)) return;
        const { kernel: source, pinned: axes } = keptBy.get(node)!;
        const read = rowIndex(unflatten(flatten(at, node.shape), source.shape), source.shape, axes).key;
        check(read === row, "fuse", () => `a stage reads row ${read} of %${node.id} in its row ${row}`);
      },
    });
  }
}

/** Values that are alive together do not overlap. */
export function verifyPlan(kernels: readonly KernelAccess[], plan: MemoryPlan): void {
  if (!enabled) return;
  const lives = new Map<string, [number, number]>();
  kernels.forEach(({ reads, writes }, i) => {
    for (const { name } of [...reads, ...writes]) lives.set(name, [lives.get(name)?.[0] ?? i, i]);
  });
  const placed = [...plan.offsets];
  for (const [a, start] of placed) {
    for (const [b, other] of placed) {
      if (a === b) continue;
      const [lifeA, lifeB] = [lives.get(a.name)!, lives.get(b.name)!];
      const together = lifeA[0] <= lifeB[1] && lifeB[0] <= lifeA[1];
      const overlap = start < other + bytesOf(b) && other < start + bytesOf(a);
      check(!(together && overlap), "plan", () => `${a.name} and ${b.name} share memory while both are alive`);
    }
    check(start + bytesOf(a) <= plan.arenaBytes, "plan", () => `${a.name} ends beyond the arena`);
  }
}

/** Loop variables are used within their loops, registers after they are set, and operands fit their operations. */
export function verifyLoops({ name, phases }: ProgramKernel): void {
  if (!enabled) return;
  const variables = new Set<LoopVariable>();
  const registers = new Set<Register>();
  const visit = (expression: Expression): void => {
    const { node } = expression;
    if (node.op === "variable")
      check(variables.has(node.variable), "schedule", () => `${name} uses ${node.variable.name} outside its loop`);
    if (node.op === "read")
      check(registers.has(node.register), "schedule", () => `${name} reads ${node.register.name} before it is set`);
    check(node.op !== "load" && node.op !== "index", "schedule", () => `${name} still has an ${node.op}`);
    if (node.op === "binary" || node.op === "compare") {
      check(
        node.a.kind === node.b.kind && node.a.lanes === node.b.lanes,
        "schedule",
        () => `${name}: ${node.fn} of ${node.a.kind}x${node.a.lanes} and ${node.b.kind}x${node.b.lanes}`,
      );
    }
    operandsOf(node).forEach(visit);
  };
  let depth = 0;
  const run = (statement: Statement): void => {
    switch (statement.op) {
      case "for":
        check(!statement.parallel || depth === 0, "schedule", () => `${name} shares a loop within another statement`);
        variables.add(statement.variable);
        depth++;
        statement.body.forEach(run);
        depth--;
        variables.delete(statement.variable);
        return;
      case "assign":
        visit(statement.value);
        check(
          statement.value.kind === statement.register.kind && statement.value.lanes === statement.register.lanes,
          "schedule",
          () =>
            `${name}: ${statement.register.name} of ${statement.register.kind}x${statement.register.lanes} gets ${statement.value.kind}x${statement.value.lanes}`,
        );
        registers.add(statement.register);
        return;
      case "put":
      case "scatter":
        valuesOf(statement).forEach(visit);
        return;
      case "if":
        visit(statement.condition);
        depth++;
        statement.whenTrue.forEach(run);
        statement.whenFalse.forEach(run);
        depth--;
        return;
      case "store":
        check(false, "schedule", () => `${name} still stores by index`);
    }
  };
  for (const phase of phases) phase.body.forEach(run);
}
