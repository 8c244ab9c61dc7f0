// The last part of fusion: kernels that follow each other row by row become the stages of one. A softmax takes the maximum
// of a row, then the sum of its exponentials, then divides; each is a kernel, but each needs of the ones before only what
// belongs to its row. With all stages of a row run before the next row, the row stays in cache: memory is read and written
// once, what stages hand on stays in registers or in a row of scratch memory, and no thread waits for another.
//
// A row is whatever a reduction has one result for: in a batch normalization it is a channel.

import { dtypes, type Node, sizeOf } from "../graph/index.ts";
import { type KernelLoops, loopsOf, reducedShape, traceKernel, traceValue, type Visitor } from "./access.ts";
import { computationCost } from "./cost.ts";
import { flatten, Index, LoopVariable, unflatten, variablesOf } from "./index-expression.ts";
import { inputs, isAnchor, isMap, type Kernel } from "./kernel.ts";

/** One kernel among several over the same rows. */
export interface Stage {
  readonly kernel: Kernel;
  /** The axes of its shape that number the rows; it loops over the others itself. */
  readonly pinned: readonly number[];
}

/** Several kernels, run one after another for each row. */
export interface StagedKernel extends Kernel {
  readonly kind: "staged";
  readonly stages: readonly Stage[];
  readonly rows: number;
  /** Results that only later stages read. */
  readonly internal: ReadonlySet<Node>;
}

export const isStaged = (kernel: Kernel): kernel is StagedKernel => kernel.kind === "staged";

/** Rows it takes to share them among threads; fewer do where there is little to share. */
const rowsWorthSharing = 8;
const littleWork = 16_384;
/** What a row reads and writes should stay in a core's cache. */
const rowCacheBytes = 2 ** 20;
/** Of scratch memory for one value of a row. */
const rowScratchBytes = 2 ** 18;
/** Computations dearer than this are kept for later stages instead of being done again. */
const recomputedCost = 8;

/**
 * @param kernels in an order in which they can run; those that are returned are in none
 * @param stored the values that kernels store; what becomes internal to a staged kernel is taken out
 */
export function joinStages(kernels: readonly Kernel[], stored: Set<Node>, outputs: readonly Node[]): Kernel[] {
  const joiner = new StageJoiner(stored);
  for (const kernel of kernels) joiner.place(kernel);
  return joiner.finish(outputs);
}

interface Rows {
  readonly stages: readonly Stage[];
  /** 0 for a kernel without rows. */
  readonly rows: number;
}

/** Stages in the making; a kernel that nothing has joined is one by itself. */
class Draft {
  private current: Rows;
  /** What its stages read of others. */
  reads: ReadonlySet<Node>;

  constructor(content: Rows) {
    this.current = content;
    this.reads = readsOfStages(content);
  }

  get content(): Rows {
    return this.current;
  }

  set content(content: Rows) {
    this.current = content;
    this.reads = readsOfStages(content);
  }
}

function readsOfStages({ stages }: Rows): ReadonlySet<Node> {
  const own = new Set(stages.flatMap(({ kernel }) => kernel.outputs));
  return new Set(stages.flatMap(({ kernel }) => [...kernel.reads].filter((node) => !own.has(node))));
}

/** A value that a kernel reads, and where. */
interface Access {
  readonly node: Node;
  readonly at: readonly Index[];
}

class StageJoiner {
  private readonly drafts: Draft[] = [];
  private readonly draftOf = new Map<Node, Draft>();
  private readonly isStored = (node: Node): boolean => this.stored.has(node) || inputs.has(node.op);

  constructor(private readonly stored: Set<Node>) {}

  place(kernel: Kernel): void {
    let draft = this.join(kernel);
    if (draft === null) {
      const pinned = kernel.shape.map((_, axis) => axis);
      const hasRows = kernel.kind === "reduce" && walksMemory(kernel, pinned);
      draft = new Draft({ stages: [{ kernel, pinned }], rows: hasRows ? sizeOf(kernel.shape) : 0 });
      this.drafts.push(draft);
    }
    for (const node of kernel.outputs) this.draftOf.set(node, draft);
  }

  /** Adds a kernel to stages it reads from, or to a map it reads from. */
  private join(kernel: Kernel): Draft | null {
    if (kernel.kind !== "map" && kernel.kind !== "reduce") return null;
    const sources = new Set([...kernel.reads].flatMap((node) => this.draftOf.get(node) ?? []));
    // The nearest first, but a single row, which threads cannot share, last.
    const tried = [...sources].reverse().sort((a, b) => Number(a.content.rows === 1) - Number(b.content.rows === 1));
    for (const draft of tried) {
      const joined = this.align(draft, kernel);
      if (joined === null || !isWorthwhile(joined) || this.leadsBack(kernel.reads, new Set([draft]))) continue;
      draft.content = joined;
      for (const other of sources) if (other !== draft) this.absorb(draft, other);
      return draft;
    }
    return null;
  }

