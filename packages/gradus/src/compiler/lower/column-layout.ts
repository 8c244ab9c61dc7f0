// How the columns of a contraction become vectors. Columns are numbered row-major over their dimensions; a vector is a
// group of as many as there are lanes. Where the last dimension lies side by side in memory it is rounded up to whole
// vectors, so that every group is one load even if a row of an image has 10 or 14 pixels: a few lanes then compute
// what is never stored. Where that would waste too much, groups run across the ends of rows and lanes are gathered.

import { sizeOf } from "../../graph/index.ts";
import type { Builder } from "../builder.ts";
import { Index, LoopVariable, unflatten } from "../index-expression.ts";
import type { Expression } from "../ir.ts";
import type { Dimensions, Part } from "./dimensions.ts";
import { substitute, substituteIndex } from "./vectorize.ts";

/** Costs in multiply-adds of a lane: bringing an element to a vector by one load of all lanes, or alone. */
const vectorLoadCost = 4;
const singleLoadCost = 20;

export class ColumnLayout {
  /** Columns there are. */
  readonly count: number;
  /** Numbered columns, rounded up to whole groups. */
  readonly size: number;
  /** Whether a group's lanes lie side by side in memory. */
  readonly contiguous: boolean;
  /** Whether every lane of every group is a column. */
  readonly whole: boolean;
  /** Dimensions that are numbered as one, the last rounded up. */
  private readonly extents: readonly number[];
  private readonly last: number;
  private readonly lastRounded: number;
  private readonly groups: number;
  private readonly symbols: readonly LoopVariable[];

  /** @param elementAt the column operand at a column, all else being fixed */
  constructor(
    private readonly dimensions: Dimensions,
    private readonly lanes: number,
    rows: number,
    elementAt: (at: readonly Index[]) => Expression,
  ) {
    const merged = mergedTail(dimensions, elementAt);
    const tail = sizeOf(dimensions.extents.slice(merged.from));
    const rounded = Math.ceil(tail / lanes) * lanes;
    const waste = rounded / tail;
    const rounds =
      merged.from === 0 ||
      tail % lanes === 0 ||
      (merged.step === 1 && waste * (rows + vectorLoadCost) < rows + singleLoadCost);
    const from = rounds ? merged.from : 0;
    this.last = sizeOf(dimensions.extents.slice(from));
    this.lastRounded = Math.ceil(this.last / lanes) * lanes;
    this.extents = [...dimensions.extents.slice(0, from), this.lastRounded];
    this.count = dimensions.size;
    this.size = sizeOf(this.extents);
    this.groups = this.size / lanes;
    this.contiguous = rounds && merged.step === 1;
    this.whole = this.last === this.lastRounded;
    this.symbols = [...dimensions.extents.slice(0, from), this.last].map(
      (extent, i) => new LoopVariable(`n${i}_`, extent),
    );
  }

  /** The number of the v-th group of a tile, or of the last group where the tile reaches beyond it. */
  group(build: Builder, column: Index, perTile: number, v: number): Index {
    const group = column.multiply(perTile).add(v);
    if (group.maximum < this.groups) return group;
    return Index.value(
      build.binary("min", build.index(group), build.constant(this.groups - 1, "i32")),
      this.groups - 1,
    );
  }

  /** Where a lane of a group lies; beyond the end of the last dimension in lanes that are no columns. */
  place(group: Index, lane: Index): Index[] {
    return unflatten(group.multiply(this.lanes).add(lane), this.extents);
  }

  /** As `place`, kept within the last dimension where a lane's load would not just read on. */
  safePlace(build: Builder, group: Index, lane: Index): Index[] {
    const place = this.place(group, lane);
    return this.whole || this.contiguous ? place : this.clamp(build, place);
  }

  /**
   * A column by name: what is made of it can be bound to a place afterwards. Made of a place itself, an index that
   * passes the end of the last dimension would carry into the one before it.
   */
  get symbolic(): Part {
    const at = this.symbols.map((symbol) => Index.variable(symbol));
    const outer = at.slice(0, -1);
    const inner = unflatten(at[at.length - 1], this.dimensions.extents.slice(outer.length));
    return { dimensions: this.dimensions, at: [...outer, ...inner] };
  }

  bind(build: Builder, value: Expression, place: readonly Index[]): Expression {
    return this.symbols.reduce((bound, symbol, i) => substitute(build, bound, symbol, place[i]), value);
  }

  bindIndex(build: Builder, index: Index, place: readonly Index[]): Index {
    return this.symbols.reduce((bound, symbol, i) => substituteIndex(build, bound, symbol, place[i]), index);
  }

  /** Kept within the last dimension. */
  clamp(build: Builder, split: readonly Index[]): Index[] {
    const last = split[split.length - 1];
    if (last.maximum < this.last) return [...split];
    const limit = build.constant(this.last - 1, "i32");
    return [...split.slice(0, -1), Index.value(build.binary("min", build.index(last), limit), this.last - 1)];
  }

  /** Whether all lanes of a tile's v-th group are columns; null where they always are. */
  complete(build: Builder, column: Index, perTile: number, v: number): Expression | null {
    const condition = build.binary(
      "and",
      this.exists(build, column, perTile, v),
      this.laneExists(build, column, perTile, v, this.lanes - 1),
    );
    return condition.node.op === "constant" && condition.node.values[0] === 1 ? null : condition;
  }

  /** How many lanes of a tile's v-th group are columns: they are the first; none or less where the group is beyond the last. */
  countIn(build: Builder, column: Index, perTile: number, v: number): Expression {
    const start = this.place(this.group(build, column, perTile, v), Index.constant(0)).at(-1)!;
    const count = build.index(Index.constant(this.last).subtract(start));
    return build.select(this.exists(build, column, perTile, v), count, build.constant(0, "i32"));
  }

  /** Whether one lane of a tile's v-th group is a column. */
  has(build: Builder, column: Index, perTile: number, v: number, lane: number): Expression {
    return build.binary(
      "and",
      this.exists(build, column, perTile, v),
      this.laneExists(build, column, perTile, v, lane),
    );
  }

  private exists(build: Builder, column: Index, perTile: number, v: number): Expression {
    return build.within(column.multiply(perTile).add(v), 0, this.groups);
  }

  private laneExists(build: Builder, column: Index, perTile: number, v: number, lane: number): Expression {
    const split = this.place(this.group(build, column, perTile, v), Index.constant(lane));
    return build.within(split[split.length - 1], 0, this.last);
  }
}

/** The last dimensions that an access walks through as through one, and its step along them. */
function mergedTail(
  dimensions: Dimensions,
  elementAt: (at: readonly Index[]) => Expression,
): { from: number; step: number | null } {
  const variables = dimensions.extents.map((extent, i) => new LoopVariable(`n${i}_`, Math.max(2, extent)));
  const element = elementAt(variables.map((variable) => Index.variable(variable)));
  const { node } = element;
  if (node.op !== "load" || node.guard !== null) return { from: Math.max(0, variables.length - 1), step: null };
  let from = variables.length - 1;
  const step = node.index.coefficientOf(variables[from]);
  if (step === null) return { from, step };
  for (let size = dimensions.extents[from]; from > 0; from--) {
    if (node.index.coefficientOf(variables[from - 1]) !== step * size) break;
    size *= dimensions.extents[from - 1];
  }
  return { from, step };
}
