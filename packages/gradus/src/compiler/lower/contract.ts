// The contraction engine: packed, blocked matrix multiplication in the anatomy of BLIS (Van Zee and van de Geijn, "BLIS:
// a framework for rapidly instantiating BLAS functionality", 2015), for every contraction. The operand whose dimensions
// end the result is the column operand, whose elements become vectors; the other is the row operand, whose elements are
// spread over vectors. Operands are read through their views, so a convolution's windows are never laid out. The
// epilogue works on the tile's vectors before they are stored.
//
// Phase 1 packs the row operand once, in panels of as many rows as a tile has. Phase 2 shares blocks of columns among
// threads: each packs its block into its own scratch and multiplies it by all row panels. Where there are few row panels
// and columns lie side by side in memory, packing would not pay, and tiles read the column operand where it is.

import type { Builder } from "../builder.ts";
import { flatten, Index, LoopVariable, unflatten } from "../index-expression.ts";
import {
  type BufferReference,
  type Expression,
  expressionsIn,
  indicesOf,
  loop,
  Register,
  type Statement,
} from "../ir.ts";
import type { Target, TileShape } from "../target.ts";
import { ColumnLayout } from "./column-layout.ts";
import {
  type Dimensions,
  dimensionsOf,
  type Operand,
  type Part,
  type Product,
  positionOf,
  type Result,
} from "./dimensions.ts";
import { transposed } from "./transpose.ts";
import { storeVector, substituteIndex, vectorize } from "./vectorize.ts";

export interface LoweredProduct {
  readonly phases: Statement[][];
  readonly scratchBytes: number;
  readonly multiplyAdds: number;
  /** Packed row panels: memory the planner must find for this product alone. */
  readonly workspace: BufferReference;
}

/** Tasks that a contraction is cut into at least, where it has the work, so that threads end together. */
const wantedTasks = 8;
/** Row panels up to which tiles read the column operand where it lies. */
const directPanels = 8;
/** Iterations of an innermost loop below which its ends show, and rows from which packing costs less than they do. */
const shortLoop = 8;
const rowsToPackFor = 12;

/** Elements from one to the next of a vector, from which it takes a load for each. */
const farStep = 8;

/** @param build what the operands' elements are built by */
export function lowerProduct(product: Product, build: Builder, target: Target): LoweredProduct {
  return new Contraction(product, build, target).lower();
}

class Contraction {
  private readonly batch: Dimensions;
  private readonly rows: Dimensions;
  private readonly columns: ColumnLayout;
  private readonly common: Dimensions;
  private readonly rowOperand: Operand;
  private readonly columnOperand: Operand;
  private readonly outShape: readonly number[];
  private readonly tile: TileShape;
  private readonly vectors: number;
  private readonly rowPanels: number;
  private readonly columnPanels: number;
  private readonly workspace: BufferReference;
  private readonly scratch: BufferReference;
  /** Of the packed columns; a tile on its way to memory follows. */
  private readonly blockElements: number;
  private readonly direct: boolean;
  private readonly blockPanels: number;
  private readonly rowBlocks: number;
  /** Multiply-adds of the whole contraction. */
  private readonly work: number;

