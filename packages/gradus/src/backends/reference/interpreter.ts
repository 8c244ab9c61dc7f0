// What every op means: one rule each, as an obvious loop in float64. This is the oracle that every other backend is
// tested against, so nothing here is fast and nothing is clever. Leans on the graph only.

import {
  ArgumentError,
  type Node,
  type Op,
  philox,
  philoxKeyTag,
  type Shape,
  sizeOf,
  stridesOf,
  topologicalOrder,
} from "../../graph/index.ts";
import type { ProgramGraph } from "../backend.ts";
import { conv, dot } from "./contractions.ts";
import { binaryFunctions, compareNaNLast, comparisons, unaryFunctions } from "./elementwise.ts";
import { build, eachIndex, positionOf, replaced } from "./indices.ts";
import { addAs, roundCast, roundResult } from "./rounding.ts";

/** A node's elements from its inputs' elements, all row-major. The result is rounded to the node's dtype afterwards. */
type Rule<K extends Op> = (node: Node<K>, inputs: readonly Float64Array[]) => Float64Array;

const rules: { readonly [K in Op]: Rule<K> } = {
  // leaf
  data: unbound,
  state: unbound,
  scalar: unbound,
  full: (node) => filled(node, node.attributes.value),
  iota: (node) => build(node.shape, (index) => index[node.attributes.axis]),
  random: (node, [seed, stream]) =>
    build(
      node.shape,
      (_, position) =>
        philox([position >>> 0, Math.floor(position / 2 ** 32), stream[0] >>> 0, 0], [seed[0] >>> 0, philoxKeyTag])[
          node.attributes.word
        ],
    ),

  // map
  unary: (node, [x]) => {
    const fn = unaryFunctions[node.attributes.fn];
    return x.map((element) => fn(element, node.dtype));
  },
  binary: (node, [a, b]) => {
    const fn = binaryFunctions[node.attributes.fn];
    return a.map((element, position) => fn(element, b[position], node.dtype));
  },
  compare: (node, [a, b]) => {
    const holds = comparisons[node.attributes.fn];
    return a.map((element, position) => Number(holds(element, b[position])));
  },
  select: (_node, [condition, a, b]) => condition.map((chosen, position) => (chosen ? a[position] : b[position])),
  cast: (node, [x]) => {
    // From integer to integer the value wraps; only a float can be too large to be truncated.
    const fromInteger = node.inputs[0].dtype === "int32" || node.inputs[0].dtype === "uint8";
    const wraps = fromInteger && (node.dtype === "uint8" || node.dtype === "int32");
    return x.map(wraps ? roundResult[node.dtype] : roundCast[node.dtype]);
  },
  detach: (_node, [x]) => x,

  // view
  reshape: (_node, [x]) => x,
  permute: (node, [x]) => {
    const strides = stridesOf(node.inputs[0].shape);
    const stridesOut = node.attributes.axes.map((axis) => strides[axis]);
    return build(node.shape, (index) => x[positionOf(index, stridesOut)]);
  },
  expand: (node, [x]) => {
    const { shape } = node.inputs[0];
    const strides = stridesOf(shape).map((stride, axis) => (shape[axis] === 1 ? 0 : stride));
    return build(node.shape, (index) => x[positionOf(index, strides)]);
  },
  slice: (node, [x]) => {
    const { start, step } = node.attributes;
    const strides = stridesOf(node.inputs[0].shape);
    return build(node.shape, (index) => {
      const source = index.map((entry, axis) => start[axis] + entry * step[axis]);
      return x[positionOf(source, strides)];
    });
  },
  pad: (node, [x]) => {
    const { low, interior, value } = node.attributes;
    const strides = stridesOf(node.shape);
    const result = filled(node, value);
    eachIndex(node.inputs[0].shape, (index, position) => {
      const target = index.map((entry, axis) => low[axis] + entry * (interior[axis] + 1));
      result[positionOf(target, strides)] = x[position];
    });
    return result;
  },
  flip: (node, [x]) => {
    const strides = stridesOf(node.shape);
    return build(node.shape, (index) => {
      const source = index.map((entry, axis) =>
        node.attributes.axes.includes(axis) ? node.shape[axis] - 1 - entry : entry,
      );
      return x[positionOf(source, strides)];
    });
  },
  window: (node, [x]) => {
    const strides = windowStrides(node, node.inputs[0].shape);
    return build(node.shape, (index) => x[positionOf(index, strides)]);
  },
  fold: (node, [x]) => {
    const strides = windowStrides(node, node.shape);
    const result = new Float64Array(sizeOf(node.shape));
    eachIndex(node.inputs[0].shape, (index, position) => {
      const target = positionOf(index, strides);
      result[target] = addAs(node.dtype, result[target], x[position]);
    });
    return result;
  },

  // reduce
  sum: (node, [x]) => {
    const result = new Float64Array(sizeOf(node.shape));
    eachReduced(node, (target, source) => {
      result[target] = addAs(node.dtype, result[target], x[source]);
    });
    return result;
  },
  max: (node, [x]) => {
    const result = new Float64Array(sizeOf(node.shape)).fill(-Infinity);
    eachReduced(node, (target, source) => {
      result[target] = Math.max(result[target], x[source]);
    });
    return result;
  },
  argmax: (node, [x]) => {
    const result = new Float64Array(sizeOf(node.shape));
    const best = new Float64Array(result.length);
    eachReduced(node, (target, source, order) => {
      if (order > 0 && compareNaNLast(x[source], best[target]) <= 0) return;
      best[target] = x[source];
      result[target] = order;
    });
    return result;
  },

  // contract
  dot: (node, [a, b]) => dot(node, a, b),
  conv: (node, [x, w]) => conv(node, x, w),

  // index
  gather: (node, [x, indices]) => {
    const { axis } = node.attributes;
    const { shape } = node.inputs[0];
    const strides = stridesOf(shape);
    return build(node.shape, (index, position) => {
      const entry = checkedIndex("gather", indices[position], shape, axis);
      return x[positionOf(replaced(index, axis, entry), strides)];
    });
  },
  scatterAdd: (node, [base, indices, source]) => {
    const { axis } = node.attributes;
    const strides = stridesOf(node.shape);
    const result = base.slice();
    eachIndex(node.inputs[1].shape, (index, position) => {
      const entry = checkedIndex("scatterAdd", indices[position], node.shape, axis);
      const target = positionOf(replaced(index, axis, entry), strides);
      result[target] = addAs(node.dtype, result[target], source[position]);
    });
    return result;
  },
  concat: (node, inputs) => {
    const { axis } = node.attributes;
    const strides = stridesOf(node.shape);
    const result = new Float64Array(sizeOf(node.shape));
    let offset = 0;
    node.inputs.forEach(({ shape }, i) => {
      eachIndex(shape, (index, position) => {
        result[positionOf(index, strides) + offset * strides[axis]] = inputs[i][position];
      });
      offset += shape[axis];
    });
    return result;
  },

  // order
  argsort: (node, [x]) => {
    const { axis, descending } = node.attributes;
    const stride = stridesOf(node.shape)[axis];
    const sign = descending ? -1 : 1;
    const result = new Float64Array(x.length);
    eachIndex(node.shape, (index, first) => {
      if (index[axis] !== 0) return;
      // Array.prototype.sort is stable, so equal elements keep their order in both directions.
      const order = Array.from({ length: node.shape[axis] }, (_, i) => i).sort(
        (i, j) => sign * compareNaNLast(x[first + i * stride], x[first + j * stride]),
      );
      order.forEach((entry, i) => {
        result[first + i * stride] = entry;
      });
    });
    return result;
  },
  cumsum: (node, [x]) => {
    const { axis } = node.attributes;
    const stride = stridesOf(node.shape)[axis];
    const result = x.slice();
    eachIndex(node.shape, (index, position) => {
      if (index[axis] > 0) result[position] = addAs(node.dtype, result[position - stride], x[position]);
    });
    return result;
  },
};

