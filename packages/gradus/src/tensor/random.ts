// Random tensors. The numbers are counter-based (Philox 4x32-10): element i of the n-th random tensor depends only on
// the seed, n and i, so every device gives the same numbers in any order of execution, and a generator's state is two
// integers.

import { ArgumentError, build, checkShape, type DType, leaf, type Node, node, type Shape } from "../graph/index.ts";
import { Tensor } from "./tensor.ts";

/** All that a generator's coming numbers depend on; plain data, for checkpoints. */
export interface GeneratorState {
  /** From 0 to 2^32 - 1. */
  readonly seed: number;
  /** How many random tensors have been drawn. */
  readonly drawn: number;
}

/** A source of random numbers (`torch.Generator`). */
export class Generator {
  private seed: number;
  private drawn = 0;

  /**
   * Starts a stream of its own.
   * @param seed an integer, of which the low 32 bits count. Default: from the clock.
   */
  constructor(seed: number = Date.now()) {
    this.seed = seed >>> 0;
  }

  /** Starts again from a seed, of which the low 32 bits count. @throws ArgumentError if it is no integer */
  manualSeed(seed: number): this {
    if (!Number.isInteger(seed)) throw new ArgumentError("manualSeed", `${seed} is no integer`);
    this.seed = seed >>> 0;
    this.drawn = 0;
    return this;
  }

  /** Where the stream stands; `setState` goes back there (`torch.Generator.get_state`). */
  getState(): GeneratorState {
    return { seed: this.seed, drawn: this.drawn };
  }

  /** Goes on from a state that `getState` gave: the same numbers come again (`torch.Generator.set_state`). */
  setState(state: GeneratorState): this {
    this.seed = state.seed >>> 0;
    this.drawn = state.drawn;
    return this;
  }

  /** Two words of 32 random bits for every element. Both come from one block of the cipher. */
  bits(shape: Shape): [Node, Node] {
    checkShape("random", shape);
    const scalar = (value: number): Node =>
      leaf("scalar", { value: value | 0 }, { shape: [], dtype: "int32" }) as unknown as Node;
    const inputs = [scalar(this.seed), scalar(this.drawn++)];
    const wanted = { shape, dtype: "int32" as DType };
    return [node("random", inputs, { word: 0 }, wanted), node("random", inputs, { word: 1 }, wanted)];
  }
}

/** The generator that is used where none is given. */
export const defaultGenerator = new Generator();

/** Seeds the default generator (`torch.manual_seed`). */
export function manualSeed(seed: number): Generator {
  return defaultGenerator.manualSeed(seed);
}

/** What every function that draws a tensor takes. */
export interface RandomOptions {
  /** Where the numbers come from. Default: the generator that `gd.manualSeed` seeds. */
  readonly generator?: Generator;
  /** float32 (default) or float64. */
  readonly dtype?: DType;
  /** Whether gradients with respect to the drawn tensor are recorded. Default false. */
  readonly requiresGrad?: boolean;
}

/** 24 bits, as many as a float32 holds: a number in [0, 1) whose grid is even. */
function unitInterval(bits: Node, dtype: DType): Node {
  const low = build.binary("and", bits, build.fullLike(0xffffff, bits));
  return build.scale(build.cast(low, dtype), 2 ** -24);
}

function finish(value: Node, options: RandomOptions): Tensor {
  const result = Tensor.of(value);
  return options.requiresGrad ? result.requiresGrad_() : result;
}

/** Uniform in [0, 1). */
export function rand(shape: Shape, options: RandomOptions = {}): Tensor {
  const [bits] = (options.generator ?? defaultGenerator).bits(shape);
  return finish(unitInterval(bits, options.dtype ?? "float32"), options);
}