  constructor(
    private readonly product: Product,
    private readonly build: Builder,
    private readonly target: Target,
  ) {
    const { a, b, out } = product;
    this.outShape = dimensionsOf(out, [a, b]).extents;
    const free = [...out].filter((label) => !(a.labels.includes(label) && b.labels.includes(label)));
    const [last, other] = b.labels.includes(free[free.length - 1]) ? [b, a] : [a, b];
    // Results in columns are stored as vectors; but it is more that loads are, which are of all the common dimension.
    const exchanged = !this.fillsVectors(last, free) && this.fillsVectors(other, free);
    this.rowOperand = exchanged ? last : other;
    this.columnOperand = exchanged ? other : last;
    const inRow = (label: string): boolean => this.rowOperand.labels.includes(label);
    const inColumn = (label: string): boolean => this.columnOperand.labels.includes(label);
    const role = (from: string, keep: (label: string) => boolean): Dimensions =>
      dimensionsOf([...from].filter(keep).join(""), [this.rowOperand, this.columnOperand]);
    this.batch = role(out, (label) => inRow(label) && inColumn(label));
    this.rows = role(out, (label) => inRow(label) && !inColumn(label));
    // In the order in which the column operand lies in memory, which is walked more often.
    this.common = role(this.columnOperand.labels, (label) => inRow(label) && !out.includes(label));
    const columns = role(out, (label) => !inRow(label) && inColumn(label));
    this.columns = new ColumnLayout(columns, target.lanes, this.rows.size, (at) =>
      this.operandAt(this.columnOperand, [this.firstBatch(), { dimensions: columns, at }, this.firstCommon()]),
    );
    this.tile = chooseTile(target, this.rows.size, this.columns.size);
    this.vectors = this.tile.columns / target.lanes;
    this.rowPanels = Math.ceil(this.rows.size / this.tile.rows);
    this.columnPanels = Math.ceil(this.columns.size / this.tile.columns);
    // Packed, the common dimensions are one loop; read in place they are nested, and short ones end often.
    const shortLoops = (this.common.extents.at(-1) ?? 1) < shortLoop && this.common.extents.length > 1;
    const fewPanels = this.rowPanels <= directPanels && !(shortLoops && this.rows.size >= rowsToPackFor);
    this.direct = this.columns.contiguous && fewPanels;
    this.work = this.batch.size * this.rows.size * this.columns.size * this.common.size;
    this.blockPanels = this.chooseBlock();
    const tasks = this.batch.size * Math.ceil(this.columnPanels / this.blockPanels);
    this.rowBlocks = this.worthSharing
      ? Math.max(1, Math.min(Math.floor(this.rowPanels / 4), Math.ceil(wantedTasks / tasks)))
      : 1;
    this.workspace = {
      name: `rows${product.name}`,
      dtype: "float32",
      elements: this.batch.size * this.rowPanels * this.common.size * this.tile.rows,
      space: "arena",
    };
    this.blockElements = this.direct ? 0 : this.blockPanels * this.common.size * this.tile.columns;
    const tileElements = target.fullVectors ? this.tile.rows * this.tile.columns : 0;
    this.scratch = {
      name: "block",
      dtype: "float32",
      elements: this.blockElements + tileElements,
      space: "scratch",
    };
  }

  /** Whether vectors along the last free dimension of an operand lie side by side in memory. */
  private fillsVectors({ labels, shape, at }: Operand, free: readonly string[]): boolean {
    const label = free.findLast((name) => labels.includes(name));
    if (label === undefined || shape[labels.indexOf(label)] < this.target.lanes) return false;
    const variables = shape.map((extent, i) => new LoopVariable(labels[i], extent));
    const element = at(
      variables.map((variable) => Index.variable(variable)),
      null,
    );
    return element.node.op === "load" && element.node.index.coefficientOf(variables[labels.indexOf(label)]) === 1;
  }

  private get worthSharing(): boolean {
    return this.work >= this.target.parallelThreshold * 4;
  }

  /** Column panels that a task takes at once: as many as fit into the cache, fewer where tasks would be too few. */
  private chooseBlock(): number {
    const panelBytes = this.common.size * this.tile.columns * 4;
    const fitting = Math.max(1, Math.floor(this.target.panelCacheBytes / panelBytes));
    const perTask = Math.ceil((this.columnPanels * this.batch.size) / wantedTasks);
    return Math.max(1, Math.min(fitting, perTask, this.columnPanels));
  }

  lower(): LoweredProduct {
    return {
      phases: [this.packRows(), this.multiply()],
      scratchBytes: this.scratch.elements * 4 + 64,
      multiplyAdds: (this.work / this.columns.size) * this.columns.count,
      workspace: this.workspace,
    };
  }

