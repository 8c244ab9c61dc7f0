// Programs of graphs made by hand, and what can be read off them: their kernels, and which values they pass on.

import { Tensor } from "gradus";
import {
  compileProgram,
  type Program,
  type ProgramKernel,
  type Statement,
  wasmTarget,
} from "../../src/compiler/index.ts";
import { type BufferReference, type Expression, operandsOf } from "../../src/compiler/ir.ts";
import { type DType, leaf, type Node, topologicalOrder } from "../../src/graph/index.ts";

/** A tensor that stands for data a program is handed. It holds none, so it can be compiled with but not computed. */
export function input(shape: readonly number[], { requiresGrad = false, dtype = "float32" as DType } = {}): Tensor {
  return Tensor.of(leaf("data", { requiresGrad }, { shape, dtype }) as unknown as Node);
}

/** The program that computes these tensors, as a flush would have it. */
export function programOf(...outputs: readonly Tensor[]): Program {
  const nodes = outputs.map((tensor) => tensor.node);
  const order = topologicalOrder(nodes);
  return compileProgram(
    {
      inputs: order.filter((node) => node.op === "data"),
      scalars: order.filter((node) => node.is("scalar")) as unknown as Node<"scalar">[],
      outputs: nodes,
    },
    wasmTarget,
  );
}

/** The names of a program's kernels: their anchors, or their kind, without shapes. */
export function kernelNames({ kernels }: Program): string[] {
  return kernels.map(({ name }) => name.replace(/\[.*$/, ""));
}

interface Access {
  readonly reads: ReadonlySet<BufferReference>;
  readonly writes: ReadonlySet<BufferReference>;
}

/** The memory that a kernel's loops read and write. */
export function accessOf({ phases }: ProgramKernel): Access {
  const reads = new Set<BufferReference>();
  const writes = new Set<BufferReference>();
  const seen = new Set<Expression>();
  const visit = (expression: Expression): void => {
    if (seen.has(expression)) return;
    seen.add(expression);
    if (expression.node.op === "fetch" || expression.node.op === "load") reads.add(expression.node.buffer);
    operandsOf(expression.node).forEach(visit);
  };
  const run = (statement: Statement): void => {
    switch (statement.op) {
      case "for":
        statement.body.forEach(run);
        return;
      case "assign":
        visit(statement.value);
        return;
      case "store":
        writes.add(statement.buffer);
        visit(statement.value);
        return;
      case "put":
        writes.add(statement.buffer);
        visit(statement.address);
        visit(statement.value);
        return;
      case "if":
        visit(statement.condition);
        [...statement.whenTrue, ...statement.whenFalse].forEach(run);
    }
  };
  for (const { body } of phases) body.forEach(run);
  return { reads, writes };
}

/** Kernels that compute nothing anyone reads: neither an output nor a value of another kernel. */
export function deadKernels(program: Program): string[] {
  const accesses = program.kernels.map(accessOf);
  const dead = (_: unknown, i: number): boolean => {
    const useful = (buffer: BufferReference): boolean =>
      buffer.space === "output" || accesses.some(({ reads }, j) => j !== i && reads.has(buffer));
    return ![...accesses[i].writes].some(useful);
  };
  return program.kernels.filter(dead).map(({ name }) => name);
}

/** Values written to the arena that no kernel reads from there. */
export function deadStores(program: Program): string[] {
  const accesses = program.kernels.map(accessOf);
  const written = [...new Set(accesses.flatMap(({ writes }) => [...writes]))];
  return written
    .filter(({ space }) => space === "arena")
    .filter((buffer) => !accesses.some(({ reads }) => reads.has(buffer)))
    .map(({ name, elements }) => `${name} (${elements} elements)`);
}
