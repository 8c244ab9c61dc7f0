// Tensor: what the user holds. A handle on a node of the graph; operations build nodes and run nothing, and values are
// computed when they are read. The methods here are PyTorch's, in camelCase; what they mean stands in the files beside.

import {
  axesFrom,
  build,
  type DType,
  formatShape,
  GradusError,
  gradientLeaf,
  isFloat,
  leaf,
  type Node,
  node,
  normalizeAxis,
  ShapeError,
  sameShape,
  sizeOf,
  type TypedArray,
} from "../graph/index.ts";
import type { AddOptions } from "./arithmetic.ts";
import * as arithmetic from "./arithmetic.ts";
import { type BackwardOptions, backward, noteOwner, noteRetainGrad } from "./backward.ts";
import { ready } from "./device.ts";
import { engine } from "./engine.ts";
import { ReadError } from "./errors.ts";
import { formatTensor } from "./format.ts";
import * as indexing from "./indexing.ts";
import * as linear from "./linear.ts";
import { isGradEnabled } from "./mode.ts";
import type { SortOptions, TopkOptions } from "./order.ts";
import * as order from "./order.ts";
import type { Dims, KeepOptions, ValuesAndIndices, VarianceOptions } from "./reductions.ts";
import * as reductions from "./reductions.ts";
import { Variable } from "./variable.ts";
import * as views from "./views.ts";

/** What an operation takes beside a tensor: another tensor, which broadcasts, or a plain number. */
export type Operand = Tensor | number;

/** Nested arrays of numbers, as `toArray` gives them. */
export type NestedArray = number | NestedArray[];

/** Whether a value is a `Tensor`, parameters included (`torch.is_tensor`). */
export function isTensor(value: unknown): value is Tensor {
  return value instanceof Tensor;
}

/** The node an operation builds on: within `noGrad` one that no gradient passes. */
export function nodeOf(tensor: Tensor): Node {
  return isGradEnabled() ? tensor.node : build.detach(tensor.node);
}

/** Several numbers given one by one or as a list. */
export type Variadic = readonly number[] | readonly [readonly number[]];
const listOf = (values: Variadic): readonly number[] =>
  Array.isArray(values[0]) ? (values[0] as readonly number[]) : (values as readonly number[]);

/**
 * An array of numbers with a shape and a dtype, whose value is computed when it is read.
 *
 * @example
 * const x = gd.tensor([[1, 2], [3, 4]]);
 * const y = x.matmul(x.T).add(1);
 * console.log(await y.toArray()); // [[6, 12], [12, 26]]
 */
export class Tensor {
  private current: Node;
  private variable: Variable | null = null;
  /** The gradient that `backward` has gathered, or null. */
  grad: Tensor | null = null;

  /** For `of` and subclasses; users call `gd.tensor`. */
  protected constructor(node: Node) {
    this.current = node;
  }

  /** A tensor for a node of the graph. For those who extend Gradus; others use `gd.tensor`. */
  static of(node: Node): Tensor {
    return new Tensor(node);
  }

  /** A tensor from host numbers, which are copied. @throws ShapeError if their count does not fit the shape */
  static fromArray(data: TypedArray, shape: readonly number[], dtype?: DType): Tensor {
    if (data.length !== sizeOf(shape))
      throw new ShapeError("tensor", [shape], `${data.length} numbers cannot fill ${sizeOf(shape)} elements`);
    const kind = dtype ?? dtypeOfArray(data);
    const created = leaf("data", { requiresGrad: false }, { shape: [...shape], dtype: kind });
    created.value = engine.hold(data, kind);
    return new Tensor(created as unknown as Node);
  }

  /** int32 if start and step are integers, else float32, or float64 if that is wanted. */
  static arange(start: number, end: number, step = 1, wanted?: DType): Tensor {
    const count = Math.max(0, Math.ceil((end - start) / step));
    const index = build.iota([count], 0);
    const whole = Number.isInteger(start) && Number.isInteger(step);
    const position = whole ? index : build.cast(index, wanted === "float64" ? wanted : "float32");
    const scaled = step === 1 ? position : build.scale(position, step);
    return new Tensor(start === 0 ? scaled : build.add(scaled, build.fullLike(start, scaled)));
  }

  /** As `gd.cat`: tensors joined along a dimension they have. */
  static cat(tensors: readonly Tensor[], dim = 0): Tensor {
    return views.cat(tensors, dim);
  }