  private operandAt(operand: Operand, parts: readonly Part[], guard: Expression | null = null): Expression {
    return operand.at(positionOf(operand.labels, parts), guard);
  }

  private firstBatch(): Part {
    return { dimensions: this.batch, at: this.batch.extents.map(() => Index.constant(0)) };
  }

  private firstCommon(): Part {
    return { dimensions: this.common, at: this.common.extents.map(() => Index.constant(0)) };
  }

  private batchPart(batch: Index): Part {
    return { dimensions: this.batch, at: unflatten(batch, this.batch.extents) };
  }

  /** Loops over the common dimensions, with the position within a panel they make. */
  private commonLoops(): { variables: LoopVariable[]; part: Part; position: Index } {
    const variables = this.common.extents.map((extent, i) => new LoopVariable(`k${i}_`, extent));
    const at = variables.map((variable) => Index.variable(variable));
    return { variables, part: { dimensions: this.common, at }, position: flatten(at, this.common.extents) };
  }

  private nest(variables: readonly LoopVariable[], body: Statement[]): Statement[] {
    return variables.reduceRight(
      (inside, variable) => (variable.extent === 1 ? inside : [loop(variable, inside)]),
      body,
    );
  }

  // Packing ---------------------------------------------------------------------------------------------------------

  /** Panels [batch][panel][common][tile.rows], with zeros where the last panel ends early. */
  private packRows(): Statement[] {
    const batch = new LoopVariable("batch", this.batch.size);
    const panel = new LoopVariable("panel", this.rowPanels);
    const width = this.tile.rows;
    const base = Index.variable(batch)
      .multiply(this.rowPanels)
      .add(Index.variable(panel))
      .multiply(this.common.size * width);
    const first = Index.variable(panel).multiply(width);
    const at = (row: Index, k: Part, guard: Expression | null): Expression =>
      this.operandAt(
        this.rowOperand,
        [this.batchPart(Index.variable(batch)), { dimensions: this.rows, at: unflatten(row, this.rows.extents) }, k],
        guard,
      );
    const full = this.rows.size % width === 0;
    const rowAt = (r: number, k: Part): Expression => {
      const row = first.add(r);
      const inside = full ? null : this.build.within(row, 0, this.rows.size);
      const guard = inside === null || inside.node.op === "constant" ? null : inside;
      const never = inside !== null && inside.node.op === "constant" && inside.node.values[0] === 0;
      const zero = this.build.constant(0, "f32");
      const element = never ? zero : at(row, k, guard);
      return guard === null ? element : this.build.select(guard, element, zero);
    };
    const body =
      this.packAlongRows(width, (row, k) => at(first.add(row), k, null), base) ??
      this.packTransposed(
        width,
        (r, k) => at(this.limited(first.add(r), full), k, null),
        this.workspace,
        (k) => base.add(k.multiply(width)),
      ) ??
      this.packOneByOne(width, rowAt, base);
    const cost = this.workspace.elements;
    const parallel = cost >= this.target.parallelThreshold;
    const overPanels = loop(panel, body, { parallel: parallel && this.batch.size === 1, cost });
    return this.batch.size === 1 ? [overPanels] : [loop(batch, [overPanels], { parallel, cost })];
  }

  private packOneByOne(width: number, rowAt: (r: number, k: Part) => Expression, base: Index): Statement[] {
    const { variables, part, position } = this.commonLoops();
    const place = base.add(position.multiply(width));
    const stores = Array.from({ length: width }, (_, r): Statement => {
      return { op: "store", buffer: this.workspace, index: place.add(r), value: rowAt(r, part) };
    });
    return this.nest(variables, stores);
  }