  /** A draft with a kernel behind it, if the kernel keeps to its rows. */
  private align(draft: Draft, kernel: Kernel): Rows | null {
    const { content } = draft;
    for (let shaped = kernel; ; ) {
      const loops = loopsOf(shaped);
      const accesses: Access[] = [];
      const stored = (node: Node, at: readonly Index[]): void => {
        if (this.draftOf.get(node) === draft) accesses.push({ node, at });
      };
      traceKernel(shaped, loops, { isStored: this.isStored, stored });
      if (content.rows === 0) return alignBoth(content, shaped, loops, accesses);
      const row = rowRead(content, accesses);
      if (row === null) return null;
      const shape = shaped.kind === "map" ? splitShape(row, loops.outer) : null;
      if (shape === null) return alignAfter(content, shaped, loops, row);
      shaped = { ...shaped, shape };
    }
  }

  /** Takes in the stages of another draft, if the last stage reads the same rows of it and neither needs the other. */
  private absorb(draft: Draft, other: Draft): void {
    const { stages, rows } = draft.content;
    const { kernel, pinned } = stages[stages.length - 1];
    if (other.content.rows !== rows) return;
    const aligned = this.align(other, kernel)?.stages.at(-1);
    if (aligned === undefined || String(aligned.pinned) !== String(pinned)) return;
    if (String(aligned.kernel.shape) !== String(kernel.shape)) return;
    const merged = { stages: [...other.content.stages, ...stages], rows };
    const reads = [...draft.reads, ...other.reads];
    const earlier = stages.slice(0, -1).flatMap((stage) => [...stage.kernel.reads]);
    const direct =
      earlier.some((node) => this.draftOf.get(node) === other) ||
      [...other.reads].some((node) => this.draftOf.get(node) === draft);
    if (direct || !isWorthwhile(merged) || this.leadsBack(reads, new Set([draft, other]))) return;
    draft.content = merged;
    for (const stage of other.content.stages) for (const node of stage.kernel.outputs) this.draftOf.set(node, draft);
    this.drafts.splice(this.drafts.indexOf(other), 1);
  }

  /** Whether what is read outside of some drafts needs what these make. */
  private leadsBack(reads: Iterable<Node>, drafts: ReadonlySet<Draft>): boolean {
    const seen = new Set<Draft>(drafts);
    const open = [...reads];
    for (let node = open.pop(); node !== undefined; node = open.pop()) {
      const source = this.draftOf.get(node);
      if (source === undefined || seen.has(source)) continue;
      seen.add(source);
      for (const read of source.reads) {
        const next = this.draftOf.get(read);
        if (next !== undefined && drafts.has(next)) return true;
        open.push(read);
      }
    }
    return false;
  }

  finish(outputs: readonly Node[]): Kernel[] {
    const needed = new Set(outputs);
    for (const draft of this.drafts) for (const node of draft.reads) needed.add(node);
    return this.drafts.map((draft) => {
      const { content } = draft;
      if (content.stages.length === 1) return content.stages[0].kernel;
      const stages = this.keepExpensive(content);
      const own = stages.flatMap(({ kernel }) => kernel.outputs);
      const internal = new Set(own.filter((node) => !needed.has(node) && canStayInside(node, content.rows)));
      for (const node of internal) this.stored.delete(node);
      const staged: StagedKernel = {
        kind: "staged",
        shape: stages[0].kernel.shape,
        anchors: stages.flatMap(({ kernel }) => kernel.anchors),
        outputs: own.filter((node) => !internal.has(node)),
        // Values that were kept read nothing that the stages would not read without them.
        reads: new Set(draft.reads),
        stages,
        rows: content.rows,
        internal,
      };
      return staged;
    });
  }

  /**
   * What would be computed several times, at some cost, becomes a stage of its own before the first that needs it: if each
   * use is of the row at hand, and all of them take the same axes for the row.
   */
  private keepExpensive({ stages, rows }: Rows): readonly Stage[] {
    const uses = new Map<Node, { readonly before: Stage; readonly alone: (Stage | null)[] }>();
    for (const stage of stages) {
      for (const { node, alone } of this.expensiveIn(stage, rows)) {
        const known = uses.get(node);
        if (known === undefined) uses.set(node, { before: stage, alone: [alone] });
        else known.alone.push(alone);
      }
    }
    const kept = [...uses].flatMap(([node, { before, alone }]) => {
      const [first] = alone;
      const fits = alone.every((stage) => stage !== null && String(stage.pinned) === String(first?.pinned));
      return first !== null && fits && alone.length > 1 ? [{ node, before, stage: first }] : [];
    });
    if (kept.length === 0) return stages;
    // By their ids, so that what one of them is made of comes before it.
    kept.sort((a, b) => a.node.id - b.node.id);
    const nodes = new Set(kept.map(({ node }) => node));
    const all = stages.flatMap((stage) => [
      ...kept.filter(({ before }) => before === stage).map((added) => added.stage),
      stage,
    ]);
    return all.map(({ kernel, pinned }) => ({ kernel: { ...kernel, reads: this.readsOf(kernel, nodes) }, pinned }));
  }

