// Random programs of tensor operations that mean something whatever numbers drive them: an instruction takes what it
// finds among the values so far, so any list of instructions is a program, and a shorter list is one too (which is how
// fast-check shrinks).
//
// Values are kept tame so that two devices must agree on them. Every value carries a bound on its magnitude, and is
// scaled down by a power of two when the bound grows. Inputs are multiples of 1/8, and a value remembers for how many
// binary digits behind the point it is an exact multiple; while bound and digits fit a float32 it is exact, in any order
// of summation. Operations that jump (comparisons, floor, maxima, sorting) take exact values only: ties are then true
// ties, and no rounding decides a branch. Smooth functions take any value.

import * as gd from "gradus";
import { compositions } from "./compositions.ts";

/** An instruction: what to do, and numbers that its choices are made by. */
export interface Instruction {
  readonly kind: string;
  readonly numbers: readonly number[];
}

export interface Value {
  readonly name: string;
  readonly tensor: gd.Tensor;
  /** No element is larger. */
  readonly bound: number;
  /** Elements are multiples of 2^-digits; null where that is not known or would not fit a float32. */
  readonly digits: number | null;
}

const maximumSize = 300;
const maximumBound = 64;
/** Bits that an exact value may take: one less than float32 holds, so that halves fit too. */
const exactBits = 22;

const sizeOf = (shape: readonly number[]): number => shape.reduce((size, extent) => size * extent, 1);

/** A shape with extents halved, the largest first, until it is small enough. */
function limited(shape: readonly number[], limit = maximumSize): number[] {
  const result = [...shape];
  while (sizeOf(result) > limit) {
    const largest = result.indexOf(Math.max(...result));
    result[largest] = Math.ceil(result[largest] / 2);
  }
  return result;
}

function broadcast(a: readonly number[], b: readonly number[]): number[] | null {
  const rank = Math.max(a.length, b.length);
  const result: number[] = [];
  for (let axis = 1; axis <= rank; axis++) {
    const [x, y] = [a[a.length - axis] ?? 1, b[b.length - axis] ?? 1];
    if (x !== y && x !== 1 && y !== 1) return null;
    result.unshift(Math.max(x, y));
  }
  return sizeOf(result) <= maximumSize ? result : null;
}

/** Makes choices from an instruction's numbers, round and round. */
class Chooser {
  private next = 0;
  constructor(private readonly numbers: readonly number[]) {}

  /** An integer from 0 up to but excluding `count`. */
  below(count: number): number {
    return this.numbers[this.next++ % this.numbers.length] % count;
  }
  between(low: number, high: number): number {
    return low + this.below(high - low + 1);
  }
  of<T>(choices: readonly T[]): T {
    return choices[this.below(choices.length)];
  }
  /** An order of 0 ... count - 1. */
  order(count: number): number[] {
    const left = Array.from({ length: count }, (_, i) => i);
    return Array.from({ length: count }, () => left.splice(this.below(left.length), 1)[0]);
  }
}

export class ProgramBuilder {
  readonly values: Value[] = [];
  readonly leaves: gd.Tensor[] = [];
  readonly lines: string[] = [];

  /** Multiples of 1/8 between -2 and 2, different for every leaf. */
  leaf(shape: readonly number[], requiresGrad = true): Value {
    const stream = this.leaves.length * 1000003;
    const data = Array.from({ length: sizeOf(shape) }, (_, i) => {
      const mixed = Math.imul((stream + i) ^ ((stream + i) >>> 7), 0x9e3779b1) >>> 0;
      return ((mixed >>> 9) % 33) / 8 - 2;
    });
    const tensor = gd.tensor(data).reshape(shape);
    if (requiresGrad) tensor.requiresGrad_();
    this.leaves.push(tensor);
    return this.push(`input(${JSON.stringify(shape)}, requiresGrad=${requiresGrad})`, tensor, 2, 3);
  }

