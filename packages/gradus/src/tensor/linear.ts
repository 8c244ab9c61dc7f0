// Contractions: matmul in all of PyTorch's rank combinations, and einsum.

import { ArgumentError, broadcastShapes, build, promote, ShapeError } from "../graph/index.ts";
import { nodeOf, Tensor } from "./tensor.ts";

/** Labels for batch dimensions: any that the fixed ones of matmul ("m", "k", "n") do not use. */
const batchLabels = "abcdefghijopqrstuvwxyz";

/**
 * The matrix product in all of PyTorch's combinations of ranks: [..., n, m] and [..., m, p] to [..., n, p]; the
 * dimensions in front broadcast, and a vector is a row on the left and a column on the right (`torch.matmul`).
 * @throws ShapeError if the inner dimensions differ, or an operand is a scalar
 */
export function matmul(a: Tensor, b: Tensor): Tensor {
  if (a.ndim === 0 || b.ndim === 0)
    throw new ShapeError("matmul", [a.shape, b.shape], "both operands need at least one dimension");
  const innerA = a.shape[a.ndim - 1];
  const innerB = b.shape[Math.max(0, b.ndim - 2)];
  if (innerA !== innerB) {
    throw new ShapeError(
      "matmul",
      [a.shape, b.shape],
      `the inner dimensions differ, ${innerA} and ${innerB}`,
      "The last dimension of the first must equal the last but one of the second.",
    );
  }
  const dtype = promote(a.dtype, b.dtype);
  const [x, y] = [a.to(dtype), b.to(dtype)];
  const batchA = x.shape.slice(0, -2);
  const batchB = y.shape.slice(0, -2);
  const batch = broadcastShapes("matmul", batchA, batchB);
  const rows = x.ndim > 1 ? "m" : "";
  const columns = y.ndim > 1 ? "n" : "";
  const labels = batchLabels.slice(0, batch.length);
  // A batch dimension that is missing or 1 in one operand is simply not named there.
  const own = (shape: readonly number[]): { names: string; kept: number[] } => {
    const offset = batch.length - shape.length;
    const axes = shape.flatMap((extent, axis) => (extent === 1 && batch[axis + offset] !== 1 ? [] : [axis]));
    return { names: axes.map((axis) => labels[axis + offset]).join(""), kept: axes.map((axis) => shape[axis]) };
  };
  const ownA = own(batchA);
  const ownB = own(batchB);
  const left = build.reshape(nodeOf(x), [...ownA.kept, ...x.shape.slice(batchA.length)]);
  const right = build.reshape(nodeOf(y), [...ownB.kept, ...y.shape.slice(batchB.length)]);
  const spec = `${ownA.names}${rows}k,${ownB.names}k${columns}->${labels}${rows}${columns}`;
  return Tensor.of(build.dot(spec, left, right));
}

/** One operand with repeated labels taken to its diagonal, and labels that nothing else needs summed away. */
function prepareOperand(x: Tensor, labels: string, needed: ReadonlySet<string>): { tensor: Tensor; labels: string } {
  let tensor = x;
  let names = labels;
  for (let axis = 0; axis < names.length; axis++) {
    const again = names.indexOf(names[axis], axis + 1);
    if (again < 0) continue;
    tensor = diagonal(tensor, axis, again);
    names = names.slice(0, again) + names.slice(again + 1);
    axis--;
  }
  const lonely = [...names].flatMap((label, axis) => (needed.has(label) ? [] : [axis]));
  if (lonely.length > 0) tensor = tensor.sum(lonely);
  return { tensor, labels: [...names].filter((label) => needed.has(label)).join("") };
}

/** Where the indices of two dimensions are equal: the second one disappears. */
function diagonal(x: Tensor, first: number, second: number): Tensor {
  const extent = x.shape[first];
  const moved = [...x.shape.keys()].filter((axis) => axis !== first && axis !== second);
  const square = x.permute([first, second, ...moved]);
  const rest = square.shape.slice(2);
  const flat = square.reshape([extent * extent, ...rest]);
  const strided = flat.slice(0, 0, extent * extent, extent + 1);
  const order = [...moved.slice(0, first), first, ...moved.slice(first)];
  const axes = order.map((axis) => (axis === first ? 0 : moved.indexOf(axis) + 1));
  return strided.permute(axes);
}

