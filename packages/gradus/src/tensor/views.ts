// Operations that rearrange a tensor without computing: a view is a value here, nothing is shared.

import {
  ArgumentError,
  build,
  checkShape,
  normalizeAxes,
  normalizeAxis,
  promote,
  ShapeError,
  sizeOf,
  windowCount,
} from "../graph/index.ts";
import { nodeOf, Tensor } from "./tensor.ts";

/** A shape in which one dimension may be -1: as many as are left. */
export function inferShape(operation: string, from: readonly number[], to: readonly number[]): number[] {
  const unknown = to.indexOf(-1);
  checkShape(
    operation,
    to.filter((extent) => extent !== -1),
  );
  if (unknown < 0) return [...to];
  const known = to.reduce((product, extent, axis) => (axis === unknown ? product : product * extent), 1);
  const size = sizeOf(from);
  if (to.lastIndexOf(-1) !== unknown || known === 0 || size % known !== 0) {
    throw new ShapeError(
      operation,
      [from, to],
      `${size} elements cannot be laid out so`,
      "At most one dimension may be -1, and the others must divide the number of elements.",
    );
  }
  return to.map((extent, axis) => (axis === unknown ? size / known : extent));
}

export function reshape(x: Tensor, shape: readonly number[]): Tensor {
  return Tensor.of(build.reshape(nodeOf(x), inferShape("reshape", x.shape, shape)));
}

export function permute(x: Tensor, dims: readonly number[]): Tensor {
  const axes = dims.map((dim) => normalizeAxis("permute", dim, x.ndim));
  if (axes.length !== x.ndim || new Set(axes).size !== x.ndim) {
    throw new ArgumentError(
      "permute",
      `[${dims.join(", ")}] does not name each of ${x.ndim} dimensions once`,
      "List every dimension exactly once.",
    );
  }
  return Tensor.of(build.permute(nodeOf(x), axes));
}

export function transpose(x: Tensor, dim0: number, dim1: number): Tensor {
  const axes = x.shape.map((_, axis) => axis);
  const first = normalizeAxis("transpose", dim0, x.ndim);
  const second = normalizeAxis("transpose", dim1, x.ndim);
  if (x.ndim === 0) return x;
  [axes[first], axes[second]] = [axes[second], axes[first]];
  return permute(x, axes);
}

export function unsqueeze(x: Tensor, dim: number): Tensor {
  const axis = normalizeAxis("unsqueeze", dim, x.ndim + 1);
  return reshape(x, [...x.shape.slice(0, axis), 1, ...x.shape.slice(axis)]);
}

export function squeeze(x: Tensor, dim: number | readonly number[] | undefined): Tensor {
  const axes = normalizeAxes("squeeze", dim, x.ndim);
  return reshape(
    x,
    x.shape.filter((extent, axis) => extent !== 1 || !axes.includes(axis)),
  );
}

export function flatten(x: Tensor, startDim: number, endDim: number): Tensor {
  if (x.ndim === 0) return reshape(x, [1]);
  const start = normalizeAxis("flatten", startDim, x.ndim);
  const end = normalizeAxis("flatten", endDim, x.ndim);
  if (start > end) throw new ArgumentError("flatten", `it starts at dimension ${start}, after its end ${end}`);
  return reshape(x, [...x.shape.slice(0, start), sizeOf(x.shape.slice(start, end + 1)), ...x.shape.slice(end + 1)]);
}

export function unflatten(x: Tensor, dim: number, sizes: readonly number[]): Tensor {
  const axis = normalizeAxis("unflatten", dim, x.ndim);
  const parts = inferShape("unflatten", [x.shape[axis]], sizes);
  return reshape(x, [...x.shape.slice(0, axis), ...parts, ...x.shape.slice(axis + 1)]);
}

/** Repeats dimensions of size 1; -1 keeps a dimension as it is. */
export function expand(x: Tensor, shape: readonly number[]): Tensor {
  const leading = shape.length - x.ndim;
  if (leading < 0) {
    throw new ShapeError("expand", [x.shape, shape], `${x.ndim} dimensions cannot become ${shape.length}`);
  }
  const target = shape.map((extent, axis) => (extent === -1 && axis >= leading ? x.shape[axis - leading] : extent));
  checkShape("expand", target);
  return Tensor.of(build.broadcastTo(nodeOf(x), target));
}