  push(text: string, tensor: gd.Tensor, bound: number, digits: number | null): Value {
    let [result, limit, places, written] = [tensor, bound, digits, text];
    if (gd.isFloat(tensor.dtype) && bound > maximumBound) {
      const halvings = Math.ceil(Math.log2(bound / maximumBound));
      result = result.mul(2 ** -halvings);
      limit *= 2 ** -halvings;
      if (places !== null) places += halvings;
      written += `.mul(2 ** -${halvings})`;
    }
    if (places !== null && Math.log2(Math.max(limit, 2 ** -places)) + places > exactBits) places = null;
    const value = { name: `v${this.values.length}`, tensor: result, bound: limit, digits: places };
    this.values.push(value);
    const facts = `${result.dtype}[${result.shape.join(", ")}] |x| <= ${limit.toPrecision(3)}`;
    this.lines.push(`${value.name} = ${written}  // ${facts}${places === null ? "" : ", exact"}`);
    return value;
  }

  any(choose: Chooser): Value {
    return this.values[this.values.length - 1 - (choose.below(3) % this.values.length)];
  }

  /** As float32. */
  float(value: Value): Value {
    if (value.tensor.dtype === "float32") return value;
    return this.push(`${value.name}.to("float32")`, value.tensor.to("float32"), value.bound, value.digits);
  }

  anyFloat(choose: Chooser): Value {
    return this.float(this.any(choose));
  }

  /** A float that is exact: the chosen one, or the latest. */
  exact(choose: Chooser): Value {
    const chosen = this.any(choose);
    if (chosen.digits !== null) return this.float(chosen);
    const known = this.values.filter((value) => value.digits !== null);
    return this.float(known[known.length - 1]);
  }

  /** A float that broadcasts with x; exact where that is asked for. */
  partner(x: Value, choose: Chooser, exact = false): Value {
    const fits = this.values.filter(
      (value) =>
        value.tensor.dtype === "float32" &&
        (!exact || value.digits !== null) &&
        broadcast(x.tensor.shape, value.tensor.shape) !== null,
    );
    if (fits.length === 0) return this.float(x);
    const chosen = choose.of(fits);
    if (chosen.tensor.ndim === 0 || choose.below(3) > 0) return chosen;
    // A row of it: broadcasting along a dimension of size 1, or along one that is missing.
    const dim = choose.below(chosen.tensor.ndim);
    if (dim === 0 && choose.below(2) === 0) {
      return this.push(`${chosen.name}.select(0, -1)`, chosen.tensor.select(0, -1), chosen.bound, chosen.digits);
    }
    const row = chosen.tensor.narrow(dim, 0, 1);
    return this.push(`${chosen.name}.narrow(${dim}, 0, 1)`, row, chosen.bound, chosen.digits);
  }

  run({ kind, numbers }: Instruction): void {
    instructions[kind](this, new Chooser(numbers));
  }

  /** The last three values, and the latest that has a gradient if none of them has. */
  get outputs(): Value[] {
    const last = this.values.slice(-3);
    if (last.some(({ tensor }) => tensor.requiresGrad)) return last;
    return [...last, ...this.values.filter(({ tensor }) => tensor.requiresGrad).slice(-1)];
  }
}

const both = (a: number | null, b: number | null, combine: (a: number, b: number) => number): number | null =>
  a === null || b === null ? null : combine(a, b);
const listed = (values: readonly unknown[]): string => `[${values.join(", ")}]`;

interface SmoothFunction {
  /** What is done to x before, so that the function is defined and tame. */
  readonly text: string;
  readonly apply: (x: gd.Tensor) => gd.Tensor;
  readonly bound: (bound: number) => number;
  /** Larger inputs are squeezed by tanh first. */
  readonly limit?: number;
}

