// What a kernel is, and the kinds of ops by the part they play in one.

import type { Node, Op } from "../graph/index.ts";

export type KernelKind =
  | "map"
  | "reduce"
  | "contract"
  | "concat"
  | "scatterAdd"
  | "argsort"
  | "cumsum"
  /** Several map and reduce kernels, row by row. */
  | "staged";

/** A kernel: what it computes over one domain, and which of it is stored. */
export interface Kernel {
  readonly kind: KernelKind;
  /** The shape its results are indexed by. */
  readonly shape: readonly number[];
  /** The reductions, the contraction, or the one op of other kinds. */
  readonly anchors: Node[];
  /** The nodes stored, in topological order. */
  readonly outputs: Node[];
  /** Stored values it reads from other kernels. */
  readonly reads: Set<Node>;
}

export const leaves: ReadonlySet<Op> = new Set<Op>(["data", "state", "scalar", "full", "iota", "random"]);
/** Leaves that lie in memory. */
export const inputs: ReadonlySet<Op> = new Set<Op>(["data", "state", "scalar"]);
const maps: ReadonlySet<Op> = new Set<Op>(["unary", "binary", "compare", "select", "cast", "detach"]);
const reductions: ReadonlySet<Op> = new Set<Op>(["sum", "max", "argmax", "fold"]);
/** Ops that are a kernel by themselves. */
export const opaque: ReadonlySet<Op> = new Set<Op>(["concat", "scatterAdd", "argsort", "cumsum"]);

export const isMap = (node: Node): boolean => maps.has(node.op);
/** Whether a kernel grows around this op: a reduction or a contraction. */
export const isAnchor = (node: Node): boolean => reductions.has(node.op) || node.op === "dot";