  /** Rows that lie side by side are packed as vectors; those past the end read on, and what comes of them is not used. */
  private packAlongRows(width: number, at: (row: Index, k: Part) => Expression, base: Index): Statement[] | null {
    if (!this.target.fullVectors || width > this.target.lanes) return null;
    const { variables, part, position } = this.commonLoops();
    const lane = new LoopVariable("lane", this.target.lanes);
    const value = vectorize(this.build, at(Index.variable(lane), part), lane, Index.constant(0), this.target);
    if (value.node.op !== "load" || value.node.guard !== null) return null;
    const count = this.build.constant(width, "i32");
    const index = base.add(position.multiply(width));
    return this.nest(variables, [{ op: "store", buffer: this.workspace, index, value, count }]);
  }

  /**
   * Numbers that lie side by side along the common dimensions are loaded as vectors, of `width` rows or columns, and
   * transposed. Null where they do not lie so.
   */
  private packTransposed(
    width: number,
    at: (which: number, k: Part) => Expression,
    buffer: BufferReference,
    place: (k: Index) => Index,
  ): Statement[] | null {
    const { build, common } = this;
    const { lanes, fullVectors } = this.target;
    if (!fullVectors || common.size < lanes || width > lanes) return null;
    const k = new LoopVariable("k", common.size);
    const part: Part = { dimensions: common, at: unflatten(Index.variable(k), common.extents) };
    const example = at(0, part);
    const isFar = (index: Index): boolean => Math.abs(index.coefficientOf(k) ?? 0) > farStep;
    if (indicesOf([example]).some(isFar)) return null;
    // Of blocks it is known that they begin at a multiple of the lanes, and so that they do not cross the end of a row.
    const blocks = Math.floor(common.size / lanes);
    const block = new LoopVariable("k", blocks);
    const start = Index.variable(block).multiply(lanes);
    const asVector = (element: Expression): Expression => vectorize(build, element, k, start, this.target);
    const isGathered = (vector: Expression): boolean =>
      [...expressionsIn([vector])].some(({ node }) => node.op === "gather" || node.op === "gatherLanes");
    // One tells of most that they do not lie so.
    if (isGathered(asVector(example))) return null;
    const elements = Array.from({ length: width }, (_, i) => at(i, part));
    const vectors = elements.map(asVector);
    if (vectors.some(isGathered)) return null;
    const whole = blocks * lanes;
    const count = width < lanes ? { count: build.constant(width, "i32") } : {};
    const stores = transposed(build, vectors, lanes).map(
      (value, j): Statement => ({ op: "store", buffer, index: place(start.add(j)), value, ...count }),
    );
    const rest = elements.map(
      (value, i): Statement => ({ op: "store", buffer, index: place(Index.variable(k)).add(i), value }),
    );
    return [loop(block, stores), ...(whole < common.size ? [loop(k, rest, { from: Index.constant(whole) })] : [])];
  }

  /** A row, or the last one in its place. */
  private limited(row: Index, always: boolean): Index {
    const last = this.rows.size - 1;
    if (always || row.maximum <= last) return row;
    return Index.value(this.build.binary("min", this.build.index(row), this.build.constant(last, "i32")), last);
  }

  /** The column operand's vectors of one panel at one common element. */
  private columnVectors(batch: Index, column: Index, k: Part): Expression[] {
    const { build, columns } = this;
    const element = this.operandAt(this.columnOperand, [this.batchPart(batch), columns.symbolic, k]);
    return Array.from({ length: this.vectors }, (_, v) => {
      const group = columns.group(build, column, this.vectors, v);
      const lane = new LoopVariable("lane", this.target.lanes);
      // Lanes past the end are read where something lies, and never stored.
      const place = columns.safePlace(build, group, Index.variable(lane));
      return vectorize(build, columns.bind(build, element, place), lane, Index.constant(0), this.target);
    });
  }

