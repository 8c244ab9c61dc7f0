// Golden cases: what tools/golden_ops.py writes, and calling Gradus as a case says.

import * as gd from "gradus";
import { compositions } from "./compositions.ts";
import { canBlock } from "./device.ts";

type StoredNumber = number | "nan" | "inf" | "-inf";

export interface StoredTensor {
  readonly shape: readonly number[];
  readonly dtype: gd.DType;
  readonly data: readonly StoredNumber[];
}

export interface GoldenCase {
  readonly name: string;
  readonly family: string;
  /** `x.` a method of the first argument, `gd.` a function of Gradus, `graph.` a composition of this suite. */
  readonly op: string;
  /** Arguments as JSON; `{ input: i }` stands for an input tensor, `{ number: "inf" }` for what JSON cannot say. */
  readonly args: readonly unknown[];
  readonly inputs: readonly StoredTensor[];
  readonly outputs: readonly StoredTensor[];
  /** Gradients of sum(w * output) for every float input. Absent where none is defined. */
  readonly gradients?: readonly (readonly StoredNumber[])[];
  /** Gradients of sum(v * gradient). Absent where all are zero or were not asked for. */
  readonly second?: readonly (readonly StoredNumber[])[];
}

const spelled = { nan: Number.NaN, inf: Number.POSITIVE_INFINITY, "-inf": Number.NEGATIVE_INFINITY } as const;

export function numbersOf(stored: readonly StoredNumber[]): number[] {
  return stored.map((value) => (typeof value === "number" ? value : spelled[value]));
}

export function tensorOf({ shape, dtype, data }: StoredTensor, requiresGrad = false): gd.Tensor {
  const flat = gd.tensor(numbersOf(data), { dtype }).reshape(shape);
  return requiresGrad && gd.isFloat(dtype) ? flat.requiresGrad_() : flat;
}

/** Numbers of at most 8 bits between -1 and 1, never 0; the twin of `weighting` in tools/golden_ops.py. */
export function weighting(like: gd.Tensor, multiplier: number, offset: number): gd.Tensor {
  const values = Array.from({ length: like.numel() }, (_, i) => (((i * multiplier + offset) % 128) - 63.5) / 64);
  return gd.tensor(values, { dtype: like.dtype }).reshape(like.shape);
}

function argument(value: unknown, inputs: readonly gd.Tensor[]): unknown {
  if (Array.isArray(value)) return value.map((entry) => argument(entry, inputs));
  if (typeof value !== "object" || value === null) return value;
  if ("input" in value) return inputs[value.input as number];
  if ("number" in value) return spelled[value.number as keyof typeof spelled];
  return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, argument(entry, inputs)]));
}

type Callable = (...args: unknown[]) => unknown;

/** What a case's call gives, as a list of tensors. */
export async function call({ op, args }: GoldenCase, inputs: readonly gd.Tensor[]): Promise<gd.Tensor[]> {
  const [kind, name] = op.split(".");
  // A bool index is read at once, so it has to be computed before where the thread must not block.
  if (!canBlock()) await Promise.all(inputs.map((input) => input.dtype === "bool" && input.data()));
  const given = args.map((value) => argument(value, inputs));
  let result: unknown;
  if (kind === "x") {
    const [receiver, ...rest] = given;
    result = (receiver as unknown as Record<string, Callable>)[name](...rest);
  } else {
    const functions = (kind === "gd" ? gd : compositions) as unknown as Record<string, Callable>;
    result = functions[name](...given);
  }
  const settled = await result;
  if (gd.isTensor(settled)) return [settled];
  if (Array.isArray(settled)) return settled as gd.Tensor[];
  const { values, indices } = settled as gd.ValuesAndIndices;
  return [values, indices];
}

/** The numbers of a result as its dtype holds them: what a value that is only moved must equal. */
export function resultOf({ dtype, data }: StoredTensor): ArrayLike<number> {
  return dtype === "float32" ? Float32Array.from(numbersOf(data)) : numbersOf(data);
}

/** sum over k of sum(weighting_k * tensor_k): a scalar that every element has its own part in; null if none has. */
export function weightedSum(
  tensors: readonly gd.Tensor[],
  multiplier: number,
  offset: number,
  step: number,
): gd.Tensor | null {
  const parts = tensors.flatMap((tensor, k) =>
    tensor.requiresGrad ? [tensor.mul(weighting(tensor, multiplier, offset + step * k)).sum()] : [],
  );
  return parts.length === 0 ? null : parts.reduce((total, part) => total.add(part));
}
