// From samples to batches (`torch.utils.data.default_collate`): what each sample has at a place is stacked to one tensor.

import { ArgumentError, type DType, isTensor, ShapeError, stack, Tensor, type TypedArray } from "../tensor/index.ts";
import type { HostArray } from "./dataset.ts";

/** What can be stacked: numbers, typed arrays, host arrays, tensors. */
export type Stackable = number | boolean | TypedArray | HostArray | Tensor;

/** The batch of a sample: a list of tensors for a list, an object of tensors for an object, else one tensor. */
export type Batch<Sample> = Sample extends Stackable
  ? Tensor
  : Sample extends readonly unknown[]
    ? { -readonly [K in keyof Sample]: Tensor }
    : Sample extends object
      ? { -readonly [K in keyof Sample]: Tensor }
      : Tensor;

/** A tensor from a host array. */
export function toTensor({ data, shape, dtype }: HostArray): Tensor {
  return Tensor.fromArray(data, shape, dtype);
}

function isHostArray(value: unknown): value is HostArray {
  return typeof value === "object" && value !== null && "data" in value && "shape" in value && !isTensor(value);
}

/** Plain numbers: int32 if all of a batch are whole, as class labels are, else float32. */
function stackNumbers(values: readonly (number | boolean)[]): Tensor {
  const numbers = values.map(Number);
  const dtype: DType = values.every((value) => typeof value === "boolean")
    ? "bool"
    : numbers.every((value) => Number.isInteger(value) && Math.abs(value) < 2 ** 31)
      ? "int32"
      : "float32";
  return Tensor.fromArray(Float64Array.from(numbers), [numbers.length], dtype);
}

function stackArrays(arrays: readonly HostArray[]): Tensor {
  const [first] = arrays;
  const size = first.data.length;
  const result = new (first.data.constructor as new (length: number) => TypedArray)(arrays.length * size);
  arrays.forEach(({ data, shape }, i) => {
    if (shape.join() !== first.shape.join()) {
      throw new ShapeError(
        "collate",
        [first.shape, shape],
        "samples of one batch have other shapes",
        "Crop or pad them in the dataset, or pass a collate function.",
      );
    }
    result.set(data as Float32Array, i * size);
  });
  return toTensor({ data: result, shape: [arrays.length, ...first.shape], dtype: first.dtype });
}

function stackValues(values: readonly unknown[]): Tensor {
  const [first] = values;
  if (typeof first === "number" || typeof first === "boolean") return stackNumbers(values as number[]);
  if (isTensor(first)) return stack(values as Tensor[]);
  if (ArrayBuffer.isView(first)) {
    return stackArrays((values as TypedArray[]).map((data) => ({ data, shape: [data.length] })));
  }
  if (isHostArray(first)) return stackArrays(values as HostArray[]);
  throw new ArgumentError(
    "collate",
    `${String(first)} cannot be made part of a tensor`,
    "Return numbers, typed arrays, { data, shape } or tensors from the dataset, or pass a collate function.",
  );
}

/** Stacks samples place by place. */
export function defaultCollate<Sample>(samples: readonly Sample[]): Batch<Sample> {
  const [first] = samples;
  if (Array.isArray(first)) {
    return first.map((_, i) => stackValues(samples.map((sample) => (sample as unknown[])[i]))) as Batch<Sample>;
  }
  if (
    typeof first === "object" &&
    first !== null &&
    !isTensor(first) &&
    !ArrayBuffer.isView(first) &&
    !isHostArray(first)
  ) {
    const stacked = Object.keys(first).map((name) => [
      name,
      stackValues(samples.map((sample) => (sample as Record<string, unknown>)[name])),
    ]);
    return Object.fromEntries(stacked) as Batch<Sample>;
  }
  return stackValues(samples) as Batch<Sample>;
}
