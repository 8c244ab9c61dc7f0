// Convolutions of size 3 and stride 1 with fewer multiplications (Winograd, "Arithmetic complexity of computations", 1980;
// Lavin and Gray, "Fast algorithms for convolutional neural networks", 2016): two results of a dimension from four
// elements of the image and four products in place of six, so 16 in place of 36 for a tile of 2 x 2 results. The products
// of all tiles and channels are 16 contractions, which the engine computes as one; the image's tiles are transformed as
// they are packed. The gradient of the weights is the transposed computation, with results of size 3 from tiles of 2 x 2.
//
// In one dimension, for elements d, weights g and results y, with frequencies 0 to 3:
//   V = [d0 - d2, d1 + d2, d1 - d2, d1 - d3]
//   U = [g0, (g0 + g1 + g2) / 2, (g0 - g1 + g2) / 2, g2]
//   M = U V,  y = [M0 + M1 - M2, M1 + M2 - M3]
//
// All factors are powers of two, and the error stays near that of direct sums. What is infinite or NaN in a tile of the
// image makes its four results NaN.

import { sizeOf } from "../../graph/index.ts";
import type { Builder } from "../builder.ts";
import { flatten, Index, LoopVariable } from "../index-expression.ts";
import { type BufferReference, type Expression, loop, Register, type Statement } from "../ir.ts";
import type { Target } from "../target.ts";
import { type LoweredProduct, lowerProduct } from "./contract.ts";
import type { Operand, Product } from "./dimensions.ts";
import type { LoweredContraction } from "./dot.ts";
import { storeVector, vectorize } from "./vectorize.ts";

/** Channels, of either side, from which the fewer products pay for the transforms. */
const leastChannels = 32;
/** Labels of the frequencies of a tile. */
const [vertical, horizontal] = ["ξ", "ν"];
const frequencies = 4;
const kernelSize = 3;

type Pair<T> = readonly [T, T];

/** A product that is a convolution, or the gradient of its weights. */
interface Convolution {
  readonly image: Operand;
  readonly other: Operand;
  /** Labels along which windows move over the image, and those within a window. */
  readonly positions: Pair<string>;
  readonly kernel: Pair<string>;
  /** Whether the sum is over the windows' positions, as in the gradient of the weights. */
  readonly overPositions: boolean;
}

/** The product by way of Winograd's transforms; null where it is no such convolution or would not gain. */
export function lowerWinograd(product: Product, build: Builder, target: Target): LoweredContraction | null {
  if (!target.fullVectors) return null;
  const convolution = findConvolution(product);
  if (convolution === null) return null;
  const lowering = new Winograd(product, convolution, build, target);
  if (!lowering.pays()) return null;
  return convolution.overPositions ? lowering.weightGradient() : lowering.convolution();
}

function findConvolution({ a, b, out }: Product): Convolution | null {
  for (const [image, other] of [
    [b, a],
    [a, b],
  ]) {
    const pairs = windowPairs(image);
    if (pairs.length !== 2) continue;
    const positions: Pair<string> = [pairs[0].position, pairs[1].position];
    const kernel: Pair<string> = [pairs[0].kernel, pairs[1].kernel];
    const isFree = (label: string): boolean => out.includes(label) && !other.labels.includes(label);
    const isSummed = (label: string): boolean => !out.includes(label) && other.labels.includes(label);
    if (positions.every(isFree) && kernel.every(isSummed))
      return { image, other, positions, kernel, overPositions: false };
    if (positions.every(isSummed) && kernel.every(isFree))
      return { image, other, positions, kernel, overPositions: true };
  }
  return null;
}

/** Dimensions of size 3 along which an image is read in the same steps as along another one: windows of stride 1. */
function windowPairs({ labels, shape, at }: Operand): { position: string; kernel: string }[] {
  const variables = shape.map((extent, i) => new LoopVariable(labels[i], extent));
  const element = at(
    variables.map((variable) => Index.variable(variable)),
    null,
  );
  if (element.node.op !== "load" || element.node.guard !== null) return [];
  const { index } = element.node;
  const steps = variables.map((variable) => index.coefficientOf(variable));
  return [...labels].flatMap((kernel, i) => {
    if (shape[i] !== kernelSize || !steps[i]) return [];
    const same = [...labels].filter((_, j) => j !== i && shape[j] > 1 && steps[j] === steps[i]);
    return same.length === 1 ? [{ position: same[0], kernel }] : [];
  });
}

/** The contraction at every frequency, and where it goes. */
interface Sums {
  readonly lowered: LoweredProduct;
  readonly buffer: BufferReference;
}

class Winograd {
  private readonly extents: ReadonlyMap<string, number>;

