// Elementwise operations: broadcasting, dtype promotion and the functions of `torch` that are maps.

import {
  type BinaryFunction,
  broadcastShapes,
  build,
  type Comparison,
  type DType,
  DTypeError,
  isFloat,
  type Node,
  promote,
  promoteWithNumber,
  type Shape,
  type UnaryFunction,
} from "../graph/index.ts";
import { isTensor, nodeOf, type Operand, Tensor } from "./tensor.ts";

/** Options of `add` and `sub`. */
export interface AddOptions {
  /** What the other operand is multiplied by. Default 1. */
  readonly alpha?: number;
}

/** The dtype two operands meet in. */
export function commonDType(a: Operand, b: Operand): DType {
  if (isTensor(a)) return isTensor(b) ? promote(a.dtype, b.dtype) : promoteWithNumber(a.dtype, b);
  if (isTensor(b)) return promoteWithNumber(b.dtype, a);
  return "float32";
}

/** A node of the given dtype and shape, from a tensor that broadcasts to it or from a number. */
export function operandNode(operand: Operand, shape: readonly number[], dtype: DType): Node {
  if (!isTensor(operand)) return build.full(operand, shape, dtype);
  return build.broadcastTo(build.cast(nodeOf(operand), dtype), shape);
}

/** The shape two operands broadcast to. */
function commonShape(operation: string, a: Operand, b: Operand): Shape {
  if (!isTensor(a)) return isTensor(b) ? b.shape : [];
  return isTensor(b) ? broadcastShapes(operation, a.shape, b.shape) : a.shape;
}

function binaryNode(fn: BinaryFunction, a: Operand, b: Operand, dtype: DType): Node {
  const shape = commonShape(fn, a, b);
  return build.binary(fn, operandNode(a, shape, dtype), operandNode(b, shape, dtype));
}

export function binary(fn: BinaryFunction, a: Operand, b: Operand): Tensor {
  return Tensor.of(binaryNode(fn, a, b, commonDType(a, b)));
}

export function logical(fn: "and" | "or" | "xor", a: Operand, b: Operand): Tensor {
  const truth = (operand: Operand): Operand => (isTensor(operand) ? operand.to("bool") : operand === 0 ? 0 : 1);
  return Tensor.of(binaryNode(fn, truth(a), truth(b), "bool"));
}

export function compare(fn: Comparison, a: Operand, b: Operand): Tensor {
  const shape = commonShape(fn, a, b);
  const dtype = commonDType(a, b);
  return Tensor.of(build.compare(fn, operandNode(a, shape, dtype), operandNode(b, shape, dtype)));
}

/** True division: integers are divided as float32 (`torch.div`). */
export function divide(a: Operand, b: Operand): Tensor {
  const common = commonDType(a, b);
  const dtype = isFloat(common) ? common : "float32";
  return Tensor.of(binaryNode("div", a, b, dtype));
}

/** Rounded towards minus infinity (`torch.floor_divide`). */
export function floorDivide(a: Operand, b: Operand): Tensor {
  const dtype = commonDType(a, b);
  if (isFloat(dtype)) return divide(a, b).floor();
  // float64 holds every int32 quotient exactly enough to be rounded right.
  const shape = commonShape("floorDivide", a, b);
  const quotient = build.div(operandNode(a, shape, "float64"), operandNode(b, shape, "float64"));
  return Tensor.of(build.cast(build.unary("floor", quotient), dtype));
}

/** A function of floats; integers are taken as float32 first, as in PyTorch. */
export function floatUnary(fn: UnaryFunction, x: Tensor): Tensor {
  const dtype = isFloat(x.dtype) ? x.dtype : "float32";
  return Tensor.of(build.unary(fn, build.cast(nodeOf(x), dtype)));
}

/** A function that keeps its input's dtype. */
export function unary(fn: UnaryFunction, x: Tensor): Tensor {
  if (fn === "neg" && x.dtype === "bool")
    throw new DTypeError("neg", [x.dtype], "a bool has no negative", "Use `logicalNot()`.");
  return Tensor.of(build.unary(fn, nodeOf(x)));
}

export function power(base: Operand, exponent: Operand): Tensor {
  if (isTensor(base) && !isTensor(exponent)) {
    const shortcut = powerShortcuts.get(exponent);
    if (shortcut && (isFloat(base.dtype) || exponent > 1)) return shortcut(base);
  }
  const dtype = commonDType(base, exponent);
  if (isFloat(dtype)) return Tensor.of(binaryNode("pow", base, exponent, dtype));
  return Tensor.of(build.cast(binaryNode("pow", base, exponent, "float64"), dtype));
}

const powerShortcuts: ReadonlyMap<number, (x: Tensor) => Tensor> = new Map([
  [-1, (x) => x.reciprocal()],
  [0.5, (x) => x.sqrt()],
  [2, (x) => x.mul(x)],
  [3, (x) => x.mul(x).mul(x)],
]);

/** Elements of `a` where the condition holds, of `b` elsewhere (`torch.where`). */
export function where(condition: Tensor, a: Operand, b: Operand): Tensor {
  const dtype = commonDType(a, b);
  const shape = broadcastShapes("where", condition.shape, isTensor(a) ? a.shape : [], isTensor(b) ? b.shape : []);
  return Tensor.of(
    build.select(
      operandNode(condition.to("bool"), shape, "bool"),
      operandNode(a, shape, dtype),
      operandNode(b, shape, dtype),
    ),
  );
}

/** Limits every element to [minimum, maximum]; the gradient is 1 inside and on the limits (`torch.clamp`). */
export function clamp(x: Tensor, minimum: number | undefined, maximum: number | undefined): Tensor {
  let result = x;
  // A NaN fails both comparisons and so stays.
  if (minimum !== undefined) result = where(compare("lt", result, minimum), minimum, result);
  if (maximum !== undefined) result = where(compare("lt", maximum, result), maximum, result);
  return result;
}

/** max(x, 0); a NaN stays, and the gradient at 0 is 0, as in PyTorch. */
export function relu(x: Tensor): Tensor {
  return where(compare("le", x, 0), 0, x);
}