  private packColumns(batch: Index, start: Index): Statement {
    const packed = new LoopVariable("packed", this.blockPanels);
    const byGroups = this.columns.contiguous ? null : this.packColumnGroups(batch, start, packed);
    if (byGroups !== null) return byGroups;
    const { variables, part, position } = this.commonLoops();
    const place = Index.variable(packed)
      .multiply(this.common.size * this.tile.columns)
      .add(position.multiply(this.tile.columns));
    const body = this.columnVectors(batch, start.add(Index.variable(packed)), part).map(
      (value, v): Statement => ({
        op: "store",
        buffer: this.scratch,
        index: place.add(v * this.target.lanes),
        value,
      }),
    );
    return loop(packed, this.nest(variables, body), { to: this.blockEnd(start) });
  }

  /** Columns that do not lie side by side, but whose common elements do. */
  private packColumnGroups(batch: Index, start: Index, packed: LoopVariable): Statement | null {
    const { build, columns } = this;
    const { lanes } = this.target;
    const group = new LoopVariable("group", this.vectors);
    const number = columns.group(
      build,
      start.add(Index.variable(packed)).multiply(this.vectors).add(Index.variable(group)),
      1,
      0,
    );
    const at = (lane: number, k: Part): Expression => {
      const element = this.operandAt(this.columnOperand, [this.batchPart(batch), columns.symbolic, k]);
      return columns.bind(build, element, columns.safePlace(build, number, Index.constant(lane)));
    };
    const place = (k: Index): Index =>
      Index.variable(packed)
        .multiply(this.common.size)
        .add(k)
        .multiply(this.tile.columns)
        .add(Index.variable(group).multiply(lanes));
    const body = this.packTransposed(lanes, at, this.scratch, place);
    return body === null ? null : loop(packed, [loop(group, body)], { to: this.blockEnd(start) });
  }

  // Multiplying -----------------------------------------------------------------------------------------------------

  private multiply(): Statement[] {
    const blocks = Math.ceil(this.columnPanels / this.blockPanels);
    const task = new LoopVariable("task", this.batch.size * blocks * this.rowBlocks);
    const [batch, block, rowBlock] = unflatten(Index.variable(task), [this.batch.size, blocks, this.rowBlocks]);
    const rowsPerBlock = Math.ceil(this.rowPanels / this.rowBlocks);
    const start = block.multiply(this.blockPanels);
    const row = new LoopVariable("row", this.rowPanels);
    const column = new LoopVariable("column", this.blockPanels);
    const rowStart = rowBlock.multiply(rowsPerBlock);
    const overColumns = (body: Statement[]): Statement => loop(column, body, { to: this.blockEnd(start) });
    const overRows = (body: Statement[]): Statement =>
      loop(row, body, { from: rowStart, to: this.limit(rowStart.add(rowsPerBlock), this.rowPanels) });
    const product = this.tileProduct(batch, row, column, start);
    // Packed columns stay in cache over all rows; read in place, all rows use them while they are there.
    const body = this.direct
      ? [overColumns([overRows(product)])]
      : [this.packColumns(batch, start), overRows([overColumns(product)])];
    return [loop(task, body, { parallel: this.worthSharing, cost: this.work })];
  }

  /** Column panels of the block that starts at a panel: fewer in the last one. */
  private blockEnd(start: Index): Index {
    if (this.columnPanels % this.blockPanels === 0) return Index.constant(this.blockPanels);
    return this.limit(Index.constant(this.columnPanels).subtract(start), this.blockPanels);
  }

  private limit(index: Index, most: number): Index {
    if (index.maximum <= most) return index;
    return Index.value(this.build.binary("min", this.build.index(index), this.build.constant(most, "i32")), most);
  }

