// Programs of graphs made by hand, and what can be read off them: their kernels, their loops, and which values they pass
// on.

import { Tensor } from "gradus";
import {
  compileProgram,
  type Program,
  type ProgramKernel,
  type Statement,
  type Target,
  wasmTarget,
} from "../../src/compiler/index.ts";
import { type BufferReference, bodyOf, type Expression, expressionsIn, valuesOf } from "../../src/compiler/ir.ts";
import { type DType, leaf, type Node, topologicalOrder } from "../../src/graph/index.ts";

/** A tensor that stands for data a program is handed. It holds none, so it can be compiled with but not computed. */
export function input(shape: readonly number[], { requiresGrad = false, dtype = "float32" as DType } = {}): Tensor {
  return Tensor.of(leaf("data", { requiresGrad }, { shape, dtype }) as unknown as Node);
}

/** Data that a gradient is asked of. */
export const trainable = (shape: readonly number[]): Tensor => input(shape, { requiresGrad: true });

/** The program that computes these tensors, as a flush would have it; for WebAssembly, or for a target that comes first. */
export function programOf(
  ...args: readonly Tensor[] | readonly [target: Target, ...outputs: readonly Tensor[]]
): Program {
  const [first, ...rest] = args;
  const [target, outputs] =
    first instanceof Tensor ? [wasmTarget, [first, ...(rest as Tensor[])]] : [first, rest as Tensor[]];
  const nodes = outputs.map((tensor) => tensor.node);
  const order = topologicalOrder(nodes);
  return compileProgram(
    {
      inputs: order.filter((node) => node.op === "data"),
      scalars: order.filter((node) => node.is("scalar")) as unknown as Node<"scalar">[],
      outputs: nodes,
    },
    target,
  );
}

/** The names of a program's kernels: their anchors, or their kind, without shapes. */
export function kernelNames({ kernels }: Program): string[] {
  return kernels.map(({ name }) => name.replace(/\[.*$/, ""));
}

export function multiplyAddsOf({ kernels }: Program): number {
  return kernels.reduce((sum, { multiplyAdds }) => sum + multiplyAdds, 0);
}

// Loops ---------------------------------------------------------------------------------------------------------------

export type Loop = Extract<Statement, { op: "for" }>;

/** Statements and all within them, the outer ones first. */
export function statementsIn(body: readonly Statement[]): Statement[] {
  return body.flatMap((statement) => [statement, ...statementsIn(bodyOf(statement))]);
}

export function statementsOf({ phases }: Pick<ProgramKernel, "phases">): Statement[] {
  return phases.flatMap(({ body }) => statementsIn(body));
}

/** Every expression that a kernel computes. */
export function expressionsOf(kernel: Pick<ProgramKernel, "phases">): Set<Expression> {
  return expressionsIn(statementsOf(kernel).flatMap(valuesOf));
}

/** The loops that have no loop in them. */
export function innermostLoops(kernel: Pick<ProgramKernel, "phases">): Loop[] {
  const loops = statementsOf(kernel).filter((statement): statement is Loop => statement.op === "for");
  return loops.filter(({ body }) => !statementsIn(body).some(({ op }) => op === "for"));
}

// What kernels pass on ------------------------------------------------------------------------------------------------

interface Access {
  readonly reads: ReadonlySet<BufferReference>;
  readonly writes: ReadonlySet<BufferReference>;
}

/** The memory that a kernel's loops read and write. */
export function accessOf(kernel: ProgramKernel): Access {
  const reads = new Set<BufferReference>();
  const writes = new Set<BufferReference>();
  for (const { node } of expressionsOf(kernel)) if (node.op === "fetch" || node.op === "load") reads.add(node.buffer);
  for (const statement of statementsOf(kernel)) {
    if (statement.op === "put" || statement.op === "store") writes.add(statement.buffer);
  }
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