  constructor(
    private readonly product: Product,
    private readonly what: Convolution,
    private readonly build: Builder,
    private readonly target: Target,
  ) {
    const { image, other } = what;
    this.extents = new Map(
      [image, other].flatMap(({ labels, shape }) => [...labels].map((label, i) => [label, shape[i]] as const)),
    );
  }

  private extent(label: string): number {
    return this.extents.get(label)!;
  }

  private without(labels: string, left: readonly string[]): string {
    return [...labels].filter((label) => !left.includes(label)).join("");
  }

  private sizeOf(labels: string): number {
    return sizeOf([...labels].map((label) => this.extent(label)));
  }

  /** Whether tiles and vectors come out even, and there are channels enough. */
  pays(): boolean {
    const { image, other, positions, kernel, overPositions } = this.what;
    const { lanes } = this.target;
    const { out } = this.product;
    const even = positions.every((label) => this.extent(label) % 2 === 0);
    const plane = this.extent(positions[0]) * this.extent(positions[1]);
    if (!even || plane % lanes !== 0) return false;
    const free = (labels: string, rest: string): number =>
      this.sizeOf([...labels].filter((label) => out.includes(label) && !rest.includes(label)).join(""));
    const kept = this.without(image.labels, overPositions ? kernel : positions);
    const rows = free(other.labels, image.labels);
    if (rows < leastChannels) return false;
    if (overPositions) {
      const last = this.without(out, kernel).at(-1)!;
      return free(kept, other.labels) >= leastChannels && this.extent(last) % lanes === 0;
    }
    const summed = this.sizeOf([...this.without(image.labels, kernel)].filter((l) => !out.includes(l)).join(""));
    const last = this.without(other.labels, kernel).at(-1)!;
    return summed >= leastChannels && this.extent(last) % lanes === 0 && out.endsWith(positions.join(""));
  }

  // The two computations --------------------------------------------------------------------------------------------

  convolution(): LoweredContraction {
    const { image, other, kernel, positions } = this.what;
    const weights = this.without(other.labels, kernel);
    const transformed = this.memory("weights", frequencies ** 2 * this.sizeOf(weights));
    const shape = [frequencies, frequencies, ...[...weights].map((label) => this.extent(label))];
    const sums = this.sums(
      {
        labels: vertical + horizontal + weights,
        shape,
        at: (position, guard) => this.build.load(transformed, flatten(position, shape), guard),
      },
      this.imageTiles(this.without(image.labels, kernel)),
    );
    const results = this.results(sums.buffer, positions);
    return this.assemble([this.transformWeights(weights, transformed)], sums, results, [transformed]);
  }

  weightGradient(): LoweredContraction {
    const { image, other, kernel } = this.what;
    const sums = this.sums(this.gradientTiles(other), this.imageTiles(this.without(image.labels, kernel)));
    return this.assemble([], sums, this.weightResults(sums.buffer), []);
  }

  private assemble(
    before: Statement[][],
    { lowered, buffer }: Sums,
    after: Statement[],
    memory: readonly BufferReference[],
  ): LoweredContraction {
    const { phases, workspace, ...rest } = lowered;
    return { ...rest, phases: [...before, ...phases, after], workspaces: [...memory, buffer, workspace] };
  }

  private memory(what: string, elements: number): BufferReference {
    return { name: `${what}${this.product.name}`, dtype: "float32", elements, space: "arena" };
  }

  /** The contraction at every frequency, into memory. Tiles have the labels of positions. */
  private sums(other: Operand, image: Operand): Sums {
    const { kernel } = this.what;
    const out = vertical + horizontal + this.without(this.product.out, kernel);
    const elements = sizeOf([...out].map((label) => this.tiled(label)));
    const buffer = this.memory("sums", elements);
    const inOrder = this.what.image === this.product.b ? { a: other, b: image } : { a: image, b: other };
    const finish: Product["finish"] = (index, value) => [{ buffer, index, value }];
    const lowered = lowerProduct({ name: `f${this.product.name}`, ...inOrder, out, finish }, this.build, this.target);
    return { lowered, buffer };
  }

  /** The extent of a label where positions are tiles. */
  private tiled(label: string): number {
    if (label === vertical || label === horizontal) return frequencies;
    return this.what.positions.includes(label) ? this.extent(label) / 2 : this.extent(label);
  }

  // Tiles -----------------------------------------------------------------------------------------------------------

  /** An operand of tiles; `element` gives what a tile has at a frequency, from the positions of all labels. */
  private tiles(
    labels: string,
    element: (frequency: Pair<Index>, at: (label: string) => Index, guard: Expression | null) => Expression,
  ): Operand {
    const all = vertical + horizontal + labels;
    return {
      labels: all,
      shape: [...all].map((label) => this.tiled(label)),
      at: ([v, h, ...rest], guard) => element([v, h], (label) => rest[[...labels].indexOf(label)], guard),
    };
  }

