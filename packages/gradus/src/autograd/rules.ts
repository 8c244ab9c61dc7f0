// The gradient of every op, as one table of rules from graph to graph. A rule gets the node, the gradient that arrives
// at its result, and returns the gradient for each input (null where none flows). Because rules build ordinary nodes,
// gradients of gradients need nothing more.

import { axesFrom, build, type Node, type Op, type OpAttributes, parseDotSpec } from "../graph/index.ts";
import { inputGradientOfConv, weightGradientOfConv } from "./conv.ts";

const { add, binary, cast, compare, div, full, fullLike, mul, neg, scale, select, sub, unary } = build;

type Gradients = readonly (Node | null)[];
type GradientRule<K extends Op> = (node: Node<K>, gradient: Node) => Gradients;

const none = (node: Node): Gradients => node.inputs.map(() => null);
const oneMinus = (x: Node): Node => sub(fullLike(1, x), x);

type UnaryRule = (x: Node, y: Node, gradient: Node) => Node | null;

/** x is the input, y the result. */
const unaryRules: { readonly [F in OpAttributes["unary"]["fn"]]: UnaryRule } = {
  neg: (_x, _y, g) => neg(g),
  abs: (x, _y, g) => mul(g, unary("sign", x)),
  sign: () => null,
  exp: (_x, y, g) => mul(g, y),
  expm1: (_x, y, g) => mul(g, add(y, fullLike(1, y))),
  log: (x, _y, g) => div(g, x),
  log1p: (x, _y, g) => div(g, add(x, fullLike(1, x))),
  sqrt: (_x, y, g) => div(scale(g, 0.5), y),
  rsqrt: (_x, y, g) => mul(scale(g, -0.5), mul(y, mul(y, y))),
  reciprocal: (_x, y, g) => neg(mul(g, mul(y, y))),
  sin: (x, _y, g) => mul(g, unary("cos", x)),
  cos: (x, _y, g) => neg(mul(g, unary("sin", x))),
  tanh: (_x, y, g) => mul(g, oneMinus(mul(y, y))),
  sigmoid: (_x, y, g) => mul(g, mul(y, oneMinus(y))),
  erf: (x, _y, g) => mul(g, scale(unary("exp", neg(mul(x, x))), 2 / Math.sqrt(Math.PI))),
  floor: () => null,
  ceil: () => null,
  round: () => null,
  trunc: () => null,
  not: () => null,
};

type BinaryRule = (a: Node, b: Node, y: Node, gradient: Node) => Gradients;

/** PyTorch's rule for `maximum` and `minimum`: equal operands share the gradient. */
const extremum =
  (winner: (a: Node, b: Node) => Node): BinaryRule =>
  (a, b, _y, g) => {
    const tie = compare("eq", a, b);
    const half = scale(g, 0.5);
    const zero = fullLike(0, g);
    return [select(tie, half, select(winner(a, b), g, zero)), select(tie, half, select(winner(b, a), g, zero))];
  };

const binaryRules: { readonly [F in OpAttributes["binary"]["fn"]]: BinaryRule } = {
  add: (_a, _b, _y, g) => [g, g],
  sub: (_a, _b, _y, g) => [g, neg(g)],
  mul: (a, b, _y, g) => [mul(g, b), mul(g, a)],
  div: (_a, b, y, g) => [div(g, b), neg(mul(g, div(y, b)))],
  pow: (a, b, y, g) => {
    const zero = fullLike(0, g);
    // x^0 is constant, and 0^b is constant for b >= 0: both would otherwise meet 0 * infinity.
    const towardsBase = select(
      compare("eq", b, fullLike(0, b)),
      zero,
      mul(g, mul(b, binary("pow", a, sub(b, fullLike(1, b))))),
    );
    const flat = binary("and", compare("eq", a, fullLike(0, a)), compare("le", fullLike(0, b), b));
    const towardsExponent = select(flat, zero, mul(g, mul(y, unary("log", a))));
    return [towardsBase, towardsExponent];
  },
  max: extremum((a, b) => compare("lt", b, a)),
  min: extremum((a, b) => compare("lt", a, b)),
  remainder: (a, b, _y, g) => [g, neg(mul(g, unary("floor", div(a, b))))],
  and: () => [null, null],
  or: () => [null, null],
  xor: () => [null, null],
};

