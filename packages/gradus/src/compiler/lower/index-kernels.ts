// Kernels that write where an index says, or in an order: concatenation, scattered addition, stable sorting and
// cumulative sums.

import { type Node, sizeOf } from "../../graph/index.ts";
import { Builder } from "../builder.ts";
import { flatten, Index, LoopVariable } from "../index-expression.ts";
import { type BufferReference, type Expression, kindOf, loop, Register, type Statement } from "../ir.ts";
import type { Target } from "../target.ts";
import { lowerCopy } from "./map-reduce.ts";
import { type Storage, Values } from "./values.ts";

export interface IndexKernel {
  readonly phases: Statement[][];
  readonly scratchBytes: number;
}

/** Every input is copied to its part of the result. */
export function lowerConcat(
  node: Node<"concat">,
  buffers: readonly BufferReference[],
  storage: Storage,
  target: Target,
): IndexKernel {
  const { axis } = node.attributes;
  let offset = 0;
  const copies = node.inputs.flatMap((input) => {
    const start = offset;
    offset += input.shape[axis];
    const place = (at: readonly Index[]): Index =>
      flatten(
        at.map((index, i) => (i === axis ? index.add(start) : index)),
        node.shape,
      );
    return sizeOf(input.shape) === 0 ? [] : lowerCopy(input, buffers, place, storage, target);
  });
  return { phases: [copies], scratchBytes: 0 };
}

/** Loops over all dimensions but one, the outermost shared among threads. */
function loopsExcept(
  shape: readonly number[],
  axis: number,
  target: Target,
  body: (at: Index[]) => Statement[],
): Statement[] {
  const variables = shape.map((extent, i) => new LoopVariable(`i${i}_`, i === axis ? 1 : extent));
  const at = variables.map((variable) => Index.variable(variable));
  const cost = sizeOf(shape) * 8;
  const rest = variables.filter((variable) => variable.extent > 1);
  return rest.reduceRight<Statement[]>(
    (inside, variable, i) => [loop(variable, inside, { parallel: i === 0 && cost >= target.parallelThreshold, cost })],
    body(at),
  );
}

const withAxis = (at: readonly Index[], axis: number, index: Index): Index[] =>
  at.map((other, i) => (i === axis ? index : other));

/** The base is copied, then the source added, one after another along the axis so that repeated indices meet in order. */
export function lowerScatterAdd(
  node: Node<"scatterAdd">,
  buffers: readonly BufferReference[],
  storage: Storage,
  target: Target,
): IndexKernel {
  const [base, index, source] = node.inputs;
  const { axis } = node.attributes;
  const copy = lowerCopy(base, buffers, (at) => flatten(at, node.shape), storage, target);
  const build = new Builder();
  const values = new Values(build, storage);
  const length = node.shape[axis];
  const add = loopsExcept(source.shape, axis, target, (at) => {
    const step = new LoopVariable("step", source.shape[axis]);
    const from = withAxis(at, axis, Index.variable(step));
    const position = build.checked(values.at(index, from), length);
    const place = flatten(withAxis(at, axis, Index.value(position, length - 1)), node.shape);
    const addend = values.at(source, from);
    const stores = buffers.map((buffer): Statement => {
      const sum = build.binary(addend.kind === "bool" ? "or" : "add", build.load(buffer, place, null), addend);
      return { op: "store", buffer, index: place, value: sum };
    });
    return [loop(step, stores)];
  });
  return { phases: sizeOf(source.shape) === 0 ? [copy] : [copy, add], scratchBytes: 0 };
}

export function lowerCumulativeSum(
  node: Node<"cumsum">,
  buffers: readonly BufferReference[],
  storage: Storage,
  target: Target,
): IndexKernel {
  const [x] = node.inputs;
  const { axis } = node.attributes;
  const build = new Builder();
  const values = new Values(build, storage);
  const kind = kindOf[node.dtype];
  const sum = new Register("sum", kind, 1);
  const body = loopsExcept(node.shape, axis, target, (at) => {
    const step = new LoopVariable("step", node.shape[axis]);
    const here = withAxis(at, axis, Index.variable(step));
    const next = build.binary("add", build.read(sum), values.at(x, here));
    const stores = buffers.map(
      (buffer): Statement => ({ op: "store", buffer, index: flatten(here, node.shape), value: build.read(sum) }),
    );
    return [
      { op: "assign", register: sum, value: build.constant(0, kind) },
      loop(step, [{ op: "assign", register: sum, value: next }, ...stores]),
    ];
  });
  return { phases: [body], scratchBytes: 0 };
}

/**
 * Stable merge sort of positions, bottom up: runs of 1, 2, 4, ... are merged from one place to the other, between the
 * result and the thread's scratch, so that the last merge ends in the result.
 */