  /** V: at every frequency the sum or difference of two elements, d0 or d1 and d2 or d3. */
  private imageTiles(labels: string): Operand {
    const { build } = this;
    const { image, positions, kernel } = this.what;
    return this.tiles(labels, (frequency, at, guard) => {
      const sign = frequency.map((index) => this.choose(index, [-1, 1, -1, -1]));
      /** Elements as a window's position and a place in the window, neither of them beyond its end. */
      const first = frequency.map((index) => ({
        shift: Index.constant(0),
        place: Index.constant(1).subtract(Index.constant(3).subtract(index).dividedBy(3)),
      }));
      const second = frequency.map((index) => ({ shift: index.dividedBy(3), place: Index.constant(2) }));
      const element = (chosen: typeof first): Expression =>
        image.at(
          [...image.labels].map((label) => {
            const place = kernel.indexOf(label);
            if (place >= 0) return chosen[place].place;
            const axis = positions.indexOf(label);
            return axis >= 0 ? at(label).multiply(2).add(chosen[axis].shift) : at(label);
          }),
          guard,
        );
      const row = (chosen: (typeof first)[0]): Expression =>
        build.fma(sign[1], element([chosen, second[1]]), element([chosen, first[1]]));
      return build.fma(sign[0], row(second[0]), row(first[0]));
    });
  }

  /** Of the results' gradient: at every frequency one of two elements, their sum or their difference. */
  private gradientTiles({ labels, at: elementAt }: Operand): Operand {
    const { build } = this;
    const { positions } = this.what;
    return this.tiles(labels, (frequency, at, guard) => {
      const factors = frequency.map((index) => [this.choose(index, [1, 1, -1, 0]), this.choose(index, [0, 1, 1, -1])]);
      const element = (shifts: Pair<number>): Expression =>
        elementAt(
          [...labels].map((label) => {
            const axis = positions.indexOf(label);
            return axis >= 0 ? at(label).multiply(2).add(shifts[axis]) : at(label);
          }),
          guard,
        );
      const row = (shift: number): Expression =>
        build.fma(factors[1][1], element([shift, 1]), build.binary("mul", factors[1][0], element([shift, 0])));
      return build.fma(factors[0][1], row(1), build.binary("mul", factors[0][0], row(0)));
    });
  }

  /** A number by frequency. */
  private choose(frequency: Index, numbers: readonly number[]): Expression {
    const { build } = this;
    const index = build.index(frequency);
    return numbers.reduceRight(
      (others, number, i) =>
        build.select(build.compare("eq", index, build.constant(i, "i32")), build.constant(number, "f32"), others),
      build.constant(numbers[numbers.length - 1], "f32"),
    );
  }

  // Transforms ------------------------------------------------------------------------------------------------------

  /** Loops over labels, the last in vectors; `body` is given where each label stands. */
  private overVectors(
    labels: string,
    cost: number,
    body: (along: LoopVariable, base: Index, at: (label: string) => Index) => Statement[],
  ): Statement[] {
    const { lanes, parallelThreshold } = this.target;
    const variables = [...labels].map((label) => new LoopVariable(label, this.extent(label)));
    const along = variables[variables.length - 1];
    const block = new LoopVariable("block", along.extent / lanes);
    const at = (label: string): Index => Index.variable(variables[[...labels].indexOf(label)]);
    const total = cost * this.sizeOf(labels);
    return [...variables.slice(0, -1), block].reduceRight<Statement[]>(
      (inside, variable, i) => [
        loop(variable, inside, { parallel: i === 0 && total >= parallelThreshold, cost: total }),
      ],
      body(along, Index.variable(block).multiply(lanes), at),
    );
  }

  /** U, of every pair of channels. */
  private transformWeights(labels: string, into: BufferReference): Statement[] {
    const { build, target } = this;
    const { other, kernel } = this.what;
    const half = (x: Expression): Expression => build.binary("mul", x, build.constant(0.5, "f32"));
    const transform = ([g0, g1, g2]: readonly Expression[]): Expression[] => {
      const outer = build.binary("add", g0, g2);
      return [g0, half(build.binary("add", outer, g1)), half(build.binary("sub", outer, g1)), g2];
    };
    return this.overVectors(labels, 60, (along, base, at) => {
      const element = (y: number, x: number): Expression => {
        const position = [...other.labels].map((label) =>
          kernel.includes(label) ? Index.constant(label === kernel[0] ? y : x) : at(label),
        );
        return vectorize(build, other.at(position, null), along, base, target);
      };
      const columns = [0, 1, 2].map((x) => transform([0, 1, 2].map((y) => element(y, x))));
      const shape = [frequencies, frequencies, ...[...labels].map((label) => this.extent(label))];
      return [0, 1, 2, 3].flatMap((v) =>
        transform(columns.map((column) => column[v])).flatMap((value, h) => {
          const position = [Index.constant(v), Index.constant(h), ...[...labels].map(at)];
          return storeVector(build, into, flatten(position, shape), value, along, base, target);
        }),
      );
    });
  }