const smoothFunctions: readonly SmoothFunction[] = [
  { text: ".sin()", apply: (x) => x.sin(), bound: () => 1 },
  { text: ".cos()", apply: (x) => x.cos(), bound: () => 1 },
  { text: ".tanh()", apply: (x) => x.tanh(), bound: () => 1 },
  { text: ".sigmoid()", apply: (x) => x.sigmoid(), bound: () => 1 },
  { text: ".erf()", apply: (x) => x.erf(), bound: () => 1 },
  { text: ".exp()", apply: (x) => x.exp(), bound: Math.exp, limit: 3 },
  { text: ".expm1()", apply: (x) => x.expm1(), bound: Math.exp, limit: 3 },
  { text: ".square().add(1).log()", apply: (x) => x.square().add(1).log(), bound: (b) => Math.log(b * b + 1) },
  { text: ".square().log1p()", apply: (x) => x.square().log1p(), bound: (b) => Math.log1p(b * b) },
  { text: ".square().add(0.5).sqrt()", apply: (x) => x.square().add(0.5).sqrt(), bound: (b) => b + 1 },
  { text: ".square().add(0.5).rsqrt()", apply: (x) => x.square().add(0.5).rsqrt(), bound: () => 2 },
  { text: ".square().add(1).reciprocal()", apply: (x) => x.square().add(1).reciprocal(), bound: () => 1 },
  {
    text: ".square().add(0.5).pow(1.25)",
    apply: (x) => x.square().add(0.5).pow(1.25),
    bound: (b) => (b * b + 1) ** 1.25,
  },
];

/** Functions that jump or bend: exact in, exact out. */
const kinks: readonly { text: string; apply: (x: gd.Tensor) => gd.Tensor; bound: number; digits: "same" | 0 }[] = [
  { text: ".abs()", apply: (x) => x.abs(), bound: 0, digits: "same" },
  { text: ".relu()", apply: (x) => x.relu(), bound: 0, digits: "same" },
  { text: ".clamp(-1, 1.5)", apply: (x) => x.clamp(-1, 1.5), bound: 0, digits: "same" },
  { text: ".sign()", apply: (x) => x.sign(), bound: 1, digits: 0 },
  { text: ".floor()", apply: (x) => x.floor(), bound: 1, digits: 0 },
  { text: ".ceil()", apply: (x) => x.ceil(), bound: 1, digits: 0 },
  { text: ".round()", apply: (x) => x.round(), bound: 1, digits: 0 },
  { text: ".trunc()", apply: (x) => x.trunc(), bound: 1, digits: 0 },
];

const comparisons = ["eq", "ne", "lt", "le", "gt", "ge"] as const;

type Meaning = (program: ProgramBuilder, choose: Chooser) => void;

