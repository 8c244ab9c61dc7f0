// Pass 3, lower: kernels become loops.

import { type Node, sizeOf } from "../../graph/index.ts";
import type { BufferReference, LoweredKernel, Statement } from "../ir.ts";
import type { Kernel } from "../kernel.ts";
import { isStaged, type StagedKernel } from "../stages.ts";
import type { Target } from "../target.ts";
import { lowerContraction } from "./dot.ts";
import { lowerArgsort, lowerConcat, lowerCumulativeSum, lowerScatterAdd } from "./index-kernels.ts";
import { lowerMapReduce, type Stores } from "./map-reduce.ts";
import { lowerStages } from "./stages.ts";
import type { Storage } from "./values.ts";

interface Lowered {
  readonly phases: Statement[][];
  readonly scratchBytes?: number;
  readonly multiplyAdds?: number;
  /** Memory that the kernel needs for itself. */
  readonly workspaces?: readonly BufferReference[];
}

type Rule = (kernel: Kernel, storage: Storage, stores: Stores, target: Target) => Lowered;

/** The only result of kernels around a single op. */
const only = <T extends Node>(kernel: Kernel): T => kernel.anchors[0] as T;

const rules: { readonly [K in Kernel["kind"]]: Rule } = {
  map: (...args) => ({ phases: [lowerMapReduce(...args)] }),
  reduce: (...args) => ({ phases: [lowerMapReduce(...args)] }),
  contract: lowerContraction,
  staged: (kernel, ...args) => lowerStages(kernel as StagedKernel, ...args),
  concat: (kernel, storage, stores, target) => {
    const node = only<Node<"concat">>(kernel);
    return lowerConcat(node, stores(node as unknown as Node), storage, target);
  },
  scatterAdd: (kernel, storage, stores, target) => {
    const node = only<Node<"scatterAdd">>(kernel);
    return lowerScatterAdd(node, stores(node as unknown as Node), storage, target);
  },
  argsort: (kernel, storage, stores, target) => {
    const node = only<Node<"argsort">>(kernel);
    return lowerArgsort(node, stores(node as unknown as Node), storage, target);
  },
  cumsum: (kernel, storage, stores, target) => {
    const node = only<Node<"cumsum">>(kernel);
    return lowerCumulativeSum(node, stores(node as unknown as Node), storage, target);
  },
};

/** A lowered kernel with the memory it needs besides what it reads and stores. */
export interface KernelWithWorkspace extends LoweredKernel {
  readonly workspaces: readonly BufferReference[];
}

/** Kernels of one group run as one: their phases side by side. */
export function lowerGroup(
  group: readonly Kernel[],
  storage: Storage,
  stores: Stores,
  target: Target,
): KernelWithWorkspace {
  const lowered = group
    .filter((kernel) => sizeOf(kernel.shape) > 0)
    .map((kernel) => rules[kernel.kind](kernel, storage, stores, target));
  const count = Math.max(0, ...lowered.map(({ phases }) => phases.length));
  const phases = Array.from({ length: count }, (_, i) => ({
    body: lowered.flatMap((kernel) => kernel.phases[i] ?? []),
  }));
  return {
    name: nameOf(group),
    phases,
    scratchBytes: Math.max(0, ...lowered.map(({ scratchBytes = 0 }) => scratchBytes)),
    multiplyAdds: lowered.reduce((sum, { multiplyAdds = 0 }) => sum + multiplyAdds, 0),
    workspaces: lowered.flatMap(({ workspaces = [] }) => workspaces),
  };
}

const opsOf = ({ kind, anchors }: Kernel): string => anchors.map((node) => node.op).join("+") || kind;

function nameOf(group: readonly Kernel[]): string {
  const [kernel] = group;
  const last = kernel.outputs[kernel.outputs.length - 1];
  const what = isStaged(kernel) ? kernel.stages.map((stage) => opsOf(stage.kernel)).join(" / ") : opsOf(kernel);
  const shape = `[${(last ?? kernel.anchors[0]).shape.join(",")}]`;
  return group.length === 1 ? `${what}${shape}` : `${kernel.kind} x ${group.length}`;
}