  /** The micro-kernel: one tile of accumulators over all of the common dimension, then its epilogue. */
  private tileProduct(batch: Index, row: LoopVariable, column: LoopVariable, start: Index): Statement[] {
    const { build, tile, vectors } = this;
    const { lanes } = this.target;
    const place = start.add(Index.variable(column));
    const accumulators = Array.from({ length: tile.rows }, (_, r) =>
      Array.from({ length: vectors }, (_, v) => new Register(`c${r}_${v}`, "f32", lanes)),
    );
    const zero = build.splat(build.constant(0, "f32"), lanes);
    const starts = accumulators.flat().map((register): Statement => ({ op: "assign", register, value: zero }));
    const rowBase = batch
      .multiply(this.rowPanels)
      .add(Index.variable(row))
      .multiply(this.common.size * tile.rows);
    /** One common element: every row's element times every column vector. */
    const step = (position: Index, columnVectors: readonly Expression[]): Statement[] =>
      accumulators.flatMap((registers, r) => {
        const place = rowBase.add(position.multiply(tile.rows)).add(r);
        const element = build.splat(build.load(this.workspace, place, null), lanes);
        return registers.map((register, v): Statement => {
          return { op: "assign", register, value: build.fma(element, columnVectors[v], build.read(register)) };
        });
      });
    const body = this.direct ? this.directSteps(batch, place, step) : this.packedSteps(column, step);
    return [...starts, ...body, ...this.storeTile(batch, row, place, accumulators)];
  }

  private packedSteps(
    column: LoopVariable,
    step: (position: Index, columnVectors: readonly Expression[]) => Statement[],
  ): Statement[] {
    const { lanes } = this.target;
    const base = Index.variable(column).multiply(this.common.size * this.tile.columns);
    // One common element an iteration: with more, optimizing compilers move all loads of the body to its beginning and
    // run out of registers (seen in V8 11).
    const k = new LoopVariable("k", this.common.size);
    const position = Index.variable(k);
    const vectors = Array.from({ length: this.vectors }, (_, v) =>
      this.build.load(this.scratch, base.add(position.multiply(this.tile.columns)).add(v * lanes), null, lanes),
    );
    return [loop(k, step(position, vectors))];
  }

  private directSteps(
    batch: Index,
    column: Index,
    step: (position: Index, columnVectors: readonly Expression[]) => Statement[],
  ): Statement[] {
    const { variables, part, position } = this.commonLoops();
    const vectors = this.columnVectors(batch, column, part);
    return this.nest(variables, step(position, vectors));
  }

  // The epilogue ----------------------------------------------------------------------------------------------------

  private storeTile(batch: Index, row: LoopVariable, column: Index, accumulators: Register[][]): Statement[] {
    const { build, tile, target } = this;
    const firstRow = Index.variable(row).multiply(tile.rows);
    if (target.fullVectors) return this.storeRows(batch, firstRow, column, accumulators);
    return accumulators.flatMap((registers, r) => {
      const body = registers.flatMap((register, v) => this.storeGroup(batch, firstRow.add(r), column, v, register));
      const inside = build.within(firstRow.add(r), 0, this.rows.size);
      if (inside.node.op === "constant") return inside.node.values[0] ? body : [];
      return [{ op: "if", condition: inside, whenTrue: body, whenFalse: [] } as Statement];
    });
  }

  /** The tile by way of memory, so that the epilogue is there once for all of its rows: the code is much shorter. */
  private storeRows(batch: Index, firstRow: Index, column: Index, accumulators: Register[][]): Statement[] {
    const { build, tile, target } = this;
    const place = (r: Index, v: number): Index =>
      r.multiply(this.vectors).add(v).multiply(target.lanes).add(this.blockElements);
    const stores = accumulators.flatMap((registers, r) =>
      registers.map((register, v): Statement => {
        return { op: "store", buffer: this.scratch, index: place(Index.constant(r), v), value: build.read(register) };
      }),
    );
    const row = new LoopVariable("r", tile.rows);
    const sums = accumulators[0].map(({ kind, lanes }, v) => new Register(`sum${v}`, kind, lanes));
    const body = sums.flatMap((sum, v): Statement[] => {
      const value = build.load(this.scratch, place(Index.variable(row), v), null, target.lanes);
      return [
        { op: "assign", register: sum, value },
        ...this.storeGroup(batch, firstRow.add(Index.variable(row)), column, v, sum),
      ];
    });
    const left = Index.constant(this.rows.size).subtract(firstRow);
    const to = this.rows.size % tile.rows === 0 ? Index.constant(tile.rows) : this.limit(left, tile.rows);
    return [...stores, loop(row, body, { to })];
  }