  /** As `gd.stack`: tensors of one shape joined along a new dimension. */
  static stack(tensors: readonly Tensor[], dim = 0): Tensor {
    return views.stack(tensors, dim);
  }

  // What it is ------------------------------------------------------------------------------------------------------

  /** The node this handle stands on at present. */
  get node(): Node {
    return this.variable === null ? this.current : (this.variable.node as unknown as Node);
  }

  /** The extent of each dimension; `[]` for a scalar. */
  get shape(): readonly number[] {
    return this.variable?.shape ?? this.current.shape;
  }

  /** What the elements are: float32, float64, int32, uint8 or bool. */
  get dtype(): DType {
    return this.variable?.dtype ?? this.current.dtype;
  }

  /** The number of dimensions. */
  get ndim(): number {
    return this.shape.length;
  }

  /** The number of elements. */
  numel(): number {
    return sizeOf(this.shape);
  }

  /** The extent of one dimension, or the whole shape. */
  size(): readonly number[];
  size(dim: number): number;
  size(dim?: number): number | readonly number[] {
    return dim === undefined ? this.shape : this.shape[normalizeAxis("size", dim, this.ndim)];
  }

  /** Whether gradients are recorded for what is computed from this tensor. */
  get requiresGrad(): boolean {
    return this.node.requiresGrad;
  }

  /** Whether `backward` gathers a gradient here: a tensor that no recorded operation has made. */
  get isLeaf(): boolean {
    return !this.node.requiresGrad || this.node.isGradientLeaf;
  }

  /** Whether this tensor is state: it can be assigned to, and keeps its value from step to step. */
  get isState(): boolean {
    return this.variable !== null;
  }

  /** Makes this tensor state, as parameters, buffers and optimizer state are. */
  asState(requiresGrad = false): this {
    if (this.variable === null) {
      this.variable = new Variable(this.current, requiresGrad);
      engine.notePending(this.variable);
      noteOwner(this.variable, this);
    } else {
      this.setStateGrad(requiresGrad);
    }
    return this;
  }

  private setStateGrad(requiresGrad: boolean): void {
    this.variable!.setRequiresGrad(requiresGrad);
    engine.notePending(this.variable!);
  }

  // Gradients -------------------------------------------------------------------------------------------------------

  /** Turns gradients for this leaf on or off (`torch.Tensor.requires_grad_`). */
  requiresGrad_(requiresGrad = true): this {
    if (!isFloat(this.dtype) && requiresGrad)
      throw new GradusError(
        `requiresGrad_: a tensor of ${this.dtype} can have no gradient. Cast it with .to("float32").`,
      );
    if (this.variable !== null) {
      if (this.node.requiresGrad !== requiresGrad) this.setStateGrad(requiresGrad);
    } else if (requiresGrad && !this.current.requiresGrad) {
      this.current = gradientLeaf(this.current);
      noteOwner(this.current, this);
    } else if (!requiresGrad && this.current.requiresGrad) {
      if (!this.isLeaf) throw new GradusError("requiresGrad_: only a leaf can be changed. Use detach().");
      this.current = build.detach(this.current);
    }
    return this;
  }

  /** The same value without its history (`torch.Tensor.detach`). */
  detach(): Tensor {
    return new Tensor(build.detach(this.node));
  }

  /** A copy that gradients pass through. Tensors are values, so it costs nothing. */
  clone(): Tensor {
    const own = nodeOf(this);
    if (!own.requiresGrad || !own.isGradientLeaf) return new Tensor(own);
    // A copy of a leaf is no leaf itself: it may be changed in place, and its gradient is not gathered.
    return new Tensor(node("reshape", [own], {}, own));
  }

  /** Adds the gradient of this tensor to `.grad` of every leaf it depends on. */
  backward(gradient?: Tensor, options?: BackwardOptions): void {
    backward(this, gradient, options);
  }

  /** Has `backward` set `.grad` here too, though this is no leaf. */
  retainGrad(): this {
    noteRetainGrad(this.node, this);
    return this;
  }

  // Reading ---------------------------------------------------------------------------------------------------------

  /** Computes the value, unless it is there, and keeps it with this tensor. */
  async realize(): Promise<this> {
    if (!engine.hasBackend) await ready();
    await engine.flush([this.node]);
    return this;
  }

  /** Has the value computed along with the next flush, so that it can be read whenever. */
  retain(): this {
    engine.retain(this.node);
    return this;
  }

