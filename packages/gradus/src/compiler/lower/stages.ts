// Lowering of staged kernels: one loop over the rows, in it the loops of every stage. What stages hand on to each other is
// a register where it is one number a row, else a row of the thread's scratch memory.

import type { Node } from "../../graph/index.ts";
import { Builder } from "../builder.ts";
import { flatten, Index, LoopVariable, unflatten } from "../index-expression.ts";
import { type BufferReference, type Expression, kindOf, loop, Register, type Statement } from "../ir.ts";
import { perRow, rowIndex, type Stage, type StagedKernel } from "../stages.ts";
import type { Target } from "../target.ts";
import { MapReduce, type Stores } from "./map-reduce.ts";
import { type Storage, Values, withoutOwn } from "./values.ts";

export interface LoweredStages {
  readonly phases: Statement[][];
  readonly scratchBytes: number;
}

/** Scratch memory is handed out in places of four bytes. */
const placeBytes = 4;
const vectorPlaces = 4;

export function lowerStages(kernel: StagedKernel, storage: Storage, stores: Stores, target: Target): LoweredStages {
  const build = new Builder();
  const row = new LoopVariable("row", kernel.rows);
  const scratch = new RowScratch(kernel);
  const inStages: Storage = {
    ...storage,
    bufferOf: (node) => scratch.rows.get(node)?.buffer ?? storage.bufferOf(node),
    placeOf: (node, at) => scratch.rows.get(node)?.placeOf(flatten(at, node.shape)) ?? storage.placeOf(node, at),
  };
  const storesInStages: Stores = (node) => {
    const kept = scratch.rows.get(node);
    return kept === undefined ? stores(node) : [kept.buffer];
  };
  const results = new Map<Node, Expression>();
  let cost = 0;
  const body = kernel.stages.flatMap(({ kernel: part, pinned }) => {
    const values = new Values(build, withoutOwn(inStages, new Set([...part.outputs, ...part.anchors])));
    for (const [node, value] of results) values.registers.set(node, value);
    const numbers = part.outputs.filter((node) => perRow(node, kernel.rows) === 1);
    const held = new Map(numbers.map((node) => [node, new Register(`row${node.id}_`, kindOf[node.dtype], 1)]));
    const at = unflatten(
      Index.variable(row),
      pinned.map((axis) => part.shape[axis]),
    );
    const stage = new MapReduce(part, values, storesInStages, target, {
      place: (place, buffer) => {
        const flat = flatten(place, part.shape);
        return scratch.byBuffer.get(buffer)?.placeOf(flat) ?? flat;
      },
      pinned: new Map(pinned.map((axis, i) => [axis, at[i]])),
      held,
      shares: false,
    });
    const statements = stage.lower();
    for (const [node, register] of held) results.set(node, build.read(register));
    cost += stage.cost * kernel.rows;
    return statements;
  });
  const parallel = cost >= target.parallelThreshold;
  return { phases: [[loop(row, body, { parallel, cost })]], scratchBytes: scratch.bytes };
}

interface ScratchRow {
  readonly buffer: BufferReference;
  /** Where an element lies in scratch memory, of which it is known where it would lie in the whole value. */
  readonly placeOf: (flat: Index) => Index;
}

/** The values of which a row at a time lies in scratch memory. */
class RowScratch {
  readonly rows = new Map<Node, ScratchRow>();
  readonly byBuffer = new Map<BufferReference, ScratchRow>();
  private places = 0;

  constructor({ stages, rows, internal }: StagedKernel) {
    for (const stage of stages) {
      for (const node of stage.kernel.outputs) {
        const elements = perRow(node, rows);
        if (internal.has(node) && elements > 1) this.add(node, elements, stage);
      }
    }
  }

  get bytes(): number {
    return this.places * placeBytes;
  }

  private add(node: Node, elements: number, { kernel: { shape }, pinned }: Stage): void {
    const offset = this.places;
    this.places += Math.ceil(elements / vectorPlaces) * vectorPlaces;
    const rest = shape.flatMap((_, axis) => (pinned.includes(axis) ? [] : [axis]));
    const buffer: BufferReference = { name: `row${node.id}`, dtype: node.dtype, elements, space: "scratch" };
    const placeOf = (flat: Index): Index => rowIndex(unflatten(flat, shape), shape, rest).add(offset);
    const row = { buffer, placeOf };
    this.rows.set(node, row);
    this.byBuffer.set(buffer, row);
  }
}
