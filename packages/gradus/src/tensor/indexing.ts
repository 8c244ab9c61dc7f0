// Indexing and slicing: NumPy's and PyTorch's basic and advanced indexing, gather and scatter.

import {
  ArgumentError,
  broadcastShapes,
  build,
  DTypeError,
  formatShape,
  normalizeAxis,
  ShapeError,
  sameShape,
  sizeOf,
  stridesOf,
} from "../graph/index.ts";
import { operandNode, where } from "./arithmetic.ts";
import { engine } from "./engine.ts";
import { ReadError } from "./errors.ts";
import { isTensor, nodeOf, type Operand, Tensor } from "./tensor.ts";
import { flip, narrow, reshape, sliceAlong } from "./views.ts";

/** start, stop and step of a slice; `null` where Python leaves one out. Negative steps reverse. */
export class Slice {
  /**
   * @param start where it begins; negative numbers count from the end. Default: at the beginning
   * @param stop where it ends, itself excluded. Default: with the last element
   * @param step from element to element, not 0; negative ones go backwards. Default 1
   */
  constructor(
    readonly start: number | null = null,
    readonly stop: number | null = null,
    readonly step: number | null = null,
  ) {}
}

/** Python's `start:stop:step` for `tensor.index(...)`. */
export function slice(start: number | null = null, stop: number | null = null, step: number | null = null): Slice {
  return new Slice(start, stop, step);
}

/**
 * One entry of an index: a number takes one element and drops the dimension; a `Slice` or its text (`"1:-1"`, `":"`,
 * `"::2"`) a range; `null` adds a dimension; `"..."` stands for all dimensions not named; an integer tensor picks
 * elements; a bool tensor picks those where it is true.
 */
export type IndexEntry = number | Slice | string | null | Tensor;

function parseSlice(text: string): Slice {
  const parts = text.split(":").map((part) => part.trim());
  if (parts.length < 2 || parts.length > 3 || parts.some((part) => !/^-?\d*$/.test(part) || part === "-")) {
    throw new ArgumentError("index", `"${text}" is no slice`, 'Write it like Python: "1:5", ":-1", "::2" or "...".');
  }
  const [start, stop, step] = parts.map((part) => (part === "" ? null : Number(part)));
  return new Slice(start, stop, step ?? null);
}

function applySlice(x: Tensor, axis: number, { start, stop, step }: Slice): Tensor {
  const extent = x.shape[axis];
  const by = step ?? 1;
  if (by === 0 || !Number.isInteger(by)) throw new ArgumentError("index", `a slice's step cannot be ${by}`);
  for (const bound of [start, stop]) {
    if (bound !== null && !Number.isInteger(bound)) throw new ArgumentError("index", `a slice cannot end at ${bound}`);
  }
  const clip = (value: number, low: number, high: number): number => Math.min(high, Math.max(low, value));
  const resolve = (value: number | null, missing: number, low: number, high: number): number =>
    value === null ? missing : clip(value < 0 ? value + extent : value, low, high);
  if (by > 0) return sliceAlong(x, axis, resolve(start, 0, 0, extent), resolve(stop, extent, 0, extent), by);
  // A negative step is the positive one on the reversed dimension.
  const from = resolve(start, extent - 1, -1, extent - 1);
  const to = resolve(stop, -1, -1, extent - 1);
  return sliceAlong(flip(x, axis), axis, extent - 1 - from, Math.max(extent - 1 - from, extent - 1 - to), -by);
}

function checkNumber(value: number, axis: number, extent: number): number {
  if (!Number.isInteger(value) || value < -extent || value >= extent) {
    throw new ArgumentError(
      "index",
      `index ${value} is out of range for dimension ${axis} of size ${extent}`,
      `Use ${-extent} to ${extent - 1}.`,
    );
  }
  return value < 0 ? value + extent : value;
}

function checkMask(mask: Tensor, indexed: readonly number[]): void {
  if (!sameShape(mask.shape, indexed))
    throw new ShapeError("index", [mask.shape, indexed], "a bool tensor must have the shape of what it indexes");
}