/** Standard normal, by the transform of Box and Muller (1958). */
export function randn(shape: Shape, options: RandomOptions = {}): Tensor {
  const dtype = options.dtype ?? "float32";
  const [first, second] = (options.generator ?? defaultGenerator).bits(shape);
  // 1 - u lies in (0, 1], where the logarithm is finite.
  const u = build.sub(build.full(1, shape, dtype), unitInterval(first, dtype));
  const radius = build.unary("sqrt", build.scale(build.unary("log", u), -2));
  const angle = build.scale(unitInterval(second, dtype), 2 * Math.PI);
  return finish(build.mul(radius, build.unary("cos", angle)), options);
}

/** Integers in [low, high), int32. */
export function randint(low: number, high: number, shape: Shape, options: RandomOptions = {}): Tensor {
  if (!(Number.isInteger(low) && Number.isInteger(high) && high > low)) {
    throw new ArgumentError("randint", `there is no integer from ${low} up to but excluding ${high}`);
  }
  const [bits] = (options.generator ?? defaultGenerator).bits(shape);
  const positive = build.binary("and", bits, build.fullLike(0x7fffffff, bits));
  const reduced = build.binary("remainder", positive, build.fullLike(high - low, bits));
  return Tensor.of(build.cast(build.add(reduced, build.fullLike(low, bits)), options.dtype ?? "int32"));
}

/** A random order of 0 ... n - 1, int32. */
export function randperm(n: number, options: RandomOptions = {}): Tensor {
  const [bits] = (options.generator ?? defaultGenerator).bits([n]);
  return Tensor.of(build.argsort(bits, 0, false));
}

/** 1 with the probability that the tensor holds, else 0; of the tensor's shape and dtype. */
export function bernoulli(probabilities: Tensor, options: RandomOptions = {}): Tensor {
  return rand(probabilities.shape, options).lt(probabilities).to(probabilities.dtype);
}

/**
 * Indices drawn from rows of weights, [n] or [rows, n] to [count] or [rows, count], int32.
 * Without replacement by the exponential race (Efraimidis and Spirakis, 2006), with it by inverting the cumulative sum.
 */
export function multinomial(weights: Tensor, count: number, replacement = false, options: RandomOptions = {}): Tensor {
  if (weights.ndim < 1 || weights.ndim > 2)
    throw new ArgumentError("multinomial", `weights have ${weights.ndim} dimensions`, "Use one or two.");
  const n = weights.shape[weights.ndim - 1];
  if (!(Number.isInteger(count) && count >= 1 && (replacement || count <= n))) {
    throw new ArgumentError("multinomial", `${count} of ${n} cannot be drawn`, "Draw fewer, or with replacement.");
  }
  const rows = weights.reshape([-1, n]).detach();
  const shape = [...weights.shape.slice(0, -1), count];
  if (!replacement) {
    const waiting = rand(rows.shape, options).rsub(1).log().neg().div(rows);
    return waiting.argsort(1).narrow(1, 0, count).reshape(shape);
  }
  const ends = rows.cumsum(1);
  const total = ends.narrow(1, n - 1, 1);
  const drawn = rand([rows.shape[0], count], options).mul(total);
  const passed = drawn.unsqueeze(2).ge(ends.unsqueeze(1)).sum(2);
  return passed.clamp(0, n - 1).reshape(shape);
}

/**
 * Uniform numbers in [0, 1) for the host, one at a time and without the device, from one draw of a generator: what shuffling
 * and sampling need. A small generator of its own (mulberry32), seeded by the stream.
 */
export function hostUniform(generator: Generator): () => number {
  const { seed, drawn } = generator.getState();
  generator.setState({ seed, drawn: drawn + 1 });
  let state = (seed ^ Math.imul(drawn + 1, 0x9e3779b1)) >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** 0 ... n - 1 in a random order, drawn from the generator without the device (Fisher and Yates's shuffle). */
export function hostPermutation(n: number, generator: Generator): Int32Array {
  const next = hostUniform(generator);
  const order = Int32Array.from({ length: n }, (_, i) => i);
  for (let i = n - 1; i > 0; i--) {
    const j = Math.floor(next() * (i + 1));
    [order[i], order[j]] = [order[j], order[i]];
  }
  return order;
}