  /** What a kernel reads when some values more are stored. */
  private readsOf(kernel: Kernel, more: ReadonlySet<Node>): Set<Node> {
    const reads = new Set<Node>();
    const isStored = (node: Node): boolean => this.isStored(node) || more.has(node);
    traceKernel(kernel, loopsOf(kernel), { isStored, stored: (node) => reads.add(node) });
    for (const node of kernel.outputs) reads.delete(node);
    return reads;
  }

  /** Values that a stage computes at some cost, each as the stage it could be alone; null where it could not be. */
  private expensiveIn({ kernel, pinned }: Stage, rows: number): { node: Node; alone: Stage | null }[] {
    const loops = loopsOf(kernel);
    const rowLoops = new Set(pinned.map((axis) => loops.outer[axis]));
    const row = rowIndex(
      loops.outer.map((variable) => Index.variable(variable)),
      kernel.shape,
      pinned,
    );
    const found: { node: Node; alone: Stage | null }[] = [];
    const computed = (node: Node, at: readonly Index[]): void => {
      if (!isMap(node) || computationCost(node) < recomputedCost || kernel.outputs.includes(node)) return;
      const axes = axesOfRow(at, node.shape, rowLoops, row);
      const fits = axes !== null && perRow(node, rows) > 1 && canStayInside(node, rows);
      const needed = [...kernel.outputs, ...kernel.anchors];
      found.push({ node, alone: fits ? this.stageAlone(node, axes, needed) : null });
    };
    traceKernel(kernel, loops, { isStored: this.isStored, computed });
    return found;
  }

  /** A value as a stage; null if it is made of some others, or looked up by index, which may fail where nobody reads it. */
  private stageAlone(node: Node, pinned: readonly number[], others: readonly Node[]): Stage | null {
    const reads = new Set<Node>();
    let looksUp = false;
    const visitor: Visitor = {
      isStored: (other) => this.isStored(other) || isAnchor(other),
      stored: (read) => reads.add(read),
      computed: ({ op }) => {
        looksUp ||= op === "gather";
      },
    };
    const at = node.shape.map((extent) => Index.variable(new LoopVariable("i", extent)));
    traceValue(node, at, visitor);
    if (looksUp || others.some((other) => reads.has(other))) return null;
    return { kernel: { kind: "map", shape: node.shape, anchors: [], outputs: [node], reads }, pinned };
  }
}

/** The row that all accesses to the results of stages are in; null if they are in several. */
function rowRead({ stages }: Rows, accesses: readonly Access[]): Index | null {
  const rows = accesses.map(({ node, at }) => {
    const { kernel, pinned } = stages.find((stage) => stage.kernel.outputs.includes(node))!;
    return rowIndex(unflatten(flatten(at, node.shape), kernel.shape), kernel.shape, pinned);
  });
  return rows.length > 0 && rows.every(({ key }) => key === rows[0].key) ? rows[0] : null;
}

/** The shape with an axis cut in two, where the row changes with every so many elements of it: with groups of channels. */
function splitShape(row: Index, outer: readonly LoopVariable[]): number[] | null {
  for (const { atom } of row.terms) {
    if (atom.kind !== "quotient" || atom.of.terms.length !== 1 || atom.of.constant !== 0) continue;
    const [inner] = atom.of.terms;
    const axis = inner.atom.kind === "variable" && inner.coefficient === 1 ? outer.indexOf(inner.atom.variable) : -1;
    if (axis < 0 || outer[axis].extent % atom.by !== 0) continue;
    return outer.flatMap(({ extent }, i) => (i === axis ? [extent / atom.by, atom.by] : [extent]));
  }
  return null;
}

/** Stages with a kernel behind them that reads one row of them for each of its own. */
function alignAfter({ stages, rows }: Rows, kernel: Kernel, { outer }: KernelLoops, row: Index): Rows | null {
  const pinned = axesOf(row, outer, rows);
  if (pinned === null || !walksMemory(kernel, pinned)) return null;
  return { stages: [...stages, { kernel, pinned }], rows };
}