export const gradientRules: { readonly [K in Op]: GradientRule<K> } = {
  data: none,
  state: none,
  scalar: none,
  full: none,
  iota: none,
  random: none,
  compare: none,
  argmax: none,
  argsort: none,
  detach: none,
  unary: (node, g) => [unaryRules[node.attributes.fn](node.inputs[0], node, g)],
  binary: (node, g) => binaryRules[node.attributes.fn](node.inputs[0], node.inputs[1], node, g),
  select: ({ inputs: [condition] }, g) => [
    null,
    select(condition, g, fullLike(0, g)),
    select(condition, fullLike(0, g), g),
  ],
  cast: ({ inputs: [x] }, g) => [cast(g, x.dtype)],
  reshape: ({ inputs: [x] }, g) => [build.reshape(g, x.shape)],
  permute: ({ attributes: { axes } }, g) => {
    const inverse = new Array<number>(axes.length);
    axes.forEach((axis, i) => {
      inverse[axis] = i;
    });
    return [build.permute(g, inverse)];
  },
  expand: ({ inputs: [x], shape }, g) => {
    const repeated = axesFrom(0, shape.length).filter((axis) => x.shape[axis] === 1 && shape[axis] !== 1);
    return [build.reshape(build.sum(g, repeated), x.shape)];
  },
  slice: ({ inputs: [x], attributes: { start, step }, shape }, g) => {
    const interior = step.map((amount) => amount - 1);
    const high = x.shape.map((extent, axis) =>
      shape[axis] === 0 ? extent - start[axis] : extent - start[axis] - ((shape[axis] - 1) * step[axis] + 1),
    );
    return [build.pad(g, { low: start, high, interior, value: 0 })];
  },
  pad: ({ inputs: [x], attributes: { low, interior } }, g) => {
    const step = interior.map((amount) => amount + 1);
    const stop = x.shape.map((extent, axis) => low[axis] + Math.max(0, (extent - 1) * step[axis] + 1));
    return [build.slice(g, { start: low, stop, step })];
  },
  flip: ({ attributes: { axes } }, g) => [build.flip(g, axes)],
  window: ({ inputs: [x], attributes }, g) => [build.fold(g, attributes, x.shape)],
  fold: ({ attributes }, g) => [build.window(g, attributes)],
  sum: ({ inputs: [x], attributes: { axes } }, g) => [build.spread(g, axes, x.shape)],
  // The first of equal elements takes the gradient, as in PyTorch's `max` along a dimension and its pooling.
  max: ({ inputs: [x], attributes: { axes } }, g) => {
    const winner = build.spread(build.argmax(x, axes), axes, x.shape);
    const spread = build.spread(g, axes, x.shape);
    return [select(compare("eq", build.flatPosition(x.shape, axes), winner), spread, fullLike(0, spread))];
  },
  dot: ({ inputs: [a, b], attributes: { spec } }, g) => {
    const labels = parseDotSpec(spec);
    return [
      build.dot(`${labels.out},${labels.b}->${labels.a}`, g, b),
      build.dot(`${labels.out},${labels.a}->${labels.b}`, g, a),
    ];
  },
  conv: ({ inputs: [x, weight], attributes }, g) => [
    inputGradientOfConv(x, weight, attributes, g),
    weightGradientOfConv(x, weight, attributes, g),
  ],
  gather: ({ inputs: [x, index], attributes: { axis } }, g) => [
    build.scatterAdd(full(0, x.shape, x.dtype), index, g, axis),
    null,
  ],
  scatterAdd: ({ inputs: [, index], attributes: { axis } }, g) => [g, null, build.gather(g, index, axis)],
  concat: ({ inputs, attributes: { axis } }, g) => {
    let offset = 0;
    return inputs.map((input) => {
      const start = g.shape.map((_, i) => (i === axis ? offset : 0));
      const stop = g.shape.map((extent, i) => (i === axis ? offset + input.shape[axis] : extent));
      offset += input.shape[axis];
      return build.slice(g, { start, stop, step: g.shape.map(() => 1) });
    });
  },
  cumsum: ({ attributes: { axis } }, g) => [build.flip(build.cumsum(build.flip(g, [axis]), axis), [axis])],
};