  /** Results of one row and one vector of columns, through the epilogue into memory. */
  private storeGroup(batch: Index, row: Index, column: Index, v: number, register: Register): Statement[] {
    const { build, columns } = this;
    const { lanes } = this.target;
    const lane = new LoopVariable("lane", lanes);
    const group = columns.group(build, column, this.vectors, v);
    const scalar = new Register("element", "f32", 1);
    const wide = new Map([[scalar, register]]);
    const named = this.results(batch, row, build.read(scalar));
    const place = columns.place(group, Index.variable(lane));
    let values = named.map(({ value }) => columns.bind(build, value, place));
    // Lanes past the end may read only what lies right behind; elsewhere they read the last column again.
    const steps = indicesOf(values).map((index) => index.coefficientOf(lane));
    if (!columns.whole && steps.some((step) => step !== 0 && step !== 1)) {
      const safe = columns.clamp(build, place);
      values = named.map(({ value }) => columns.bind(build, value, safe));
    }
    const results = named.map(({ buffer, index }, i) => ({
      buffer,
      index: columns.bindIndex(build, index, place),
      value: values[i],
    }));
    // The epilogue is computed once, before it is known how much of it is stored.
    const held = results.map(({ value }, i) => new Register(`result${i}`, value.kind, lanes));
    const assigns = results.map(({ value }, i): Statement => {
      return {
        op: "assign",
        register: held[i],
        value: vectorize(build, value, lane, Index.constant(0), this.target, wide),
      };
    });
    const whole = results.flatMap(({ buffer, index }, i) =>
      storeVector(build, buffer, index, build.read(held[i]), lane, Index.constant(0), this.target),
    );
    const complete = columns.complete(build, column, this.vectors, v);
    if (complete === null) return [...assigns, ...whole];
    if (this.target.fullVectors && whole.length === results.length) {
      const count = columns.countIn(build, column, this.vectors, v);
      return [...assigns, ...whole.map((store) => ({ ...store, count }))];
    }
    const partial = Array.from({ length: lanes }, (_, l): Statement => {
      const stores = results.map(({ buffer, index }, i): Statement => {
        const here = substituteIndex(build, index, lane, Index.constant(l));
        return { op: "store", buffer, index: here, value: build.lane(build.read(held[i]), l) };
      });
      return { op: "if", condition: columns.has(build, column, this.vectors, v, l), whenTrue: stores, whenFalse: [] };
    });
    return [...assigns, { op: "if", condition: complete, whenTrue: whole, whenFalse: partial }];
  }

  /** The result's index, and the epilogue's values there, at a column by name. */
  private results(batch: Index, row: Index, product: Expression): readonly Result[] {
    const parts = [
      this.batchPart(batch),
      { dimensions: this.rows, at: unflatten(row, this.rows.extents) },
      this.columns.symbolic,
    ];
    return this.product.finish(flatten(positionOf(this.product.out, parts), this.outShape), product);
  }
}

/** The tile that wastes the least on this shape; among equals the first, which has the most reuse. */
function chooseTile(target: Target, rows: number, columns: number): TileShape {
  const waste = ({ rows: r, columns: c }: TileShape): number => {
    const padded = Math.ceil(rows / r) * r * Math.ceil(columns / c) * c;
    // A load for every row and column vector of the tile, shared by its multiply-adds.
    const loads = (r + c / target.lanes) / (r * (c / target.lanes));
    return padded * (1 + loads * 0.5);
  };
  return target.tiles.reduce((best, tile) => (waste(tile) < waste(best) * 0.95 ? tile : best));
}
