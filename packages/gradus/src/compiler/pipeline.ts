// The compiler: a program's graph in, loops and a memory plan out. The passes in order are simplify, fuse, lower,
// schedule and plan; each is followed by its verifier where that is asked for, and can be printed.

import type { ProgramGraph } from "../backends/backend.ts";
import { dtypes, type Node, type Op, sizeOf, topologicalOrder } from "../graph/index.ts";
import { type Likeness, likenessOf } from "./alike.ts";
import { canonicalizeNode } from "./canonicalize.ts";
import { debugging, printGraph, printKernels, printLoops, printPlan } from "./debug.ts";
import { fuse } from "./fuse.ts";
import { flatten } from "./index-expression.ts";
import type { BufferReference } from "./ir.ts";
import type { Kernel } from "./kernel.ts";
import { type KernelWithWorkspace, lowerGroup } from "./lower/index.ts";
import type { Stores } from "./lower/map-reduce.ts";
import type { Storage } from "./lower/values.ts";
import { plan } from "./plan.ts";
import type { Program, ProgramKernel } from "./program.ts";
import { GraphBuilder, rewrite } from "./rewrite.ts";
import { schedule } from "./schedule.ts";
import { simplifyNode } from "./simplify.ts";
import type { Target } from "./target.ts";
import { verifyFusion, verifyGraph, verifyLoops, verifyPlan } from "./verify.ts";

const alreadyInMemory: ReadonlySet<Op> = new Set<Op>(["data", "state", "scalar"]);

/** The rewritten outputs; each is a node of its own that a kernel stores. */
function simplify(outputs: readonly Node[]): Node[] {
  const build = new GraphBuilder();
  const simple = rewrite(outputs, build, simplifyNode);
  const canonical = rewrite(simple, build, canonicalizeNode);
  const final = rewrite(canonical, build, simplifyNode);
  // An input that is an output too is copied.
  return final.map((node) =>
    alreadyInMemory.has(node.op) ? build.make("detach", [node], { requiresGrad: false }) : node,
  );
}

export function compileProgram(graph: ProgramGraph, target: Target): Program {
  const outputs = simplify(graph.outputs);
  verifyGraph(outputs);
  if (debugging("graph")) printGraph(outputs);
  const fused = fuse(outputs);
  verifyFusion(fused, outputs);

  const references = new Map<Node, BufferReference[]>();
  const inputs = graph.inputs.map((node, i) => reference(node, `input${i}`, "input"));
  graph.inputs.forEach((node, i) => {
    references.set(node, [inputs[i]]);
  });
  const outputBuffers = outputs.map((node, i) => reference(node, `output${i}`, "output"));
  outputs.forEach((node, i) => {
    references.set(node, [...(references.get(node) ?? []), outputBuffers[i]]);
  });
  for (const node of fused.stored) {
    if (!references.has(node)) references.set(node, [reference(node, `value${node.id}`, "arena")]);
  }
  // Scalars lie side by side, eight bytes each, so that one place serves every dtype.
  graph.scalars.forEach((node, i) => {
    references.set(node as unknown as Node, [{ name: `scalar${i}`, dtype: node.dtype, elements: 1, space: "scalars" }]);
  });
  if (debugging("kernels")) printKernels(fused, references);

  const storage: Storage = {
    bufferOf: (node) => references.get(node)?.[0],
    placeOf: (node, at) => flatten(at, node.shape),
    isShared: (node) => fused.shared.has(node),
  };
  const stores = (node: Node): readonly BufferReference[] => references.get(node) ?? [];
  const lowered = lowerGroups(fused.groups, storage, stores, target);
  const accesses = fused.groups.map((group, i) => {
    const writes = group.flatMap((kernel) => kernel.outputs.flatMap((node) => stores(node)));
    const reads = group.flatMap((kernel) => [...kernel.reads].flatMap((node) => storage.bufferOf(node) ?? []));
    return { reads, writes: [...writes, ...lowered[i].workspaces] };
  });
  const memory = plan(accesses);
  verifyPlan(accesses, memory);
  const kernels = lowered.map(({ name, phases, multiplyAdds, buffers }, i) => ({
    name,
    phases,
    buffers,
    multiplyAdds,
    bytes: bytesMoved(fused.groups[i]),
  }));
  kernels.forEach((kernel) => {
    verifyLoops(kernel);
  });
  const program: Program = {
    kernels,
    plan: memory,
    inputs,
    outputs: outputBuffers,
    scalarTypes: graph.scalars.map(({ dtype }) => ({ dtype })),
    lookups: lookupsIn(outputs),
    scratchBytes: Math.max(0, ...lowered.map(({ scratchBytes }) => scratchBytes)),
  };
  if (debugging("loops")) printLoops(program);
  if (debugging("plan")) printPlan(program, accesses);
  return program;
}

interface ScheduledKernel extends KernelWithWorkspace {
  readonly buffers: ProgramKernel["buffers"];
}

/** Loops of all groups; those that are alike have the same ones. */
function lowerGroups(
  groups: readonly (readonly Kernel[])[],
  storage: Storage,
  stores: Stores,
  target: Target,
): ScheduledKernel[] {
  const known = new Map<string, { readonly likeness: Likeness; readonly kernel: ScheduledKernel }>();
  return groups.map((group, i) => {
    const likeness = likenessOf(group, storage, stores);
    const first = known.get(likeness.key);
    if (first !== undefined) {
      const workspaces = first.kernel.workspaces.map((memory) => ({ ...memory, name: `${memory.name}.${i}` }));
      const buffers = new Map(first.likeness.buffers.map((buffer, k) => [buffer, likeness.buffers[k]]));
      for (const [k, memory] of first.kernel.workspaces.entries()) buffers.set(memory, workspaces[k]);
      return { ...first.kernel, workspaces, buffers };
    }
    const lowered = lowerGroup(group, storage, stores, target);
    const phases = lowered.phases.map((phase) => schedule(phase, target));
    const kernel: ScheduledKernel = { ...lowered, phases, buffers: new Map() };
    known.set(likeness.key, { likeness, kernel });
    return kernel;
  });
}

function bytesMoved(group: readonly Kernel[]): number {
  const values = new Set(group.flatMap(({ reads, outputs }) => [...reads, ...outputs]));
  return [...values].reduce((sum, { shape, dtype }) => sum + sizeOf(shape) * dtypes[dtype].bytes, 0);
}

function lookupsIn(outputs: readonly Node[]): string[] {
  const lookups = topologicalOrder(outputs).filter((node) => node.op === "gather" || node.op === "scatterAdd");
  const told = lookups.map((node) => {
    const [source] = node.inputs;
    const { axis } = node.attributes as { axis: number };
    const shape = `[${source.shape.join(", ")}]`;
    return `${node.op} along dimension ${axis} of ${shape}, where indices run from 0 to ${source.shape[axis] - 1}`;
  });
  return [...new Set(told)];
}

function reference(node: Node, name: string, space: BufferReference["space"]): BufferReference {
  return { name, dtype: node.dtype, elements: sizeOf(node.shape), space };
}