/** `x[entries]`. A bool tensor needs its values at once; on a browser's main thread use `maskedSelect`. */
export function index(x: Tensor, entries: readonly IndexEntry[]): Tensor {
  const consumes = (entry: IndexEntry): number => {
    if (entry === null || entry === "...") return 0;
    return isTensor(entry) && entry.dtype === "bool" ? entry.ndim : 1;
  };
  const named = entries.reduce<number>((count, entry) => count + consumes(entry), 0);
  if (named > x.ndim) {
    throw new ArgumentError("index", `${named} dimensions are indexed, the tensor has ${x.ndim}`, "Use fewer entries.");
  }
  if (entries.filter((entry) => entry === "...").length > 1)
    throw new ArgumentError("index", 'there is more than one "..."', "Use one, for all dimensions not named.");
  let result = x;
  let axis = 0;
  const picks: { axis: number; indices: Tensor }[] = [];
  for (const entry of entries) {
    if (entry === "...") axis += x.ndim - named;
    else if (entry === null) result = result.unsqueeze(axis++);
    else if (typeof entry === "number") {
      const at = checkNumber(entry, axis, result.shape[axis]);
      result = narrow(result, axis, at, 1).squeeze(axis);
    } else if (isTensor(entry)) {
      if (entry.dtype === "bool") checkMask(entry, result.shape.slice(axis, axis + entry.ndim));
      const list = entry.dtype === "bool" ? positionsSync(entry) : [entry];
      for (const indices of list) picks.push({ axis: axis++, indices });
    } else {
      result = applySlice(result, axis, typeof entry === "string" ? parseSlice(entry) : entry);
      axis++;
    }
  }
  return picks.length === 0 ? result : pick(result, picks);
}

/** Integer tensors at several dimensions: they broadcast together and pick one element each. */
function pick(x: Tensor, picks: readonly { axis: number; indices: Tensor }[]): Tensor {
  const axes = picks.map(({ axis }) => axis);
  const { flat, shape } = flatIndices(x, picks);
  const others = x.shape.flatMap((_, axis) => (axes.includes(axis) ? [] : [axis]));
  const rest = others.map((axis) => x.shape[axis]);
  const extent = sizeOf(axes.map((axis) => x.shape[axis]));
  const rows = x.permute([...axes, ...others]).reshape([extent, sizeOf(rest)]);
  const spread = build.expand(build.reshape(nodeOf(flat), [sizeOf(shape), 1]), [sizeOf(shape), sizeOf(rest)]);
  const picked = Tensor.of(build.gather(nodeOf(rows), spread, 0)).reshape([...shape, ...rest]);
  // NumPy's rule: the new dimensions stand where the indexed ones were if those are neighbours, else in front.
  const neighbours = axes.every((axis, i) => i === 0 || axis === axes[i - 1] + 1);
  if (!neighbours || axes[0] === 0) return picked;
  const order = [...x.shape.keys()].slice(0, axes[0]).map((_, i) => shape.length + i);
  const after = rest.map((_, i) => shape.length + i).slice(axes[0]);
  return picked.permute([...order, ...shape.map((_, i) => i), ...after]);
}

function flatIndices(
  x: Tensor,
  picks: readonly { axis: number; indices: Tensor }[],
): { flat: Tensor; shape: readonly number[] } {
  const shape = broadcastShapes("index", ...picks.map(({ indices }) => indices.shape));
  const strides = stridesOf(picks.map(({ axis }) => x.shape[axis]));
  let flat: Tensor | null = null;
  picks.forEach(({ axis, indices }, i) => {
    const extent = x.shape[axis];
    if (indices.dtype !== "int32" && indices.dtype !== "uint8")
      throw new DTypeError("index", [indices.dtype], "an index must be an integer or bool tensor");
    const whole = indices.to("int32");
    const positive = where(whole.lt(0), whole.add(extent), whole).expand(shape);
    const term = positive.mul(strides[i]);
    flat = flat === null ? term : flat.add(term);
  });
  return { flat: flat!, shape };
}

/** Where a bool tensor is true: one int32 tensor [count] for each dimension. */
function positions(mask: Tensor, truth: ArrayLike<number>): Tensor[] {
  const strides = stridesOf(mask.shape);
  const found: number[] = [];
  for (let i = 0; i < truth.length; i++) if (truth[i]) found.push(i);
  return mask.shape.map((extent, axis) =>
    Tensor.fromArray(
      Int32Array.from(found, (flat) => Math.floor(flat / strides[axis]) % extent),
      [found.length],
    ),
  );
}

function positionsSync(mask: Tensor): Tensor[] {
  if (engine.hasBackend && !engine.canReadAtOnce(nodeOf(mask))) {
    throw new ReadError(
      `index: how much a bool index of shape ${formatShape(mask.shape)} selects is not known before it is computed, and ` +
        "this thread must not wait for it. Await it first, as in `await mask.data()`, or use `await x.maskedSelect(mask)`, " +
        "`x.maskedFill(mask, value)` or `gd.where`.",
    );
  }
  return positions(mask, mask.dataSync());
}

/** The elements where a mask is true, in one dimension (`torch.masked_select`). */
export async function maskedSelect(x: Tensor, mask: Tensor): Promise<Tensor> {
  const shape = broadcastShapes("maskedSelect", x.shape, mask.shape);
  const whole = mask.to("bool").expand(shape);
  const truth = await whole.data();
  const found = Int32Array.from(Array.from(truth.keys()).filter((i) => truth[i]));
  const flat = Tensor.fromArray(found, [found.length]);
  return Tensor.of(build.gather(nodeOf(reshape(x.expand(shape), [-1])), nodeOf(flat), 0));
}

