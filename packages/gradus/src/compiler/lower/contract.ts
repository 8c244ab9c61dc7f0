// The contraction engine: packed, blocked matrix multiplication in the anatomy of BLIS (Van Zee and van de Geijn, "BLIS:
// a framework for rapidly instantiating BLAS functionality", 2015), for every contraction. The operand whose dimensions
// end the result is the column operand, whose panels become vectors; the other is the row operand, whose elements are
// spread over vectors. Packing reads through the operand's view, so a convolution's windows are never laid out. The
// epilogue works on the tile before it is stored.
//
// Phase 1 packs the row operand once, in panels of as many rows as a tile has. Phase 2 shares blocks of columns among
// threads: each packs its block into its own scratch and multiplies it by all row panels.

import { type Node, parseDotSpec, sizeOf } from "../../graph/index.ts";
import { Builder } from "../builder.ts";
import type { Kernel } from "../fuse.ts";
import { flatten, Index, LoopVariable, unflatten } from "../index-expression.ts";
import { type BufferReference, type Expression, loop, Register, type Statement } from "../ir.ts";
import type { Target, TileShape } from "../target.ts";
import type { Stores } from "./map-reduce.ts";
import { type Storage, Values } from "./values.ts";
import { storeVector, vectorize } from "./vectorize.ts";

/** The labels of one role and their extents. */
interface Dimensions {
  readonly labels: string;
  readonly extents: readonly number[];
  readonly size: number;
}

/** Indices into the dimensions of one role. */
interface Part {
  readonly dimensions: Dimensions;
  readonly at: readonly Index[];
}

/** The index of every label, from the part that has it. */
function positionOf(labels: string, parts: readonly Part[]): Index[] {
  return [...labels].map((label) => {
    const part = parts.find(({ dimensions }) => dimensions.labels.includes(label))!;
    return part.at[part.dimensions.labels.indexOf(label)];
  });
}

export interface LoweredContraction {
  readonly phases: Statement[][];
  readonly scratchBytes: number;
  /** Packed row panels: memory the planner must find for this kernel alone. */
  readonly workspace: BufferReference;
}

/** Tasks that a contraction is cut into at least, where it has the work, so that threads end together. */
const wantedTasks = 8;

export function lowerContraction(kernel: Kernel, storage: Storage, stores: Stores, target: Target): LoweredContraction {
  return new Contraction(kernel, storage, stores, target).lower();
}

class Contraction {
  private readonly build = new Builder();
  private readonly node: Node<"dot">;
  private readonly values: Values;
  /** The result's dimensions by role. */
  private readonly batch: Dimensions;
  private readonly rows: Dimensions;
  private readonly columns: Dimensions;
  private readonly common: Dimensions;
  private readonly rowOperand: { node: Node; labels: string };
  private readonly columnOperand: { node: Node; labels: string };
  private readonly out: string;
  private readonly tile: TileShape;
  private readonly rowPanels: number;
  private readonly columnPanels: number;
  private readonly workspace: BufferReference;
  private readonly scratch: BufferReference;
  private readonly spill: BufferReference;
  private readonly blockPanels: number;
  private readonly rowBlocks: number;

  constructor(
    private readonly kernel: Kernel,
    storage: Storage,
    private readonly stores: Stores,
    private readonly target: Target,
  ) {
    this.node = kernel.anchors[0] as Node<"dot">;
    const own = new Set([...kernel.outputs, ...kernel.anchors]);
    this.values = new Values(this.build, (node) => (own.has(node) ? undefined : storage(node)));
    const spec = parseDotSpec(this.node.attributes.spec);
    this.out = spec.out;
    const extents = new Map<string, number>();
    const [a, b] = this.node.inputs;
    [...spec.a].forEach((label, axis) => {
      extents.set(label, a.shape[axis]);
    });
    [...spec.b].forEach((label, axis) => {
      extents.set(label, b.shape[axis]);
    });
    const free = [...spec.out].filter((label) => !(spec.a.includes(label) && spec.b.includes(label)));
    const columnsAreB = spec.b.includes(free[free.length - 1]);
    this.rowOperand = columnsAreB ? { node: a, labels: spec.a } : { node: b, labels: spec.b };
    this.columnOperand = columnsAreB ? { node: b, labels: spec.b } : { node: a, labels: spec.a };
    const dimensions = (labels: string[]): Dimensions => {
      const list = labels.map((label) => extents.get(label)!);
      return { labels: labels.join(""), extents: list, size: sizeOf(list) };
    };
    const inRow = (label: string): boolean => this.rowOperand.labels.includes(label);
    const inColumn = (label: string): boolean => this.columnOperand.labels.includes(label);
    this.batch = dimensions([...spec.out].filter((label) => inRow(label) && inColumn(label)));
    this.rows = dimensions([...spec.out].filter((label) => inRow(label) && !inColumn(label)));
    this.columns = dimensions([...spec.out].filter((label) => !inRow(label) && inColumn(label)));
    // In the order in which the column operand lies in memory, for packing walks it more often.
    this.common = dimensions(
      [...this.columnOperand.labels].filter((label) => inRow(label) && !spec.out.includes(label)),
    );
    this.tile = chooseTile(target, this.rows.size, this.columns.size);
    this.rowPanels = Math.ceil(this.rows.size / this.tile.rows);
    this.columnPanels = Math.ceil(this.columns.size / this.tile.columns);
    this.blockPanels = this.chooseBlock();
    const tasks = this.batch.size * Math.ceil(this.columnPanels / this.blockPanels);
    const work = this.batch.size * this.rows.size * this.columns.size * this.common.size;
    const worthSharing = work >= target.parallelThreshold * 4;
    this.rowBlocks = worthSharing
      ? Math.max(1, Math.min(Math.floor(this.rowPanels / 4), Math.ceil(wantedTasks / tasks)))
      : 1;
    const id = this.node.id;
    this.workspace = {
      name: `rows${id}`,
      dtype: "float32",
      elements: this.batch.size * this.rowPanels * this.common.size * this.tile.rows,
      space: "arena",
    };
    const blockElements = this.blockPanels * this.common.size * this.tile.columns;
    this.scratch = { name: "block", dtype: "float32", elements: blockElements, space: "scratch" };
    this.spill = {
      name: "tile",
      dtype: "float32",
      elements: blockElements + this.tile.rows * this.tile.columns,
      space: "scratch",
    };
  }