/** The tensor, copied `repeats` times along each dimension (`torch.Tensor.repeat`). */
export function repeat(x: Tensor, repeats: readonly number[]): Tensor {
  const leading = repeats.length - x.ndim;
  if (leading < 0) {
    throw new ShapeError("repeat", [x.shape, repeats], "there must be a count for every dimension");
  }
  const shape = [...new Array<number>(leading).fill(1), ...x.shape];
  const spaced = reshape(
    x,
    shape.flatMap((extent) => [1, extent]),
  );
  const copied = expand(
    spaced,
    shape.flatMap((extent, axis) => [repeats[axis], extent]),
  );
  return reshape(
    copied,
    shape.map((extent, axis) => extent * repeats[axis]),
  );
}

/** Elements start, start + step, ... before stop along one dimension. */
export function sliceAlong(x: Tensor, dim: number, start: number, stop: number, step = 1): Tensor {
  const axis = normalizeAxis("slice", dim, x.ndim);
  return Tensor.of(
    build.slice(nodeOf(x), {
      start: x.shape.map((_, i) => (i === axis ? start : 0)),
      stop: x.shape.map((extent, i) => (i === axis ? stop : extent)),
      step: x.shape.map((_, i) => (i === axis ? step : 1)),
    }),
  );
}

export function narrow(x: Tensor, dim: number, start: number, length: number): Tensor {
  const axis = normalizeAxis("narrow", dim, x.ndim);
  const extent = x.shape[axis];
  const from = start < 0 ? start + extent : start;
  if (!(Number.isInteger(start) && Number.isInteger(length) && from >= 0 && length >= 0 && from + length <= extent)) {
    throw new ArgumentError(
      "narrow",
      `${length} elements from ${start} do not lie in dimension ${dim}, which has ${extent}`,
      "Keep start + length within the dimension.",
    );
  }
  return sliceAlong(x, axis, from, from + length);
}

export function flip(x: Tensor, dims: number | readonly number[]): Tensor {
  return Tensor.of(build.flip(nodeOf(x), normalizeAxes("flip", dims, x.ndim)));
}

/** Elements shifted along a dimension, those that leave coming in at the other end. */
export function roll(x: Tensor, shift: number, dim: number): Tensor {
  const axis = normalizeAxis("roll", dim, x.ndim);
  if (!Number.isInteger(shift)) throw new ArgumentError("roll", `${shift} is no number of places`, "Use an integer.");
  if (x.ndim === 0) return x;
  const extent = x.shape[axis];
  const by = extent === 0 ? 0 : ((shift % extent) + extent) % extent;
  return by === 0 ? x : cat([narrow(x, axis, extent - by, by), narrow(x, axis, 0, extent - by)], axis);
}

/**
 * Pads as `torch.nn.functional.pad` in mode "constant" does.
 * @param padding pairs (before, after), the last dimension first; negative amounts crop
 */
export function pad(x: Tensor, padding: readonly number[], value: number): Tensor {
  if (padding.length % 2 !== 0 || padding.length > 2 * x.ndim || !padding.every(Number.isInteger)) {
    throw new ArgumentError(
      "pad",
      `${padding.length} amounts, ${padding.join(", ")}, do not fit ${x.ndim} dimensions`,
      "Give a pair of integers for each dimension, the last one first.",
    );
  }
  const low = x.shape.map(() => 0);
  const high = x.shape.map(() => 0);
  for (let pair = 0; pair < padding.length / 2; pair++) {
    low[x.ndim - 1 - pair] = padding[2 * pair];
    high[x.ndim - 1 - pair] = padding[2 * pair + 1];
  }
  x.shape.forEach((extent, axis) => {
    if (Math.max(0, -low[axis]) + Math.max(0, -high[axis]) > extent)
      throw new ShapeError("pad", [x.shape], `cropping ${-low[axis]} and ${-high[axis]} leaves less than nothing`);
  });
  const cropped = build.slice(nodeOf(x), {
    start: low.map((amount) => Math.max(0, -amount)),
    stop: x.shape.map((extent, axis) => extent - Math.max(0, -high[axis])),
    step: x.shape.map(() => 1),
  });
  return Tensor.of(
    build.pad(cropped, {
      low: low.map((amount) => Math.max(0, amount)),
      high: high.map((amount) => Math.max(0, amount)),
      interior: x.shape.map(() => 0),
      value,
    }),
  );
}