/** A map and the reduction behind it, if each result of the reduction needs a part of the map of its own. */
function alignBoth({ stages }: Rows, kernel: Kernel, { outer }: KernelLoops, accesses: readonly Access[]): Rows | null {
  const [{ kernel: map }] = stages;
  const all = kernel.shape.map((_, axis) => axis);
  if (map.kind !== "map" || kernel.kind !== "reduce" || !walksMemory(kernel, all)) return null;
  const row = flatten(
    outer.map((variable) => Index.variable(variable)),
    kernel.shape,
  );
  const rowLoops = new Set(outer);
  const candidates = accesses.map(({ node, at }) => {
    return axesOfRow(unflatten(flatten(at, node.shape), map.shape), map.shape, rowLoops, row);
  });
  const [pinned, ...others] = candidates;
  if (!pinned || others.some((axes) => String(axes) !== String(pinned)) || !walksMemory(map, pinned)) return null;
  return {
    stages: [
      { kernel: map, pinned },
      { kernel, pinned: all },
    ],
    rows: sizeOf(kernel.shape),
  };
}

/** The number of the row an element is in. */
export function rowIndex(at: readonly Index[], shape: readonly number[], pinned: readonly number[]): Index {
  return flatten(
    pinned.map((axis) => at[axis]),
    pinned.map((axis) => shape[axis]),
  );
}

/** The axes of an access that together are the number of a row, if it is one row that is accessed. */
function axesOfRow(
  at: readonly Index[],
  shape: readonly number[],
  rowLoops: ReadonlySet<LoopVariable>,
  row: Index,
): number[] | null {
  const axes = at.flatMap((index, axis) => {
    const variables = [...variablesOf(index)];
    return variables.length > 0 && variables.every((variable) => rowLoops.has(variable)) ? [axis] : [];
  });
  const isWhole = sizeOf(axes.map((axis) => shape[axis])) === row.maximum + 1;
  return isWhole && rowIndex(at, shape, axes).key === row.key ? axes : null;
}

/** The loops, by their axes, that together number the rows as an index does. */
function axesOf(row: Index, outer: readonly LoopVariable[], rows: number): number[] | null {
  if (row.constant !== 0) return null;
  let size = 1;
  const axes: number[] = [];
  for (const { atom, coefficient } of [...row.terms].sort((a, b) => a.coefficient - b.coefficient)) {
    const axis = atom.kind === "variable" ? outer.indexOf(atom.variable) : -1;
    if (axis < 0 || coefficient !== size) return null;
    axes.unshift(axis);
    size *= outer[axis].extent;
  }
  return size === rows ? axes : null;
}

/** Whether a kernel that is given its pinned axes still walks along memory, as vectors do; or has nothing to walk. */
function walksMemory({ kind, shape, anchors }: Kernel, pinned: readonly number[]): boolean {
  if (kind === "map" || anchors[0].op === "fold") {
    const last = shape.findLastIndex((extent) => extent > 1);
    return !pinned.includes(last) || shape.every((extent, axis) => extent === 1 || pinned.includes(axis));
  }
  const { axes } = anchors[0].attributes as { axes: readonly number[] };
  const reduced = anchors[0].inputs[0].shape;
  const last = reduced.findLastIndex((extent) => extent > 1);
  const kept = reduced.flatMap((_, axis) => (axes.includes(axis) ? [] : [axis]));
  return axes.includes(last) || !pinned.includes(kept.indexOf(last));
}

function isWorthwhile({ stages, rows }: Rows): boolean {
  const values = [...new Set(stages.flatMap(({ kernel }) => [...kernel.reads, ...kernel.outputs]))];
  const bytes = values.reduce((sum, { shape, dtype }) => sum + sizeOf(shape) * dtypes[dtype].bytes, 0);
  const work = Math.max(...stages.map(({ kernel }) => elementsOf(kernel)));
  return (rows >= rowsWorthSharing || work <= littleWork) && bytes / rows <= rowCacheBytes;
}

/** Iterations of a kernel's loops. */
function elementsOf({ shape, anchors }: Kernel): number {
  return sizeOf(shape) * (anchors.length === 0 ? 1 : sizeOf(reducedShape(anchors[0])));
}

/** Elements of a value that belong to one row. */
export function perRow({ shape }: Node, rows: number): number {
  return sizeOf(shape) / rows;
}

/** One number stays in a register, whatever it is; several stay in scratch memory, which has places of four bytes. */
function canStayInside(node: Node, rows: number): boolean {
  const count = perRow(node, rows);
  return count === 1 || (dtypes[node.dtype].bytes === 4 && count * 4 <= rowScratchBytes);
}