  /** The sums at all frequencies, by label. */
  private loadSums(sums: BufferReference, at: (label: string) => Index): Expression[][] {
    const labels = this.without(this.product.out, this.what.kernel);
    const shape = [frequencies, frequencies, ...[...labels].map((label) => this.tiled(label))];
    return [0, 1, 2, 3].map((v) =>
      [0, 1, 2, 3].map((h) => {
        const position = [Index.constant(v), Index.constant(h), ...[...labels].map(at)];
        return this.build.load(sums, flatten(position, shape), null);
      }),
    );
  }

  /** y: of every tile two rows of two results, which the vectors run across. */
  private results(sums: BufferReference, positions: Pair<string>): Statement[] {
    const { build, target } = this;
    const { out } = this.product;
    const outer = this.without(out, positions);
    const [height, width] = positions.map((label) => this.extent(label));
    const variables = [...outer].map((label) => new LoopVariable(label, this.extent(label)));
    const pixel = new LoopVariable("pixel", height * width);
    const block = new LoopVariable("block", pixel.extent / target.lanes);
    const base = Index.variable(block).multiply(target.lanes);
    const [y, x] = [Index.variable(pixel).dividedBy(width), Index.variable(pixel).modulo(width)];
    const at = (label: string): Index => {
      if (label === positions[0]) return y.dividedBy(2);
      if (label === positions[1]) return x.dividedBy(2);
      return Index.variable(variables[[...outer].indexOf(label)]);
    };
    const isFirst = (index: Index): Expression =>
      build.compare("eq", build.index(index.modulo(2)), build.constant(0, "i32"));
    const pick = (first: Expression, [m0, m1, m2, m3]: readonly Expression[]): Expression =>
      build.select(
        first,
        build.binary("sub", build.binary("add", m0, m1), m2),
        build.binary("sub", build.binary("add", m1, m2), m3),
      );
    const rows = this.loadSums(sums, at).map((row) => pick(isFirst(x), row));
    const value = pick(isFirst(y), rows);
    const flat = flatten(
      [...variables.map((variable) => Index.variable(variable)), Index.variable(pixel)],
      [...variables.map(({ extent }) => extent), pixel.extent],
    );
    const body = this.finish(value, flat, pixel, base);
    const cost = 40 * this.sizeOf(out);
    return [...variables, block].reduceRight<Statement[]>(
      (inside, variable, i) => [
        loop(variable, inside, { parallel: i === 0 && cost >= target.parallelThreshold, cost }),
      ],
      body,
    );
  }

  /** The gradient of the weights: g0 = M0 + (M1 + M2) / 2, g1 = (M1 - M2) / 2, g2 = (M1 + M2) / 2 + M3. */
  private weightResults(sums: BufferReference): Statement[] {
    const { build } = this;
    const { out } = this.product;
    const { kernel } = this.what;
    const half = (x: Expression): Expression => build.binary("mul", x, build.constant(0.5, "f32"));
    const transform = ([m0, m1, m2, m3]: readonly Expression[]): Expression[] => {
      const sum = half(build.binary("add", m1, m2));
      return [build.binary("add", m0, sum), half(build.binary("sub", m1, m2)), build.binary("add", sum, m3)];
    };
    return this.overVectors(this.without(out, kernel), 60, (along, base, at) => {
      const rows = this.loadSums(sums, at).map(transform);
      return [0, 1, 2].flatMap((x) =>
        transform(rows.map((row) => row[x])).flatMap((value, y) => {
          const position = [...out].map((label) =>
            kernel.includes(label) ? Index.constant(label === kernel[0] ? y : x) : at(label),
          );
          const shape = [...out].map((label) => this.extent(label));
          return this.finish(value, flatten(position, shape), along, base);
        }),
      );
    });
  }

  /** A vector of results through the epilogue into memory. */
  private finish(value: Expression, flat: Index, along: LoopVariable, base: Index): Statement[] {
    const { build, target } = this;
    const result = new Register("result", "f32", target.lanes);
    const scalar = new Register("element", "f32", 1);
    const wide = new Map([[scalar, result]]);
    return [
      { op: "assign", register: result, value: vectorize(build, value, along, base, target) },
      ...this.product.finish(flat, build.read(scalar)).flatMap(({ buffer, index, value: ofResult }) => {
        const vector = vectorize(build, ofResult, along, base, target, wide);
        return storeVector(build, buffer, index, vector, along, base, target);
      }),
    ];
  }
}