export function lowerArgsort(
  node: Node<"argsort">,
  buffers: readonly BufferReference[],
  storage: Storage,
  target: Target,
): IndexKernel {
  const [x] = node.inputs;
  const { axis, descending } = node.attributes;
  const length = node.shape[axis] ?? 1;
  const build = new Builder();
  const values = new Values(build, storage);
  const scratch: BufferReference = { name: "positions", dtype: "int32", elements: length, space: "scratch" };
  const [result, ...copies] = buffers;
  const passes = Math.ceil(Math.log2(Math.max(1, length)));
  const body = loopsExcept(node.shape, axis, target, (at) => {
    /** Where the n-th position of this row lies, in the result or in scratch. */
    const place = (inResult: boolean, n: Index): [BufferReference, Index] =>
      inResult ? [result, flatten(withAxis(at, axis, n), node.shape)] : [scratch, n];
    const statements: Statement[] = [];
    const first = new LoopVariable("first", length);
    const startInResult = passes % 2 === 0;
    const [home, index] = place(startInResult, Index.variable(first));
    statements.push(loop(first, [{ op: "store", buffer: home, index, value: build.index(Index.variable(first)) }]));
    for (let pass = 0; pass < passes; pass++) {
      const fromResult = (pass % 2 === 0) === startInResult;
      statements.push(
        ...mergePass(
          2 ** pass,
          (n) => place(fromResult, n),
          (n) => place(!fromResult, n),
          at,
        ),
      );
    }
    const copy = new LoopVariable("copy", length);
    for (const buffer of copies) {
      const [, from] = place(true, Index.variable(copy));
      statements.push(loop(copy, [{ op: "store", buffer, index: from, value: build.load(result, from, null) }]));
    }
    return statements;
  });

  type Place = (n: Index) => [BufferReference, Index];

  function mergePass(width: number, from: Place, to: Place, at: readonly Index[]): Statement[] {
    const i32 = (value: number): Expression => build.constant(value, "i32");
    const [left, right] = [new Register("left", "i32", 1), new Register("right", "i32", 1)];
    const run = new LoopVariable("run", Math.ceil(length / (2 * width)));
    const start = Index.variable(run).multiply(2 * width);
    const bounded = (index: Index): Expression =>
      index.maximum <= length ? build.index(index) : build.binary("min", build.index(index), i32(length));
    const [middle, end] = [bounded(start.add(width)), bounded(start.add(2 * width))];
    const positionAt = (register: Register): Expression => {
      const n = build.binary("min", build.read(register), i32(length - 1));
      return build.load(...from(Index.value(n, length - 1)), null);
    };
    const keyOf = (position: Expression): Expression =>
      values.at(x, withAxis(at, axis, Index.value(position, length - 1)));
    const [leftPosition, rightPosition] = [positionAt(left), positionAt(right)];
    const [leftKey, rightKey] = [keyOf(leftPosition), keyOf(rightPosition)];
    const rightFirst = descending ? before(build, leftKey, rightKey) : before(build, rightKey, leftKey);
    const leftOver = build.compare("le", middle, build.read(left));
    const rightLeft = build.compare("lt", build.read(right), end);
    const takeRight = build.binary("and", rightLeft, build.binary("or", leftOver, rightFirst));
    const chosen = new Register("chosen", "i32", 1);
    const takes = new Register("takes", "i32", 1);
    const k = new LoopVariable("k", length);
    const [buffer, index] = to(Index.variable(k));
    const step = loop(
      k,
      [
        { op: "assign", register: takes, value: build.convert(takeRight, "i32") },
        {
          op: "assign",
          register: chosen,
          value: build.select(build.compare("ne", build.read(takes), i32(0)), rightPosition, leftPosition),
        },
        { op: "store", buffer, index, value: build.read(chosen) },
        { op: "assign", register: right, value: build.binary("add", build.read(right), build.read(takes)) },
        {
          op: "assign",
          register: left,
          value: build.binary("add", build.read(left), build.binary("sub", i32(1), build.read(takes))),
        },
      ],
      { from: start, to: Index.value(end, length) },
    );
    return [
      loop(run, [
        { op: "assign", register: left, value: build.index(start) },
        { op: "assign", register: right, value: middle },
        step,
      ]),
    ];
  }

  return { phases: [body], scratchBytes: length * 4 };
}

/** Whether a is smaller than b; a NaN is larger than all. */
function before(build: Builder, a: Expression, b: Expression): Expression {
  if (a.kind === "bool") return build.compare("lt", build.convert(a, "i32"), build.convert(b, "i32"));
  const smaller = build.compare("lt", a, b);
  if (a.kind === "i32") return smaller;
  const isNumber = build.compare("eq", a, a);
  const otherIsNaN = build.unary("not", build.compare("eq", b, b));
  return build.binary("or", smaller, build.binary("and", isNumber, otherIsNaN));
}