  /** The elements in row-major order, as a copy. bool comes as bytes of 0 and 1. */
  async data(): Promise<TypedArray> {
    const node = this.node;
    if (!engine.hasBackend) await ready();
    await engine.flush([node]);
    return engine.read(node);
  }

  /**
   * The elements at once: anywhere if they are computed already, else where the thread may block.
   * @throws ReadError where they would have to be waited for on a thread that must not block, a browser's main thread
   */
  dataSync(): TypedArray {
    const node = this.node;
    engine.flushSync([node]);
    return engine.read(node);
  }

  /** The single element. @throws ReadError if there are more or none */
  async item(): Promise<number> {
    this.checkSingle();
    return (await this.data())[0];
  }

  /** The single element, at once. @throws ReadError if there are more or none, and where `dataSync` throws it */
  itemSync(): number {
    this.checkSingle();
    return this.dataSync()[0];
  }

  private checkSingle(): void {
    if (this.numel() !== 1) {
      throw new ReadError(
        `item: a tensor of shape ${formatShape(this.shape)} has ${this.numel()} elements, not one. Use data() or toArray().`,
      );
    }
  }

  /** Nested arrays of the tensor's shape. */
  async toArray(): Promise<NestedArray> {
    return nest(await this.data(), this.shape);
  }

  /** Nested arrays of the tensor's shape, at once. @throws ReadError where `dataSync` throws it */
  toArraySync(): NestedArray {
    return nest(this.dataSync(), this.shape);
  }

  /** The printed form, as PyTorch's. */
  async format(): Promise<string> {
    return this.formatData(await this.data());
  }