/** The positions of elements that are not zero, [count, ndim], int32. */
export async function nonzero(x: Tensor): Promise<Tensor> {
  const truth = await x.to("bool").data();
  const columns = positions(x, truth);
  return columns.length === 0 ? Tensor.fromArray(new Int32Array(0), [0, 0]) : Tensor.stack(columns, 1);
}

export function gather(x: Tensor, dim: number, indices: Tensor): Tensor {
  const axis = normalizeAxis("gather", dim, x.ndim);
  if (x.ndim === 0) return gather(x.reshape(1), 0, indices.reshape(-1)).reshape(indices.shape);
  // PyTorch lets the index be shorter than the source in other dimensions.
  let source = x;
  indices.shape.forEach((extent, i) => {
    if (i !== axis && extent < source.shape[i]) source = narrow(source, i, 0, extent);
  });
  return Tensor.of(build.gather(nodeOf(source), nodeOf(indices.to("int32")), axis));
}

export function scatterAdd(x: Tensor, dim: number, indices: Tensor, source: Tensor): Tensor {
  const axis = normalizeAxis("scatterAdd", dim, x.ndim);
  let values = source;
  indices.shape.forEach((extent, i) => {
    if (extent < values.shape[i]) values = narrow(values, i, 0, extent);
  });
  const short = indices.shape.some((extent, i) => i !== axis && extent < x.shape[i]);
  if (!short) return Tensor.of(build.scatterAdd(nodeOf(x), nodeOf(indices.to("int32")), nodeOf(values), axis));
  // Elements outside the index are untouched: adding zeros at place 0 leaves them so.
  const padding = indices.shape.flatMap((extent, i) => [0, i === axis ? 0 : x.shape[i] - extent]);
  const reversed = [...Array(x.ndim).keys()].reverse().flatMap((i) => [padding[2 * i], padding[2 * i + 1]]);
  return scatterAdd(x, axis, indices.to("int32").pad(reversed), values.pad(reversed));
}

/** Whole slices at the positions of a one-dimensional index (`torch.index_select`). */
export function indexSelect(x: Tensor, dim: number, indices: Tensor): Tensor {
  const axis = normalizeAxis("indexSelect", dim, x.ndim);
  return pick(x, [{ axis, indices }]);
}

export function maskedFill(x: Tensor, mask: Tensor, value: Operand): Tensor {
  return where(mask, isTensor(value) ? value.to(x.dtype) : value, x).to(x.dtype);
}

/** A copy of x with `x[entries] = value` (`torch.Tensor.index_put`); later positions win where they repeat. */
export function withIndex(x: Tensor, entries: readonly IndexEntry[], value: Operand): Tensor {
  // Which element each position of x is taken from: its number within the selection, or -1 for x itself.
  const size = sizeOf(x.shape);
  const numbered = Tensor.arange(0, size).reshape(x.shape);
  const chosen = index(numbered, entries);
  const count = sizeOf(chosen.shape);
  if (count === 0) return x;
  const base = build.full(0, [size], "int32");
  const order = build.add(build.iota([count], 0), build.full(1, [count], "int32"));
  const flat = build.reshape(nodeOf(chosen), [count]);
  const advanced = entries.some((entry) => isTensor(entry) && entry.dtype !== "bool");
  const values = build.reshape(operandNode(value, chosen.shape, x.dtype), [count]);
  const marks = Tensor.of(build.scatterAdd(base, flat, order, 0));
  if (!advanced) {
    const from = marks.sub(1).clamp(0, count - 1);
    const placed = Tensor.of(build.gather(values, nodeOf(from), 0)).reshape(x.shape);
    return where(marks.reshape(x.shape).ne(0), placed, x);
  }
  // Repeated positions: the stable sort of the positions puts the last write of each at the end of its run.
  const sorted = Tensor.of(flat).argsort(0);
  const keys = Tensor.of(flat).gather(0, sorted);
  const next = Tensor.cat([keys.narrow(0, 1, count - 1), Tensor.fromArray(Int32Array.of(-1), [1])], 0);
  const last = keys.ne(next).to("int32");
  const winners = Tensor.of(build.scatterAdd(base, nodeOf(keys), nodeOf(sorted.add(1).mul(last)), 0));
  const from = winners.sub(1).clamp(0, count - 1);
  const placed = Tensor.of(build.gather(values, nodeOf(from), 0)).reshape(x.shape);
  return where(winners.reshape(x.shape).ne(0), placed, x);
}