/**
 * Einstein summation (`torch.einsum`): `einsum("bij,bjk->bik", a, b)`. Labels are letters, "..." stands for leading
 * dimensions that broadcast, and without "->" the labels that occur once are kept in alphabetical order.
 */
export function einsum(equation: string, ...operands: readonly Tensor[]): Tensor {
  const [left, explicit] = equation.replaceAll(" ", "").split("->");
  const terms = left.split(",");
  if (terms.length !== operands.length || operands.length === 0) {
    throw new ArgumentError(
      "einsum",
      `"${equation}" names ${terms.length} operands, ${operands.length} were given`,
      "Give one operand for each term.",
    );
  }
  const spare = [..."ABCDEFGHIJKLMNOPQRSTUVWXYZ"].filter((label) => !equation.includes(label));
  const depth = (term: string, i: number): number => (term.includes("...") ? operands[i].ndim - (term.length - 3) : 0);
  const deepest = Math.max(0, ...terms.map(depth));
  const ellipsis = spare.slice(0, deepest).join("");
  const named = terms.map((term, i) => {
    const count = depth(term, i);
    const labels = term.replace("...", ellipsis.slice(deepest - count));
    if (labels.length !== operands[i].ndim || !/^[a-zA-Z]*$/.test(labels)) {
      throw new ShapeError(
        "einsum",
        [operands[i].shape],
        `the term "${term}" of "${equation}" names ${labels.length} dimensions`,
        "Name every dimension with a letter, or use '...'.",
      );
    }
    return labels;
  });
  const counts = new Map<string, number>();
  for (const label of named.join("")) counts.set(label, (counts.get(label) ?? 0) + 1);
  const implicit = [...counts].filter(([label, count]) => count === 1 && !ellipsis.includes(label));
  const out = (
    explicit ??
    `...${implicit
      .map(([label]) => label)
      .sort()
      .join("")}`
  ).replace("...", ellipsis);
  for (const label of out) {
    if (!counts.has(label)) throw new ArgumentError("einsum", `the result names "${label}", which no operand has`);
  }
  const contract = (i: number, tensor: Tensor, labels: string): { tensor: Tensor; labels: string } => {
    const needed = new Set(out + named.slice(i).join(""));
    return prepareOperand(tensor, labels, needed);
  };
  // Contracted from left to right; after each step only labels that later terms or the result need remain.
  let result = contract(1, operands[0], named[0]);
  for (let i = 1; i < operands.length; i++) {
    const next = prepareOperand(operands[i], named[i], new Set(out + named.slice(i + 1).join("") + result.labels));
    const kept = new Set(out + named.slice(i + 1).join(""));
    const shared = [...new Set(result.labels + next.labels)].filter((label) => kept.has(label)).join("");
    const dtype = promote(result.tensor.dtype, next.tensor.dtype);
    const [a, b] = alignOnes(result, next);
    const spec = `${a.labels},${b.labels}->${shared}`;
    result = {
      tensor: Tensor.of(build.dot(spec, nodeOf(a.tensor.to(dtype)), nodeOf(b.tensor.to(dtype)))),
      labels: shared,
    };
  }
  return result.tensor.permute([...out].map((label) => result.labels.indexOf(label)));
}

type Named = { tensor: Tensor; labels: string };

/** Drops a label of extent 1 from one operand where the other has it larger: broadcasting. */
function alignOnes(a: Named, b: Named): [Named, Named] {
  const drop = (x: Named, other: Named): Named => {
    const axes = [...x.labels].flatMap((label, axis) => {
      const there = other.labels.indexOf(label);
      return there >= 0 && x.tensor.shape[axis] === 1 && other.tensor.shape[there] !== 1 ? [axis] : [];
    });
    if (axes.length === 0) return x;
    return { tensor: x.tensor.squeeze(axes), labels: [...x.labels].filter((_, axis) => !axes.includes(axis)).join("") };
  };
  return [drop(a, b), drop(b, a)];
}