  /** Column panels that a task packs at once: as many as fit into the cache, fewer where tasks would be too few. */
  private chooseBlock(): number {
    const panelBytes = this.common.size * this.tile.columns * 4;
    const fitting = Math.max(1, Math.floor(this.target.panelCacheBytes / panelBytes));
    const perTask = Math.ceil((this.columnPanels * this.batch.size) / wantedTasks);
    return Math.max(1, Math.min(fitting, perTask, this.columnPanels));
  }

  lower(): LoweredContraction {
    const cost = this.batch.size * this.rows.size * this.columns.size * this.common.size;
    const parallel = cost >= this.target.parallelThreshold * 4;
    const rowElements = this.workspace.elements;
    return {
      phases: [this.packRows(rowElements >= this.target.parallelThreshold, rowElements), this.multiply(parallel, cost)],
      scratchBytes: (this.spill.elements + 16) * 4,
      workspace: this.workspace,
    };
  }

  private operandAt(
    operand: { node: Node; labels: string },
    parts: readonly Part[],
    guard: Expression | null = null,
  ): Expression {
    return this.values.at(operand.node, positionOf(operand.labels, parts), guard);
  }

  /** Loops over the common dimensions, with the position within a panel they make. */
  private commonLoops(): { variables: LoopVariable[]; at: Index[]; position: Index } {
    const variables = this.common.extents.map((extent, i) => new LoopVariable(`k${i}_`, extent));
    const at = variables.map((variable) => Index.variable(variable));
    return { variables, at, position: flatten(at, this.common.extents) };
  }

  private nest(variables: readonly LoopVariable[], body: Statement[]): Statement[] {
    return variables.reduceRight(
      (inside, variable) => (variable.extent === 1 ? inside : [loop(variable, inside)]),
      body,
    );
  }

  /** Panels [batch][panel][common][tile.rows], with zeros where the last panel ends early. */
  private packRows(parallel: boolean, cost: number): Statement[] {
    const batch = new LoopVariable("batch", this.batch.size);
    const panel = new LoopVariable("panel", this.rowPanels);
    const base = Index.variable(batch)
      .multiply(this.rowPanels)
      .add(Index.variable(panel))
      .multiply(this.common.size * this.tile.rows);
    const body = this.packPanel(
      this.rowOperand,
      this.rows,
      this.tile.rows,
      panel,
      Index.variable(batch),
      base,
      this.workspace,
    );
    const overPanels = loop(panel, body, { parallel: parallel && this.batch.size === 1, cost });
    return this.batch.size === 1 ? [overPanels] : [loop(batch, [overPanels], { parallel, cost })];
  }

