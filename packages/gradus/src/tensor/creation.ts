// Functions that create tensors.

import {
  ArgumentError,
  build,
  checkShape,
  createTypedArray,
  type DType,
  leaf,
  type Node,
  ShapeError,
} from "../graph/index.ts";
import { isTensor, type NestedArray, Tensor } from "./tensor.ts";

/** What every function that creates a tensor takes. */
export interface CreateOptions {
  /** Default: what the function says, mostly float32. */
  readonly dtype?: DType;
  /** Whether gradients are recorded; for float dtypes only. Default false. */
  readonly requiresGrad?: boolean;
}

function finish(result: Tensor, options: CreateOptions): Tensor {
  return options.requiresGrad ? result.requiresGrad_() : result;
}

/** What `gd.tensor` takes besides a tensor: a number or truth value, lists of lists of them, or a typed array. */
export type TensorData =
  | number
  | boolean
  | readonly TensorData[]
  | Float32Array
  | Float64Array
  | Int32Array
  | Uint8Array
  | Uint8ClampedArray;

function isList(value: TensorData): value is Exclude<TensorData, number | boolean> {
  return typeof value === "object";
}

function shapeOfNested(values: TensorData): number[] {
  if (!isList(values)) return [];
  return values.length === 0 ? [0] : [values.length, ...shapeOfNested(values[0])];
}

function flattenNested(values: TensorData, shape: readonly number[], into: number[]): void {
  if (!isList(values)) {
    if (shape.length > 0) throw ragged(shape, []);
    into.push(Number(values));
    return;
  }
  if (values.length !== shape[0]) throw ragged(shape, shapeOfNested(values));
  for (const value of values) flattenNested(value, shape.slice(1), into);
}

const ragged = (expected: readonly number[], found: readonly number[]): ShapeError =>
  new ShapeError("tensor", [expected, found], "the nested arrays are ragged", "All rows must have one length.");

function firstOf(values: TensorData): number | boolean | undefined {
  return isList(values) ? (values.length === 0 ? undefined : firstOf(values[0])) : values;
}

/**
 * A tensor from numbers, nested arrays or a typed array, copied (`torch.tensor`).
 * dtype: float32 for plain numbers, bool for booleans, a typed array's own.
 * @throws ShapeError if the arrays are ragged
 */
export function tensor(data: TensorData | NestedArray | Tensor, options: CreateOptions = {}): Tensor {
  if (isTensor(data)) return finish(options.dtype ? data.detach().to(options.dtype) : data.detach(), options);
  const values = data as TensorData;
  if (ArrayBuffer.isView(values)) {
    const array = values instanceof Uint8ClampedArray ? new Uint8Array(values) : values;
    return finish(Tensor.fromArray(array, [array.length], options.dtype), options);
  }
  const shape = shapeOfNested(values);
  const flat: number[] = [];
  flattenNested(values, shape, flat);
  const dtype = options.dtype ?? (typeof firstOf(values) === "boolean" ? "bool" : "float32");
  const array = createTypedArray(dtype, flat.length);
  array.set(dtype === "bool" ? flat.map((value) => (value === 0 ? 0 : 1)) : flat);
  return finish(Tensor.fromArray(array, shape, dtype), options);
}

/** A number that may change from step to step without a new program, such as a learning rate. */
export function scalar(value: number, options: { dtype?: DType } = {}): Tensor {
  return Tensor.of(leaf("scalar", { value }, { shape: [], dtype: options.dtype ?? "float32" }) as unknown as Node);
}

/** A tensor of the given shape with one value everywhere, float32 unless `dtype` says otherwise (`torch.full`). */
export function full(shape: readonly number[], value: number, options: CreateOptions = {}): Tensor {
  checkShape("full", shape);
  return finish(Tensor.of(build.full(value, [...shape], options.dtype ?? "float32")), options);
}

/** Zeros of the given shape, float32 by default (`torch.zeros`). */
export function zeros(shape: readonly number[], options: CreateOptions = {}): Tensor {
  return full(shape, 0, options);
}

/** Ones of the given shape, float32 by default (`torch.ones`). */
export function ones(shape: readonly number[], options: CreateOptions = {}): Tensor {
  return full(shape, 1, options);
}

/** One value everywhere, with the shape and, by default, the dtype of another tensor (`torch.full_like`). */
export function fullLike(like: Tensor, value: number, options: CreateOptions = {}): Tensor {
  return full(like.shape, value, { dtype: like.dtype, ...options });
}

/** Zeros with the shape and, by default, the dtype of another tensor (`torch.zeros_like`). */
export function zerosLike(like: Tensor, options: CreateOptions = {}): Tensor {
  return fullLike(like, 0, options);
}

/** Ones with the shape and, by default, the dtype of another tensor (`torch.ones_like`). */
export function onesLike(like: Tensor, options: CreateOptions = {}): Tensor {
  return fullLike(like, 1, options);
}

/** start, start + step, ... before end: int32 if all are integers, else float32 (`torch.arange`). */
export function arange(start: number, end?: number, step = 1, options: CreateOptions = {}): Tensor {
  const [from, to] = end === undefined ? [0, start] : [start, end];
  if (step === 0 || ![from, to, step].every(Number.isFinite))
    throw new ArgumentError("arange", `from ${from} to ${to} by ${step} there is no end`, "Give a step that is not 0.");
  const result = Tensor.arange(from, to, step, options.dtype);
  return finish(options.dtype ? result.to(options.dtype) : result, options);
}

/** `steps` numbers from start to end, both included. */
export function linspace(start: number, end: number, steps: number, options: CreateOptions = {}): Tensor {
  if (!(Number.isInteger(steps) && steps >= 0)) throw new ArgumentError("linspace", `${steps} is no count`);
  const dtype = options.dtype ?? "float32";
  const array = createTypedArray(dtype, steps);
  // From both ends towards the middle, so that both ends are exact.
  const step = steps > 1 ? (end - start) / (steps - 1) : 0;
  for (let i = 0; i < steps; i++) array[i] = i < steps / 2 ? start + i * step : end - (steps - 1 - i) * step;
  return finish(Tensor.fromArray(array, [steps], dtype), options);
}

/** Ones on the diagonal. */
export function eye(rows: number, columns = rows, options: CreateOptions = {}): Tensor {
  const shape = [rows, columns];
  checkShape("eye", shape);
  const diagonal = build.compare("eq", build.iota(shape, 0), build.iota(shape, 1));
  return finish(Tensor.of(build.cast(diagonal, options.dtype ?? "float32")), options);
}

/** One 1 in each row of `classes` zeros, float32 (`torch.nn.functional.one_hot`, as floats). */
export function oneHot(labels: Tensor, classes: number): Tensor {
  return labels.to("int32").unsqueeze(-1).eq(Tensor.arange(0, classes)).to("float32");
}