  /** The printed form where the value is at hand or can be read at once; else shape and dtype. */
  toString(): string {
    if (engine.canReadAtOnce(this.node)) return this.formatData(this.dataSync());
    return `${this.formatName}(shape=${formatShape(this.shape)}, dtype=${this.dtype})`;
  }

  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return this.toString();
  }

  /** The word that stands before the printed elements. */
  protected get formatName(): string {
    return "tensor";
  }

  private formatData(data: TypedArray): string {
    const suffix = this.requiresGrad ? ["requiresGrad=true"] : [];
    return formatTensor(data, this.shape, this.dtype, this.formatName, suffix);
  }

  // In place: the handle takes a new value --------------------------------------------------------------------------

  private assign(value: Tensor): this {
    if (!sameShape(value.shape, this.shape)) {
      throw new ShapeError(
        "in-place operation",
        [this.shape, value.shape],
        "the result has another shape than the tensor",
      );
    }
    const learns = this.isLeaf && this.node.requiresGrad;
    if (isGradEnabled() && learns) {
      throw new GradusError(
        "in-place operation: a leaf that requires a gradient cannot be changed while gradients are recorded. Wrap it in gd.noGrad(() => ...).",
      );
    }
    // A leaf that is updated is a parameter: it stays a leaf, and keeps its value from step to step.
    if (learns && this.variable === null) this.asState(true);
    const node = build.cast(nodeOf(value), this.dtype);
    if (this.variable !== null) {
      this.variable.assign(node);
      engine.notePending(this.variable);
    } else {
      this.current = node;
    }
    return this;
  }

  /** Takes over the values of a tensor that broadcasts to this shape, or of a number, in this tensor's dtype. */
  copy_(source: Operand): this {
    const value = isTensor(source) ? source.to(this.dtype).expand(this.shape) : this.fullLike(source);
    return this.assign(value);
  }
  /** `add`, in place. */
  add_(other: Operand, options: AddOptions = {}): this {
    return this.assign(this.add(other, options));
  }
  /** `sub`, in place. */
  sub_(other: Operand, options: AddOptions = {}): this {
    return this.assign(this.sub(other, options));
  }
  /** `mul`, in place. */
  mul_(other: Operand): this {
    return this.assign(this.mul(other));
  }
  /** `div`, in place; the quotient is cast to this tensor's dtype. */
  div_(other: Operand): this {
    return this.assign(this.div(other));
  }
  /** `clamp`, in place. */
  clamp_(minimum?: number, maximum?: number): this {
    return this.assign(this.clamp(minimum, maximum));
  }
  /** Sets all elements to 0. */
  zero_(): this {
    return this.fill_(0);
  }
  /** Sets all elements to a number. */
  fill_(value: number): this {
    return this.assign(this.fullLike(value));
  }
  /** `maskedFill`, in place. */
  maskedFill_(mask: Tensor, value: Operand): this {
    return this.assign(this.maskedFill(mask, value));
  }
  /** `x[entries] = value`. */
  indexPut_(entries: readonly indexing.IndexEntry[], value: Operand): this {
    return this.assign(indexing.withIndex(this, entries, value));
  }

  private fullLike(value: number): Tensor {
    return new Tensor(build.full(value, this.shape, this.dtype));
  }

  // Types -----------------------------------------------------------------------------------------------------------

  /** The elements as another dtype; towards integers they are truncated. */
  to(dtype: DType): Tensor {
    return dtype === this.dtype ? this : new Tensor(build.cast(nodeOf(this), dtype));
  }
  /** The elements as float32. */
  float(): Tensor {
    return this.to("float32");
  }
  /** The elements as float64. */
  double(): Tensor {
    return this.to("float64");
  }
  /** The elements as int32, truncated towards 0. */
  int(): Tensor {
    return this.to("int32");
  }
  /** Whether each element is not 0. */
  bool(): Tensor {
    return this.to("bool");
  }

  // Arithmetic ------------------------------------------------------------------------------------------------------

  /** this + alpha other; shapes broadcast, and dtypes are promoted as in PyTorch. */
  add(other: Operand, { alpha = 1 }: AddOptions = {}): Tensor {
    return arithmetic.binary("add", this, alpha === 1 ? other : scaled(other, alpha));
  }
  /** this - alpha other. */
  sub(other: Operand, { alpha = 1 }: AddOptions = {}): Tensor {
    return arithmetic.binary("sub", this, alpha === 1 ? other : scaled(other, alpha));
  }
  /** other - this */
  rsub(other: Operand): Tensor {
    return arithmetic.binary("sub", other, this);
  }
  /** The product of elements; shapes broadcast. */
  mul(other: Operand): Tensor {
    return arithmetic.binary("mul", this, other);
  }
  /** True division; integers are divided as float32. */
  div(other: Operand): Tensor {
    return arithmetic.divide(this, other);
  }
  /** The quotient rounded towards minus infinity, as Python's `//`. */
  floorDivide(other: Operand): Tensor {
    return arithmetic.floorDivide(this, other);
  }
  /** The remainder with the sign of the divisor, as Python's `%`. */
  remainder(other: Operand): Tensor {
    return arithmetic.binary("remainder", this, other);
  }
  /** Each element to a power. */
  pow(exponent: Operand): Tensor {
    return arithmetic.power(this, exponent);
  }
  /** The larger of each two elements; shapes broadcast. */
  maximum(other: Operand): Tensor {
    return arithmetic.binary("max", this, other);
  }
  /** The smaller of each two elements; shapes broadcast. */
  minimum(other: Operand): Tensor {
    return arithmetic.binary("min", this, other);
  }
  /** Each element limited to [minimum, maximum]; a limit that is left out does not count, and NaN stays. */
  clamp(minimum?: number, maximum?: number): Tensor {
    return arithmetic.clamp(this, minimum, maximum);
  }
  /** -x of each element. @throws DTypeError for bool */
  neg(): Tensor {
    return arithmetic.unary("neg", this);
  }
  /** The magnitude of each element. */
  abs(): Tensor {
    return arithmetic.unary("abs", this);
  }
  /** -1, 0 or 1 by the sign of each element. */
  sign(): Tensor {
    return arithmetic.unary("sign", this);
  }
  /** The next integer downwards; integers stay. */
  floor(): Tensor {
    return isFloat(this.dtype) ? arithmetic.unary("floor", this) : this;
  }
  /** The next integer upwards; integers stay. */
  ceil(): Tensor {
    return isFloat(this.dtype) ? arithmetic.unary("ceil", this) : this;
  }
  /** To the nearest integer, halves to the even one. */
  round(): Tensor {
    return isFloat(this.dtype) ? arithmetic.unary("round", this) : this;
  }
  /** The next integer towards 0; integers stay. */
  trunc(): Tensor {
    return isFloat(this.dtype) ? arithmetic.unary("trunc", this) : this;
  }
  /** e to the power of each element. */
  exp(): Tensor {
    return arithmetic.floatUnary("exp", this);
  }
  /** exp(x) - 1, exact also near 0. */
  expm1(): Tensor {
    return arithmetic.floatUnary("expm1", this);
  }
  /** The natural logarithm of each element. */
  log(): Tensor {
    return arithmetic.floatUnary("log", this);
  }
  /** log(1 + x), exact also near 0. */
  log1p(): Tensor {
    return arithmetic.floatUnary("log1p", this);
  }
  /** The logarithm to base 2 of each element. */
  log2(): Tensor {
    return this.log().mul(Math.LOG2E);
  }
  /** The logarithm to base 10 of each element. */
  log10(): Tensor {
    return this.log().mul(Math.LOG10E);
  }
  /** The square root of each element; NaN of negative ones. */
  sqrt(): Tensor {
    return arithmetic.floatUnary("sqrt", this);
  }
  /** 1 / sqrt(x) of each element. */
  rsqrt(): Tensor {
    return arithmetic.floatUnary("rsqrt", this);
  }
  /** x x of each element. */
  square(): Tensor {
    return this.mul(this);
  }
  /** 1 / x of each element; integers are taken as float32. */
  reciprocal(): Tensor {
    return arithmetic.floatUnary("reciprocal", this);
  }
  /** The sine of each element, in radians. */
  sin(): Tensor {
    return arithmetic.floatUnary("sin", this);
  }
  /** The cosine of each element, in radians. */
  cos(): Tensor {
    return arithmetic.floatUnary("cos", this);
  }
  /** The tangent of each element, in radians. */
  tan(): Tensor {
    return this.sin().div(this.cos());
  }
  /** The hyperbolic tangent of each element. */
  tanh(): Tensor {
    return arithmetic.floatUnary("tanh", this);
  }
  /** 1 / (1 + exp(-x)) of each element. */
  sigmoid(): Tensor {
    return arithmetic.floatUnary("sigmoid", this);
  }
  /** The error function of each element. */
  erf(): Tensor {
    return arithmetic.floatUnary("erf", this);
  }
  /** max(x, 0) of each element; NaN stays, and the gradient at 0 is 0. */
  relu(): Tensor {
    return arithmetic.relu(this);
  }

  // Comparisons and logic -------------------------------------------------------------------------------------------

  /** Where this equals `other`, as bool; shapes broadcast. */
  eq(other: Operand): Tensor {
    return arithmetic.compare("eq", this, other);
  }
  /** Where this differs from `other`, as bool; NaN differs from itself. */
  ne(other: Operand): Tensor {
    return arithmetic.compare("ne", this, other);
  }
  /** Where this is less than `other`, as bool. */
  lt(other: Operand): Tensor {
    return arithmetic.compare("lt", this, other);
  }
  /** Where this is at most `other`, as bool. */
  le(other: Operand): Tensor {
    return arithmetic.compare("le", this, other);
  }
  /** Where this is greater than `other`, as bool. */
  gt(other: Operand): Tensor {
    return arithmetic.compare("lt", other, this);
  }
  /** Where this is at least `other`, as bool. */
  ge(other: Operand): Tensor {
    return arithmetic.compare("le", other, this);
  }
  /** Where both are not 0, as bool; shapes broadcast. */
  logicalAnd(other: Operand): Tensor {
    return arithmetic.logical("and", this, other);
  }
  /** Where one of both is not 0, as bool. */
  logicalOr(other: Operand): Tensor {
    return arithmetic.logical("or", this, other);
  }
  /** Where exactly one of both is not 0, as bool. */
  logicalXor(other: Operand): Tensor {
    return arithmetic.logical("xor", this, other);
  }
  /** Where an element is 0, as bool. */
  logicalNot(): Tensor {
    return new Tensor(build.unary("not", build.cast(nodeOf(this), "bool")));
  }
  /** Where an element is NaN, as bool. */
  isnan(): Tensor {
    return this.ne(this);
  }
  /** Where an element is infinite, of either sign, as bool. */
  isinf(): Tensor {
    return this.abs().eq(Number.POSITIVE_INFINITY);
  }
  /** Where an element is neither infinite nor NaN, as bool. */
  isfinite(): Tensor {
    return this.abs().lt(Number.POSITIVE_INFINITY);
  }
  /** Elements of this tensor where the condition holds, of `other` elsewhere. */
  where(condition: Tensor, other: Operand): Tensor {
    return arithmetic.where(condition, this, other);
  }

  // Reductions ------------------------------------------------------------------------------------------------------

  /** The sum over dimensions, by default over all; bool and uint8 are summed as int32. */
  sum(dim?: Dims, { keepdim = false }: KeepOptions = {}): Tensor {
    return reductions.sum(this, dim, keepdim);
  }
  /** The mean over dimensions, by default over all; integers are taken as float32. */
  mean(dim?: Dims, { keepdim = false }: KeepOptions = {}): Tensor {
    return reductions.mean(this, dim, keepdim);
  }
  /** The variance over dimensions, by default over all and unbiased; integers are taken as float32. */
  var(dim?: Dims, { correction = 1, keepdim = false }: VarianceOptions = {}): Tensor {
    return reductions.variance(this, dim, correction, keepdim);
  }
  /** The square root of `var`. */
  std(dim?: Dims, { correction = 1, keepdim = false }: VarianceOptions = {}): Tensor {
    return reductions.variance(this, dim, correction, keepdim).sqrt();
  }
  /** The product over dimensions, by default over all; its gradient is exact also where an element is 0. */
  prod(dim?: Dims, { keepdim = false }: KeepOptions = {}): Tensor {
    return reductions.product(this, dim, keepdim);
  }
  /** The largest element of all, or with a dimension its largest elements and their indices. */
  max(): Tensor;
  max(dim: number, options?: KeepOptions): ValuesAndIndices;
  max(dim?: number, { keepdim = false }: KeepOptions = {}): Tensor | ValuesAndIndices {
    return dim === undefined
      ? reductions.largest(this, undefined, false)
      : reductions.maxAlong(this, normalizeAxis("max", dim, this.ndim), keepdim);
  }
  /** The smallest element of all, or with a dimension its smallest elements and their indices. */
  min(): Tensor;
  min(dim: number, options?: KeepOptions): ValuesAndIndices;
  min(dim?: number, { keepdim = false }: KeepOptions = {}): Tensor | ValuesAndIndices {
    return dim === undefined
      ? reductions.smallest(this, undefined, false)
      : reductions.minAlong(this, normalizeAxis("min", dim, this.ndim), keepdim);
  }
  /** The largest element over dimensions, by default over all; equal ones share the gradient. */
  amax(dim?: Dims, { keepdim = false }: KeepOptions = {}): Tensor {
    return reductions.largest(this, dim, keepdim);
  }
  /** The smallest element over dimensions, by default over all; equal ones share the gradient. */
  amin(dim?: Dims, { keepdim = false }: KeepOptions = {}): Tensor {
    return reductions.smallest(this, dim, keepdim);
  }
  /** Where the largest element is along a dimension, int32; without one, its place among all elements. */
  argmax(dim?: number, { keepdim = false }: KeepOptions = {}): Tensor {
    return reductions.argmax(this, dim, keepdim);
  }
  /** Where the smallest element is along a dimension, int32; without one, its place among all elements. */
  argmin(dim?: number, { keepdim = false }: KeepOptions = {}): Tensor {
    return reductions.argmin(this, dim, keepdim);
  }
  /** Whether an element is not 0, over dimensions or by default over all. */
  any(dim?: Dims, { keepdim = false }: KeepOptions = {}): Tensor {
    return reductions.any(this, dim, keepdim);
  }
  /** Whether no element is 0, over dimensions or by default over all. */
  all(dim?: Dims, { keepdim = false }: KeepOptions = {}): Tensor {
    return reductions.all(this, dim, keepdim);
  }
  /** The vector norm of order p over dimensions, by default over all (`torch.linalg.vector_norm`); infinite p too. */
  norm(p = 2, dim?: Dims, { keepdim = false }: KeepOptions = {}): Tensor {
    return reductions.norm(this, p, dim, keepdim);
  }
  /** log of the sum of exp over dimensions, without overflow. */
  logsumexp(dim: Dims, { keepdim = false }: KeepOptions = {}): Tensor {
    return reductions.logSumExp(this, dim, keepdim);
  }
  /** exp divided by its sum along a dimension, without overflow; integers are taken as float32. */
  softmax(dim: number): Tensor {
    return reductions.softmax(this, dim);
  }
  /** log of `softmax`, exact also where that is almost 0. */
  logSoftmax(dim: number): Tensor {
    return reductions.logSoftmax(this, dim);
  }

  // Views -----------------------------------------------------------------------------------------------------------

  /** The elements in another shape, in row-major order; one extent may be -1: as many as are left. */
  reshape(...shape: Variadic): Tensor {
    return views.reshape(this, listOf(shape));
  }
  /** The same as `reshape`: a view is a value here, nothing is shared. */
  view(...shape: Variadic): Tensor {
    return views.reshape(this, listOf(shape));
  }
  /** The dimensions in another order; each has to be named once. */
  permute(...dims: Variadic): Tensor {
    return views.permute(this, listOf(dims));
  }
  /** Two dimensions exchanged. */
  transpose(dim0: number, dim1: number): Tensor {
    return views.transpose(this, dim0, dim1);
  }
  /** The matrix transposed; all dimensions reversed for other ranks. */
  get T(): Tensor {
    return views.permute(this, axesFrom(0, this.ndim).reverse());
  }
  /** A matrix transposed; vectors and scalars stay. @throws ShapeError from three dimensions on */
  t(): Tensor {
    if (this.ndim > 2)
      throw new ShapeError("t", [this.shape], "only a matrix can be transposed so", "Use transpose(dim0, dim1).");
    return this.T;
  }
  /** A dimension of size 1 more, which stands at `dim` afterwards. */
  unsqueeze(dim: number): Tensor {
    return views.unsqueeze(this, dim);
  }
  /** Without dimensions of size 1: all of them, or those given. */
  squeeze(dim?: number | readonly number[]): Tensor {
    return views.squeeze(this, dim);
  }
  /** Dimensions from `startDim` to `endDim`, both included, made one; by default all. */
  flatten(startDim = 0, endDim = -1): Tensor {
    return views.flatten(this, startDim, endDim);
  }
  /** One dimension split into several, of which one may be -1. */
  unflatten(dim: number, sizes: readonly number[]): Tensor {
    return views.unflatten(this, dim, sizes);
  }
  /** Dimensions of size 1 repeated, and new ones in front; -1 keeps a dimension as it is. */
  expand(...shape: Variadic): Tensor {
    return views.expand(this, listOf(shape));
  }
  /** The tensor so many times along each dimension, new ones in front included. */
  repeat(...repeats: Variadic): Tensor {
    return views.repeat(this, listOf(repeats));
  }
  /** The order of elements reversed along dimensions. */
  flip(dims: number | readonly number[]): Tensor {
    return views.flip(this, dims);
  }
  /** Elements shifted along a dimension, those that leave coming in at the other end. */
  roll(shift: number, dim: number): Tensor {
    return views.roll(this, shift, dim);
  }
  /** `length` elements from `start` on along a dimension; a negative start counts from the end. */
  narrow(dim: number, start: number, length: number): Tensor {
    return views.narrow(this, dim, start, length);
  }
  /** Elements from start up to stop along a dimension, every step-th. */
  slice(dim: number, start: number | null = null, stop: number | null = null, step: number | null = null): Tensor {
    const axis = normalizeAxis("slice", dim, this.ndim);
    const entries: indexing.IndexEntry[] = this.shape.map((_, i) =>
      i === axis ? new indexing.Slice(start, stop, step) : new indexing.Slice(),
    );
    return indexing.index(this, entries);
  }
  /** All slices of `size` along a dimension, `step` apart, as a new last dimension. */
  unfold(dim: number, size: number, step: number): Tensor {
    return views.unfold(this, dim, size, step);
  }
  /**
   * A value around the elements; negative amounts crop.
   * @param padding pairs (before, after), the last dimension first
   */
  pad(padding: readonly number[], value = 0): Tensor {
    return views.pad(this, padding, value);
  }
  /** Pieces of the given length along a dimension, the last perhaps shorter, or of a list of lengths. */
  split(size: number | readonly number[], dim = 0): Tensor[] {
    return views.split(this, size, dim);
  }
  /** At most so many pieces of one length along a dimension, the last perhaps shorter. */
  chunk(chunks: number, dim = 0): Tensor[] {
    return views.chunk(this, chunks, dim);
  }

  // Indexing --------------------------------------------------------------------------------------------------------

  /** `x[...]` of PyTorch: numbers, slices (`"1:-1"` or `gd.slice(1, -1)`), null, "..." and tensors. */
  index(...entries: readonly indexing.IndexEntry[]): Tensor {
    return indexing.index(this, entries);
  }
  /** One position along a dimension, which disappears. */
  select(dim: number, position: number): Tensor {
    const axis = normalizeAxis("select", dim, this.ndim);
    return indexing.index(this, [...new Array<string>(axis).fill(":"), position]);
  }
  /** Along `dim` the elements that an index, int32 and of the result's shape, names (`torch.gather`). */
  gather(dim: number, index: Tensor): Tensor {
    return indexing.gather(this, dim, index);
  }
  /** This tensor with each element of `source` added where an index names along `dim` (`torch.scatter_add`). */
  scatterAdd(dim: number, index: Tensor, source: Tensor): Tensor {
    return indexing.scatterAdd(this, dim, index, source);
  }
  /** Whole slices along a dimension at the positions of an index `[count]` (`torch.index_select`). */
  indexSelect(dim: number, index: Tensor): Tensor {
    return indexing.indexSelect(this, dim, index);
  }
  /** A value where a mask is true, this tensor elsewhere; its shape and dtype stay if the mask broadcasts to it. */
  maskedFill(mask: Tensor, value: Operand): Tensor {
    return indexing.maskedFill(this, mask, value);
  }
  /** The elements where a mask is true; asynchronous, for their number is not known before. */
  maskedSelect(mask: Tensor): Promise<Tensor> {
    return indexing.maskedSelect(this, mask);
  }
  /** The positions of elements that are not 0, int32 `[count, ndim]`; asynchronous, for their number is not known. */
  nonzero(): Promise<Tensor> {
    return indexing.nonzero(this);
  }

  // Linear algebra and order ----------------------------------------------------------------------------------------

  /** The matrix product of the last two dimensions; those before broadcast, and vectors count as in PyTorch. */
  matmul(other: Tensor): Tensor {
    return linear.matmul(this, other);
  }
  /** The product of two matrices: [n, m] and [m, p] to [n, p]. */
  mm(other: Tensor): Tensor {
    return linear.matmul(this, other);
  }
  /** The products of matrices, one for each of a batch: [b, n, m] and [b, m, p] to [b, n, p]. */
  bmm(other: Tensor): Tensor {
    return linear.matmul(this, other);
  }
  /** The inner product of two vectors. */
  dot(other: Tensor): Tensor {
    if (this.ndim !== 1 || other.ndim !== 1)
      throw new ShapeError("dot", [this.shape, other.shape], "both must be vectors", "Use matmul().");
    return linear.matmul(this, other);
  }
  /** The outer product of two vectors: [n] and [m] to [n, m]. */
  outer(other: Tensor): Tensor {
    return this.unsqueeze(1).mul(other.unsqueeze(0));
  }
  /** Elements in order along a dimension, by default the last, and where each was; equal ones keep their order. */
  sort(dim = -1, { descending = false }: SortOptions = {}): ValuesAndIndices {
    return order.sort(this, dim, descending);
  }
  /** Indices that sort along a dimension, int32; equal elements keep their order, NaN counts as the largest. */
  argsort(dim = -1, { descending = false }: SortOptions = {}): Tensor {
    return order.argsort(this, dim, descending);
  }
  /** The k largest elements along a dimension, by default the last, in order, and where each was. */
  topk(k: number, dim = -1, { largest = true }: TopkOptions = {}): ValuesAndIndices {
    return order.topk(this, k, dim, largest);
  }
  /** Running sums along a dimension; bool and uint8 are summed as int32. */
  cumsum(dim: number): Tensor {
    return order.cumsum(this, dim);
  }
}

function scaled(operand: Operand, factor: number): Operand {
  return isTensor(operand) ? operand.mul(factor) : operand * factor;
}

export function dtypeOfArray(data: TypedArray): DType {
  if (data instanceof Float32Array) return "float32";
  if (data instanceof Float64Array) return "float64";
  return data instanceof Int32Array ? "int32" : "uint8";
}

function nest(data: ArrayLike<number>, shape: readonly number[], offset = 0): NestedArray {
  if (shape.length === 0) return data[offset];
  const [extent, ...rest] = shape;
  const stride = sizeOf(rest);
  return Array.from({ length: extent }, (_, i) => nest(data, rest, offset + i * stride));
}

/** A tensor that a module learns (`torch.nn.Parameter`): state that requires a gradient. */
export class Parameter extends Tensor {
  /**
   * @param data the values to begin with; its history is left behind
   * @param requiresGrad whether it learns. Default true
   */
  constructor(data: Tensor, requiresGrad = true) {
    super(build.detach(data.node));
    this.asState(requiresGrad);
  }

  /** The word that stands before the printed elements. */
  protected override get formatName(): string {
    return "Parameter";
  }
}