  private packPanel(
    operand: { node: Node; labels: string },
    free: Dimensions,
    width: number,
    panel: LoopVariable,
    batch: Index,
    base: Index,
    buffer: BufferReference,
  ): Statement[] {
    const { build } = this;
    const first = Index.variable(panel).multiply(width);
    const lane = new LoopVariable("lane", width);
    const at = (position: Index, k: readonly Index[]): Expression =>
      this.operandAt(operand, [
        { dimensions: this.batch, at: unflatten(batch, this.batch.extents) },
        { dimensions: free, at: unflatten(position, free.extents) },
        { dimensions: this.common, at: k },
      ]);
    const whole = (): Statement[] => {
      const { variables, at: k, position } = this.commonLoops();
      const element = at(first.add(Index.variable(lane)), k);
      const place = base.add(position.multiply(width));
      const body: Statement[] = [];
      const { lanes } = this.target;
      for (let column = 0; column < width; column += lanes) {
        const count = Math.min(lanes, width - column);
        const value =
          count === lanes && lanes > 1 ? vectorize(build, element, lane, Index.constant(column), lanes) : null;
        if (value !== null) {
          body.push({ op: "store", buffer, index: place.add(column), value });
          continue;
        }
        for (let i = 0; i < count; i++) {
          const single = at(first.add(column + i), k);
          body.push({ op: "store", buffer, index: place.add(column + i), value: single });
        }
      }
      return this.nest(variables, body);
    };
    const partial = (): Statement[] => {
      const { variables, at: k, position } = this.commonLoops();
      const offset = new LoopVariable("offset", width);
      const column = first.add(Index.variable(offset));
      const inside = build.within(column, 0, free.size);
      const parts = [
        { dimensions: this.batch, at: unflatten(batch, this.batch.extents) },
        { dimensions: free, at: unflatten(column, free.extents) },
        { dimensions: this.common, at: k },
      ];
      const value = build.select(inside, this.operandAt(operand, parts, inside), build.constant(0, "f32"));
      const place = base.add(position.multiply(width)).add(Index.variable(offset));
      return [loop(offset, this.nest(variables, [{ op: "store", buffer, index: place, value }]))];
    };
    if (free.size % width === 0) return whole();
    if (free.size < width) return partial();
    const last = Math.floor(free.size / width);
    const complete = build.compare("lt", build.index(Index.variable(panel)), build.constant(last, "i32"));
    return [{ op: "if", condition: complete, whenTrue: whole(), whenFalse: partial() }];
  }

  private multiply(parallel: boolean, cost: number): Statement[] {
    const blocks = Math.ceil(this.columnPanels / this.blockPanels);
    const task = new LoopVariable("task", this.batch.size * blocks * this.rowBlocks);
    const [batch, block, rowBlock] = unflatten(Index.variable(task), [this.batch.size, blocks, this.rowBlocks]);
    const rowsPerBlock = Math.ceil(this.rowPanels / this.rowBlocks);
    const start = block.multiply(this.blockPanels);

    const packed = new LoopVariable("packed", this.columnPanels);
    const packedBase = Index.variable(packed)
      .subtract(start)
      .multiply(this.common.size * this.tile.columns);
    const pack = loop(
      packed,
      this.packPanel(this.columnOperand, this.columns, this.tile.columns, packed, batch, packedBase, this.scratch),
      { from: start, to: this.limit(start.add(this.blockPanels), this.columnPanels) },
    );

    const row = new LoopVariable("row", this.rowPanels);
    const column = new LoopVariable("column", this.columnPanels);
    const rowStart = rowBlock.multiply(rowsPerBlock);
    const tiles = loop(
      row,
      [
        loop(column, this.tileProduct(batch, row, column, start), {
          from: start,
          to: this.limit(start.add(this.blockPanels), this.columnPanels),
        }),
      ],
      { from: rowStart, to: this.limit(rowStart.add(rowsPerBlock), this.rowPanels) },
    );
    return [loop(task, [pack, tiles], { parallel, cost })];
  }

  private limit(index: Index, most: number): Index {
    if (index.maximum <= most) return index;
    return Index.value(this.build.binary("min", this.build.index(index), this.build.constant(most, "i32")), most);
  }

  /** The micro-kernel: one tile of accumulators over all of the common dimension, then its epilogue. */
  private tileProduct(batch: Index, row: LoopVariable, column: LoopVariable, start: Index): Statement[] {
    const { build, tile } = this;
    const { lanes } = this.target;
    const vectors = tile.columns / lanes;
    const k = new LoopVariable("k", this.common.size);
    const rowBase = batch
      .multiply(this.rowPanels)
      .add(Index.variable(row))
      .multiply(this.common.size * tile.rows)
      .add(Index.variable(k).multiply(tile.rows));
    const columnBase = Index.variable(column)
      .subtract(start)
      .multiply(this.common.size * tile.columns)
      .add(Index.variable(k).multiply(tile.columns));
    const accumulators: Register[][] = [];
    const starts: Statement[] = [];
    const body: Statement[] = [];
    for (let r = 0; r < tile.rows; r++) {
      accumulators.push([]);
      for (let v = 0; v < vectors; v++) {
        const register = new Register(`c${r}_${v}`, "f32", lanes);
        accumulators[r].push(register);
        starts.push({ op: "assign", register, value: build.splat(build.constant(0, "f32"), lanes) });
      }
    }
    const columnVectors = Array.from({ length: vectors }, (_, v) =>
      build.load(this.scratch, columnBase.add(v * lanes), null, lanes),
    );
    for (let r = 0; r < tile.rows; r++) {
      const element = build.splat(build.load(this.workspace, rowBase.add(r), null), lanes);
      accumulators[r].forEach((register, v) => {
        body.push({ op: "assign", register, value: build.fma(element, columnVectors[v], build.read(register)) });
      });
    }
    return [...starts, loop(k, body), ...this.finishTile(batch, row, column, accumulators)];
  }