/** Every kind of instruction, the simplest first: fast-check shrinks towards them. */
export const instructions: { readonly [kind: string]: Meaning } = {
  add: (p, choose) => {
    const a = p.anyFloat(choose);
    const b = p.partner(a, choose);
    const digits = both(a.digits, b.digits, Math.max);
    if (choose.below(2) === 0) p.push(`${a.name}.add(${b.name})`, a.tensor.add(b.tensor), a.bound + b.bound, digits);
    else p.push(`${a.name}.sub(${b.name})`, a.tensor.sub(b.tensor), a.bound + b.bound, digits);
  },
  multiply: (p, choose) => {
    const a = p.anyFloat(choose);
    const b = p.partner(a, choose);
    const digits = both(a.digits, b.digits, (x, y) => x + y);
    p.push(`${a.name}.mul(${b.name})`, a.tensor.mul(b.tensor), a.bound * b.bound, digits);
  },
  scalarArithmetic: (p, choose) => {
    const a = p.anyFloat(choose);
    const value = choose.of([0.5, -2, 3]);
    const digits = a.digits === null ? null : a.digits + 1;
    if (choose.below(2) === 0) p.push(`${a.name}.mul(${value})`, a.tensor.mul(value), a.bound * 3, digits);
    else p.push(`${a.name}.rsub(${value})`, a.tensor.rsub(value), a.bound + 3, digits);
  },
  smooth: (p, choose) => {
    let x = p.anyFloat(choose);
    const fn = choose.of(smoothFunctions);
    if (x.bound > (fn.limit ?? 16)) x = p.push(`${x.name}.tanh()`, x.tensor.tanh(), 1, null);
    p.push(`${x.name}${fn.text}`, fn.apply(x.tensor), fn.bound(x.bound), null);
  },
  divide: (p, choose) => {
    const a = p.anyFloat(choose);
    const b = p.partner(a, choose);
    const quotient = a.tensor.div(b.tensor.square().add(0.5));
    p.push(`${a.name}.div(${b.name}.square().add(0.5))`, quotient, a.bound * 2, null);
  },
  power: (p, choose) => {
    const a = p.anyFloat(choose);
    const b = p.partner(a, choose);
    const base = p.push(`${a.name}.tanh().square().add(0.5)`, a.tensor.tanh().square().add(0.5), 1.5, null);
    const exponent = p.push(`${b.name}.cos().mul(3)`, b.tensor.cos().mul(3), 3, null);
    p.push(`${base.name}.pow(${exponent.name})`, base.tensor.pow(exponent.tensor), 8, null);
  },
  kink: (p, choose) => {
    const x = p.exact(choose);
    const fn = choose.of(kinks);
    const digits = fn.digits === "same" ? Math.max(x.digits!, 1) : 0;
    p.push(`${x.name}${fn.text}`, fn.apply(x.tensor), Math.max(x.bound + fn.bound, 1.5), digits);
  },
  extremum: (p, choose) => {
    const a = p.exact(choose);
    const b = p.partner(a, choose, true);
    const name = choose.of(["maximum", "minimum"] as const);
    const digits = Math.max(a.digits!, b.digits!);
    p.push(`${a.name}.${name}(${b.name})`, a.tensor[name](b.tensor), Math.max(a.bound, b.bound), digits);
  },
  compare: (p, choose) => {
    const a = p.exact(choose);
    const b = p.partner(a, choose, true);
    const name = choose.of(comparisons);
    p.push(`${a.name}.${name}(${b.name})`, a.tensor[name](b.tensor), 1, 0);
  },
  where: (p, choose) => {
    const a = p.exact(choose);
    const b = p.partner(a, choose, true);
    const name = choose.of(comparisons);
    const mask = p.push(`${a.name}.${name}(${b.name})`, a.tensor[name](b.tensor), 1, 0);
    const x = p.partner(mask, choose);
    const shape = broadcast(mask.tensor.shape, x.tensor.shape);
    if (shape === null) return;
    const y = p.partner({ ...mask, tensor: mask.tensor.expand(shape) }, choose);
    const text = `gd.where(${mask.name}, ${x.name}, ${y.name})`;
    const bound = Math.max(x.bound, y.bound);
    p.push(text, gd.where(mask.tensor, x.tensor, y.tensor), bound, both(x.digits, y.digits, Math.max));
  },
  integers: (p, choose) => {
    const x = p.exact(choose);
    const dtype = choose.of(["int32", "uint8"] as const);
    const whole = p.push(`${x.name}.mul(2).floor().to("int32")`, x.tensor.mul(2).floor().int(), 2 * x.bound + 1, 0);
    if (dtype === "uint8") p.push(`${whole.name}.to("uint8")`, whole.tensor.to("uint8"), 255, 0);
    const a = choose.below(2) === 0 ? whole : p.values[p.values.length - 1];
    const by = choose.of([3, -5, 7]);
    const operations = {
      add: () => a.tensor.add(whole.tensor),
      mul: () => a.tensor.mul(whole.tensor).mul(by),
      floorDivide: () => a.tensor.int().floorDivide(by),
      remainder: () => a.tensor.int().remainder(by),
      maximum: () => a.tensor.int().maximum(by),
      lt: () => a.tensor.lt(whole.tensor),
    };
    const name = choose.of(Object.keys(operations) as (keyof typeof operations)[]);
    p.push(`${a.name}.int().${name}(${whole.name} or ${by})`, operations[name](), a.bound * whole.bound * 7 + 7, 0);
  },

  reshape: (p, choose) => {
    const x = p.any(choose);
    const factors: number[] = [];
    let rest = x.tensor.numel();
    for (let prime = 2; rest > 1; prime++) for (; rest % prime === 0; rest /= prime) factors.push(prime);
    const shape = Array.from({ length: choose.between(factors.length === 0 ? 0 : 1, 4) }, () => 1);
    for (const factor of factors) shape[choose.below(shape.length)] *= factor;
    p.push(`${x.name}.reshape(${listed(shape)})`, x.tensor.reshape(shape), x.bound, x.digits);
  },
  permute: (p, choose) => {
    const x = p.any(choose);
    const axes = choose.order(x.tensor.ndim);
    p.push(`${x.name}.permute(${listed(axes)})`, x.tensor.permute(axes), x.bound, x.digits);
  },
  unsqueeze: (p, choose) => {
    const x = p.any(choose);
    if (x.tensor.ndim >= 4) return;
    const dim = choose.below(x.tensor.ndim + 1);
    p.push(`${x.name}.unsqueeze(${dim})`, x.tensor.unsqueeze(dim), x.bound, x.digits);
  },
  expand: (p, choose) => {
    const x = p.any(choose);
    const shape = x.tensor.shape.map((extent) => (extent === 1 ? choose.between(1, 4) : extent));
    if (x.tensor.ndim < 4 && choose.below(2) === 0) shape.unshift(choose.between(1, 3));
    if (sizeOf(shape) > maximumSize) return;
    p.push(`${x.name}.expand(${listed(shape)})`, x.tensor.expand(shape), x.bound, x.digits);
  },
  slice: (p, choose) => {
    const x = p.any(choose);
    if (x.tensor.ndim === 0) return;
    const dim = choose.below(x.tensor.ndim);
    const extent = x.tensor.shape[dim];
    const start = choose.below(extent);
    const stop = choose.between(start + 1, extent);
    const step = choose.between(1, 3);
    const text = `${x.name}.slice(${dim}, ${start}, ${stop}, ${step})`;
    p.push(text, x.tensor.slice(dim, start, stop, step), x.bound, x.digits);
  },
  flip: (p, choose) => {
    const x = p.any(choose);
    const dims = [...x.tensor.shape.keys()].filter(() => choose.below(2) === 0);
    p.push(`${x.name}.flip(${listed(dims)})`, x.tensor.flip(dims), x.bound, x.digits);
  },
  pad: (p, choose) => {
    const x = p.any(choose);
    const amounts = [...x.tensor.shape].reverse().flatMap((extent) => {
      const [low, high] = [choose.between(-1, 2), choose.between(-1, 2)];
      return extent + Math.min(low, 0) + Math.min(high, 0) < 1 ? [0, Math.max(0, high)] : [low, high];
    });
    const value = x.tensor.dtype === "float32" ? choose.of([0, 0, 1.5]) : 0;
    const padded = x.tensor.pad(amounts, value);
    if (padded.numel() > maximumSize) return;
    const digits = x.digits === null ? null : Math.max(1, x.digits);
    p.push(`${x.name}.pad(${listed(amounts)}, ${value})`, padded, Math.max(x.bound, 1.5), digits);
  },
  roll: (p, choose) => {
    const x = p.any(choose);
    if (x.tensor.ndim === 0) return;
    const dim = choose.below(x.tensor.ndim);
    const shift = choose.between(-3, 4);
    p.push(`${x.name}.roll(${shift}, ${dim})`, x.tensor.roll(shift, dim), x.bound, x.digits);
  },
  repeat: (p, choose) => {
    const x = p.any(choose);
    const counts = x.tensor.shape.map(() => choose.between(1, 2));
    if (x.tensor.numel() * sizeOf(counts) > maximumSize) return;
    p.push(`${x.name}.repeat(${listed(counts)})`, x.tensor.repeat(counts), x.bound, x.digits);
  },
  unfold: (p, choose) => {
    const x = p.any(choose);
    if (x.tensor.ndim === 0 || x.tensor.ndim > 3) return;
    const dim = choose.below(x.tensor.ndim);
    const size = choose.between(1, Math.min(3, x.tensor.shape[dim]));
    const unfolded = x.tensor.unfold(dim, size, choose.between(1, 3));
    if (unfolded.numel() > maximumSize) return;
    p.push(`${x.name}.unfold(${dim}, ${size}, step)`, unfolded, x.bound, x.digits);
  },
  concat: (p, choose) => {
    const x = p.any(choose);
    if (x.tensor.ndim === 0) return;
    const dim = choose.below(x.tensor.ndim);
    const fits = p.values.filter(
      ({ tensor }) =>
        tensor.dtype === x.tensor.dtype &&
        tensor.ndim === x.tensor.ndim &&
        tensor.shape.every((extent, axis) => axis === dim || extent === x.tensor.shape[axis]) &&
        tensor.numel() + x.tensor.numel() <= maximumSize,
    );
    if (fits.length === 0) return;
    const y = choose.of(fits);
    const bound = Math.max(x.bound, y.bound);
    const text = `gd.cat([${x.name}, ${y.name}], ${dim})`;
    p.push(text, gd.cat([x.tensor, y.tensor], dim), bound, both(x.digits, y.digits, Math.max));
  },

  sum: (p, choose) => {
    const x = p.anyFloat(choose);
    const dims = [...x.tensor.shape.keys()].filter(() => choose.below(2) === 0);
    const count = sizeOf(dims.map((dim) => x.tensor.shape[dim]));
    const keepdim = choose.below(2) === 0;
    const text = `${x.name}.sum(${listed(dims)}, { keepdim: ${keepdim} })`;
    p.push(text, x.tensor.sum(dims, { keepdim }), x.bound * count, x.digits);
  },
  mean: (p, choose) => {
    const x = p.anyFloat(choose);
    const dims = [...x.tensor.shape.keys()].filter(() => choose.below(2) === 0);
    const keepdim = choose.below(2) === 0;
    p.push(`${x.name}.mean(${listed(dims)}, { keepdim: ${keepdim} })`, x.tensor.mean(dims, { keepdim }), x.bound, null);
  },
  variance: (p, choose) => {
    const x = p.anyFloat(choose);
    if (x.tensor.ndim === 0) return;
    const dim = choose.below(x.tensor.ndim);
    const spread = x.tensor.var(dim, { correction: 0, keepdim: true });
    p.push(`${x.name}.var(${dim}, { correction: 0, keepdim: true })`, spread, x.bound ** 2, null);
  },
  norm: (p, choose) => {
    const x = p.anyFloat(choose);
    if (x.tensor.ndim === 0) return;
    const dim = choose.below(x.tensor.ndim);
    const order = choose.of([1, 2, 3]);
    // Away from 0, where a norm bends.
    const norm = x.tensor.square().add(0.5).norm(order, dim);
    const text = `${x.name}.square().add(0.5).norm(${order}, ${dim})`;
    p.push(text, norm, (x.bound ** 2 + 0.5) * x.tensor.shape[dim], null);
  },
  softmax: (p, choose) => {
    const x = p.anyFloat(choose);
    if (x.tensor.ndim === 0) return;
    const dim = choose.below(x.tensor.ndim);
    const name = choose.of(["softmax", "logSoftmax", "logsumexp"] as const);
    p.push(`${x.name}.${name}(${dim})`, x.tensor[name](dim), 2 * x.bound + 6, null);
  },
  maximumAlong: (p, choose) => {
    const x = p.exact(choose);
    if (x.tensor.ndim === 0) return;
    const dim = choose.below(x.tensor.ndim);
    const name = choose.of(["max", "min"] as const);
    const { values, indices } = x.tensor[name](dim, { keepdim: choose.below(2) === 0 });
    p.push(`${x.name}.${name}(${dim}).indices`, indices, 9, 0);
    p.push(`${x.name}.${name}(${dim}).values`, values, x.bound, x.digits);
  },
  largest: (p, choose) => {
    const x = p.exact(choose);
    const dims = [...x.tensor.shape.keys()].filter(() => choose.below(2) === 0);
    const name = choose.of(["amax", "amin"] as const);
    p.push(`${x.name}.${name}(${listed(dims)})`, x.tensor[name](dims), x.bound, x.digits);
  },
  cumsum: (p, choose) => {
    const x = p.anyFloat(choose);
    if (x.tensor.ndim === 0) return;
    const dim = choose.below(x.tensor.ndim);
    p.push(`${x.name}.cumsum(${dim})`, x.tensor.cumsum(dim), x.bound * x.tensor.shape[dim], x.digits);
  },
  product: (p, choose) => {
    const x = p.anyFloat(choose);
    if (x.tensor.ndim === 0) return;
    const dim = choose.below(x.tensor.ndim);
    const tame = p.push(`${x.name}.sin()`, x.tensor.sin(), 1, null);
    p.push(`${tame.name}.prod(${dim})`, tame.tensor.prod(dim), 1, null);
  },

  matmul: (p, choose) => {
    const x = p.anyFloat(choose);
    if (x.tensor.ndim === 0) return;
    const inner = x.tensor.shape[x.tensor.ndim - 1];
    const columns = choose.between(1, 5);
    if ((x.tensor.numel() / inner) * columns > maximumSize) return;
    const batch = choose.below(2) === 0 ? [] : x.tensor.shape.slice(0, -2).map((extent) => choose.of([1, extent]));
    const weight = p.leaf([...batch, inner, columns]);
    const digits = x.digits === null ? null : x.digits + 3;
    const text = `${x.name}.matmul(${weight.name})`;
    p.push(text, x.tensor.matmul(weight.tensor), x.bound * 2 * inner, digits);
  },
  einsum: (p, choose) => {
    // Some dimensions are contracted with those of a new operand, in any order; some may be named by both and kept.
    const x = p.anyFloat(choose);
    const own = [..."abcdefgh"].slice(0, x.tensor.ndim);
    const shared = own.filter(() => choose.below(2) === 0);
    const fresh = [..."xy"].slice(0, choose.below(3));
    const labels = [...shared, ...fresh];
    const order = choose.order(labels.length).map((i) => labels[i]);
    const extents = new Map([...own.map((label, i) => [label, x.tensor.shape[i]] as const), ["x", 2], ["y", 3]]);
    const kept = [...own, ...fresh].filter((label) => !shared.includes(label) || choose.below(3) === 0);
    const out = choose.order(kept.length).map((i) => kept[i]);
    if (out.length > 4 || sizeOf(out.map((label) => extents.get(label)!)) > maximumSize) return;
    const shape = order.map((label) => extents.get(label)!);
    if (sizeOf(shape) > maximumSize) return;
    const weight = p.leaf(shape);
    const equation = `${own.join("")},${order.join("")}->${out.join("")}`;
    const terms = sizeOf(own.filter((label) => !out.includes(label)).map((label) => extents.get(label)!));
    const digits = x.digits === null ? null : x.digits + 3;
    const text = `gd.einsum("${equation}", ${x.name}, ${weight.name})`;
    p.push(text, gd.einsum(equation, x.tensor, weight.tensor), x.bound * 2 * terms, digits);
  },
  convolution: (p, choose) => {
    let x = p.anyFloat(choose);
    if (x.tensor.ndim < 2) return;
    if (x.tensor.ndim === 2) x = p.push(`${x.name}.unsqueeze(0)`, x.tensor.unsqueeze(0), x.bound, x.digits);
    const [, channels, ...spatial] = x.tensor.shape;
    const groups = choose.of([1, 1, channels]);
    const each = (make: (i: number) => number): number[] => spatial.map((_, i) => make(i));
    const attributes = {
      stride: each(() => choose.between(1, 2)),
      low: each(() => choose.between(-1, 2)),
      high: each(() => choose.between(0, 2)),
      inputDilation: each(() => choose.of([1, 1, 2])),
      kernelDilation: each(() => choose.of([1, 1, 2])),
      groups,
    };
    const kernel = each((i) => {
      const length = (spatial[i] - 1) * attributes.inputDilation[i] + 1 + attributes.low[i] + attributes.high[i];
      return Math.max(0, Math.min(choose.between(1, 3), Math.floor((length - 1) / attributes.kernelDilation[i]) + 1));
    });
    if (kernel.includes(0)) return;
    const shape = [groups * choose.between(1, 2), channels / groups, ...kernel];
    if (sizeOf(shape) > maximumSize) return;
    const weight = p.leaf(shape);
    const result = compositions.conv(x.tensor, weight.tensor, attributes);
    if (result.numel() > maximumSize) return;
    const digits = x.digits === null ? null : x.digits + 3;
    const text = `conv(${x.name}, ${weight.name}, ${JSON.stringify(attributes)})`;
    p.push(text, result, x.bound * 2 * sizeOf(shape.slice(1)), digits);
  },
  pooling: (p, choose) => {
    const name = choose.of(["maxPool", "avgPool"] as const);
    let x = name === "maxPool" ? p.exact(choose) : p.anyFloat(choose);
    if (x.tensor.ndim === 0) return;
    while (x.tensor.ndim < 3) x = p.push(`${x.name}.unsqueeze(0)`, x.tensor.unsqueeze(0), x.bound, x.digits);
    const spatial = x.tensor.shape.slice(2);
    const size = spatial.map((extent) => choose.between(1, Math.min(3, extent)));
    const padding = size.map((extent) => choose.below(Math.floor(extent / 2) + 1));
    const stride = size.map(() => choose.between(1, 3));
    const dilation = size.map((extent, i) => (2 * (extent - 1) < spatial[i] ? choose.between(1, 2) : 1));
    const options = { size, stride, padding, dilation };
    const pooled = compositions[name](x.tensor, options);
    if (pooled.numel() > maximumSize || pooled.numel() * sizeOf(size) > 4 * maximumSize) return;
    const text = `${name}(${x.name}, ${JSON.stringify(options)})`;
    p.push(text, pooled, x.bound, name === "maxPool" ? x.digits : null);
  },

  gather: (p, choose) => {
    const x = p.any(choose);
    if (x.tensor.ndim === 0) return;
    const dim = choose.below(x.tensor.ndim);
    const shape = x.tensor.shape.map((extent, axis) => (axis === dim ? choose.between(1, 5) : extent));
    if (sizeOf(shape) > maximumSize) return;
    const entries = Array.from({ length: sizeOf(shape) }, (_, i) => (i * 7 + choose.below(5)) % x.tensor.shape[dim]);
    const index = gd.tensor(entries, { dtype: "int32" }).reshape(shape);
    const text = `${x.name}.gather(${dim}, ${JSON.stringify(entries)} of ${listed(shape)})`;
    p.push(text, x.tensor.gather(dim, index), x.bound, x.digits);
  },
  scatterAdd: (p, choose) => {
    const x = p.anyFloat(choose);
    if (x.tensor.ndim === 0) return;
    const dim = choose.below(x.tensor.ndim);
    const shape = x.tensor.shape.map((extent, axis) => (axis === dim ? choose.between(1, 5) : extent));
    if (sizeOf(shape) > maximumSize) return;
    const entries = Array.from({ length: x.tensor.numel() }, (_, i) => (i * 5 + choose.below(7)) % shape[dim]);
    const index = gd.tensor(entries, { dtype: "int32" }).reshape(x.tensor.shape);
    const base = p.leaf(shape);
    const text = `${base.name}.scatterAdd(${dim}, ${JSON.stringify(entries)}, ${x.name})`;
    const bound = 2 + x.bound * x.tensor.shape[dim];
    const digits = x.digits === null ? null : Math.max(3, x.digits);
    p.push(text, base.tensor.scatterAdd(dim, index, x.tensor), bound, digits);
  },
  indexSelect: (p, choose) => {
    const x = p.any(choose);
    if (x.tensor.ndim === 0) return;
    const dim = choose.below(x.tensor.ndim);
    const extent = x.tensor.shape[dim];
    const entries = Array.from({ length: choose.between(1, 4) }, () => choose.between(-extent, extent - 1));
    const picked = x.tensor.indexSelect(dim, gd.tensor(entries, { dtype: "int32" }));
    if (picked.numel() > maximumSize) return;
    p.push(`${x.name}.indexSelect(${dim}, ${listed(entries)})`, picked, x.bound, x.digits);
  },
  sort: (p, choose) => {
    const x = p.exact(choose);
    if (x.tensor.ndim === 0) return;
    const dim = choose.below(x.tensor.ndim);
    const descending = choose.below(2) === 0;
    const { values, indices } = x.tensor.sort(dim, { descending });
    p.push(`${x.name}.sort(${dim}, { descending: ${descending} }).indices`, indices, 9, 0);
    p.push(`${x.name}.sort(${dim}, { descending: ${descending} }).values`, values, x.bound, x.digits);
  },
  random: (p, choose) => {
    const shape = limited(Array.from({ length: choose.below(4) }, () => choose.between(1, 6)));
    const seed = choose.below(1000);
    const generator = new gd.Generator(seed);
    p.push(`gd.rand(${listed(shape)}) with seed ${seed}`, gd.rand(shape, { generator }), 1, null);
  },
};

/** Builds a program: leaves of the given shapes, then one instruction after the other. */
export function buildProgram(shapes: readonly (readonly number[])[], steps: readonly Instruction[]): ProgramBuilder {
  const program = new ProgramBuilder();
  for (const shape of shapes) program.leaf(limited(shape));
  for (const step of steps) program.run(step);
  return program;
}