/**
 * Runs a graph.
 * @param inputs the elements of `graph.inputs`, row-major
 * @param scalars the values of `graph.scalars`
 * @returns the elements of `graph.outputs`, row-major. Integers and bools are in the range of their dtype; floats keep
 *   float64 precision whatever their dtype, but for constants and casts, which are numbers of their dtype.
 * @throws ArgumentError for an index out of range, an integer remainder by 0, or a leaf that is not bound
 */
export function interpret(
  graph: ProgramGraph,
  inputs: readonly ArrayLike<number>[],
  scalars: readonly number[],
): Float64Array[] {
  const values = new Map<Node, Float64Array>();
  graph.inputs.forEach((leaf, i) => {
    values.set(leaf, Float64Array.from(inputs[i]));
  });
  graph.scalars.forEach((leaf, i) => {
    values.set(leaf as unknown as Node, filled(leaf, scalars[i]));
  });
  for (const node of topologicalOrder(graph.outputs, (node) => values.has(node))) {
    if (values.has(node)) continue;
    const result = ruleOf(node.op)(
      node,
      node.inputs.map((input) => values.get(input)!),
    );
    values.set(node, result.map(roundResult[node.dtype]));
  }
  return graph.outputs.map((output) => values.get(output)!);
}

function ruleOf<K extends Op>(op: K): Rule<K> {
  return rules[op];
}

function unbound(node: { readonly op: Op; readonly shape: Shape }): never {
  throw new ArgumentError(
    "interpret",
    `a ${node.op} leaf of shape [${node.shape.join(", ")}] has no value`,
    "List it among the graph's inputs or scalars.",
  );
}

function filled(node: Pick<Node, "shape" | "dtype">, value: number): Float64Array {
  return new Float64Array(sizeOf(node.shape)).fill(roundCast[node.dtype](value));
}

/** Strides that take an index of windows, window elements last, to the position it reads in the array of `shape`. */
function windowStrides(node: Node<"window"> | Node<"fold">, shape: Shape): number[] {
  const { axes, stride, dilation } = node.attributes;
  const strides = stridesOf(shape);
  const windows = strides.map((step, axis) => (axes.includes(axis) ? step * stride[axes.indexOf(axis)] : step));
  return [...windows, ...axes.map((axis, i) => strides[axis] * dilation[i])];
}

/** Visits every element of a reduction's input: where it goes, where it is, and its row-major rank among its like. */
function eachReduced(
  node: Node<"sum"> | Node<"max"> | Node<"argmax">,
  visit: (target: number, source: number, order: number) => void,
): void {
  const { axes } = node.attributes;
  const { shape } = node.inputs[0];
  const kept = shape.map((_, axis) => axis).filter((axis) => !axes.includes(axis));
  const stridesOut = stridesOf(node.shape);
  const stridesReduced = stridesOf(axes.map((axis) => shape[axis]));
  eachIndex(shape, (index, source) => {
    const target = kept.reduce((sum, axis, i) => sum + index[axis] * stridesOut[i], 0);
    const order = axes.reduce((sum, axis, i) => sum + index[axis] * stridesReduced[i], 0);
    visit(target, source, order);
  });
}

function checkedIndex(op: string, entry: number, shape: Shape, axis: number): number {
  if (entry >= 0 && entry < shape[axis]) return entry;
  throw new ArgumentError(
    op,
    `index ${entry} is out of range for dimension ${axis} of size ${shape[axis]}`,
    `Indices run from 0 to ${shape[axis] - 1}.`,
  );
}