  private finishTile(batch: Index, row: LoopVariable, column: LoopVariable, accumulators: Register[][]): Statement[] {
    const { build, tile } = this;
    const firstRow = Index.variable(row).multiply(tile.rows);
    const firstColumn = Index.variable(column).multiply(tile.columns);
    const fullRows = this.rows.size % tile.rows === 0;
    const fullColumns = this.columns.size % tile.columns === 0;
    const whole = (): Statement[] => this.storeWhole(batch, firstRow, firstColumn, accumulators);
    if (fullRows && fullColumns) return whole();
    let complete = build.constant(1, "bool");
    if (!fullRows) complete = build.binary("and", complete, build.within(firstRow, 0, this.rows.size - tile.rows + 1));
    if (!fullColumns)
      complete = build.binary("and", complete, build.within(firstColumn, 0, this.columns.size - tile.columns + 1));
    const partial = this.storePartial(batch, firstRow, firstColumn, accumulators);
    if (complete.node.op === "constant") return complete.node.values[0] ? whole() : partial;
    return [{ op: "if", condition: complete, whenTrue: whole(), whenFalse: partial }];
  }

  /** The result's index, and the epilogue's values there. */
  private results(
    batch: Index,
    row: Index,
    column: Index,
    product: Expression,
  ): { buffer: BufferReference; index: Index; value: Expression }[] {
    const parts = [
      { dimensions: this.batch, at: unflatten(batch, this.batch.extents) },
      { dimensions: this.rows, at: unflatten(row, this.rows.extents) },
      { dimensions: this.columns, at: unflatten(column, this.columns.extents) },
    ];
    const flat = flatten(positionOf(this.out, parts), this.node.shape);
    this.values.forget();
    this.values.registers.clear();
    this.values.registers.set(this.node as unknown as Node, product);
    return this.kernel.outputs.flatMap((output) => {
      const value = this.values.at(output, unflatten(flat, output.shape));
      this.values.registers.set(output, value);
      return this.stores(output).map((buffer) => ({ buffer, index: flat, value }));
    });
  }

  private storeWhole(batch: Index, firstRow: Index, firstColumn: Index, accumulators: Register[][]): Statement[] {
    const { build } = this;
    const { lanes } = this.target;
    return accumulators.flatMap((registers, r) =>
      registers.flatMap((register, v) => {
        const lane = new LoopVariable("lane", lanes);
        const scalar = new Register("element", "f32", 1);
        const place = firstColumn.add(v * lanes).add(Index.variable(lane));
        const wide = new Map([[scalar, register]]);
        return this.results(batch, firstRow.add(r), place, build.read(scalar)).flatMap(({ buffer, index, value }) =>
          storeVector(
            build,
            buffer,
            index,
            vectorize(build, value, lane, Index.constant(0), lanes, wide),
            lane,
            Index.constant(0),
          ),
        );
      }),
    );
  }

  /** A tile at the edge is laid into scratch and finished element by element. */
  private storePartial(batch: Index, firstRow: Index, firstColumn: Index, accumulators: Register[][]): Statement[] {
    const { build, tile } = this;
    const { lanes } = this.target;
    const spillBase = this.spill.elements - tile.rows * tile.columns;
    const spilled = accumulators.flatMap((registers, r) =>
      registers.map((register, v): Statement => {
        const index = Index.constant(spillBase + r * tile.columns + v * lanes);
        return { op: "store", buffer: this.spill, index, value: build.read(register) };
      }),
    );
    const r = new LoopVariable("r", tile.rows);
    const c = new LoopVariable("c", tile.columns);
    const place = Index.variable(r).multiply(tile.columns).add(Index.variable(c)).add(spillBase);
    const [row, column] = [firstRow.add(Index.variable(r)), firstColumn.add(Index.variable(c))];
    const inside = build.binary(
      "and",
      build.within(row, 0, this.rows.size),
      build.within(column, 0, this.columns.size),
    );
    const stores = this.results(batch, row, column, build.load(this.spill, place, null)).map(
      ({ buffer, index, value }): Statement => ({ op: "store", buffer, index, value }),
    );
    return [...spilled, loop(r, [loop(c, [{ op: "if", condition: inside, whenTrue: stores, whenFalse: [] }])])];
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