/** All slices of `size` along a dimension, `step` apart, as a new last dimension (`torch.Tensor.unfold`). */
export function unfold(x: Tensor, dim: number, size: number, step: number): Tensor {
  const axis = normalizeAxis("unfold", dim, x.ndim);
  if (!(Number.isInteger(size) && Number.isInteger(step) && size >= 1 && step >= 1))
    throw new ArgumentError("unfold", `slices of ${size} every ${step} are none`, "Use integers from 1.");
  if (windowCount(x.shape[axis], size, step, 1) < 1) {
    throw new ShapeError("unfold", [x.shape], `a slice of ${size} does not fit into dimension ${dim}`);
  }
  return Tensor.of(build.window(nodeOf(x), { axes: [axis], size: [size], stride: [step], dilation: [1] }));
}

/**
 * Tensors joined along a dimension; the others have to agree, and dtypes are promoted (`torch.cat`).
 * @throws ArgumentError for no tensors and for scalars
 */
export function cat(tensors: readonly Tensor[], dim = 0): Tensor {
  if (tensors.length === 0)
    throw new ArgumentError("cat", "there is nothing to concatenate", "Pass one tensor or more.");
  const axis = normalizeAxis("cat", dim, tensors[0].ndim);
  if (tensors.some(({ ndim }) => ndim === 0))
    throw new ArgumentError("cat", "a tensor without dimensions has none to be joined along", "Use stack().");
  const dtype = tensors.reduce((common, tensor) => promote(common, tensor.dtype), tensors[0].dtype);
  return Tensor.of(
    build.concat(
      tensors.map((tensor) => build.cast(nodeOf(tensor), dtype)),
      axis,
    ),
  );
}

/**
 * Tensors of one shape joined along a new dimension, which stands at `dim` afterwards (`torch.stack`).
 * @throws ShapeError if the shapes differ, ArgumentError for no tensors
 */
export function stack(tensors: readonly Tensor[], dim = 0): Tensor {
  if (tensors.length === 0) throw new ArgumentError("stack", "there is nothing to stack", "Pass one tensor or more.");
  for (const tensor of tensors) {
    if (tensor.shape.join() !== tensors[0].shape.join())
      throw new ShapeError("stack", [tensors[0].shape, tensor.shape], "the tensors must have one shape");
  }
  const axis = normalizeAxis("stack", dim, tensors[0].ndim + 1);
  return cat(
    tensors.map((tensor) => unsqueeze(tensor, axis)),
    axis,
  );
}

/** @param size the length of every piece (the last may be shorter), or a list of lengths */
export function split(x: Tensor, size: number | readonly number[], dim: number): Tensor[] {
  const axis = normalizeAxis("split", dim, x.ndim);
  const extent = x.shape[axis];
  if (typeof size === "number" && !(Number.isInteger(size) && size >= 1))
    throw new ArgumentError("split", `pieces of ${size} are none`);
  const lengths =
    typeof size === "number"
      ? Array.from({ length: Math.ceil(extent / size) }, (_, i) => Math.min(size, extent - i * size))
      : size;
  const total = lengths.reduce((sum, length) => sum + length, 0);
  if (total !== extent) {
    throw new ArgumentError("split", `the lengths add up to ${total}, dimension ${dim} has ${extent}`);
  }
  let start = 0;
  return lengths.map((length) => {
    const piece = narrow(x, axis, start, length);
    start += length;
    return piece;
  });
}

export function chunk(x: Tensor, chunks: number, dim: number): Tensor[] {
  const axis = normalizeAxis("chunk", dim, x.ndim);
  if (!(Number.isInteger(chunks) && chunks >= 1)) throw new ArgumentError("chunk", `${chunks} chunks are none`);
  return split(x, Math.max(1, Math.ceil(x.shape[axis] / chunks)), axis);
}
