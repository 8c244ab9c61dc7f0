// Types and kinds: what nodes have in common. A type is a shape and a dtype; a kind is an operation with its attributes
// and the type of its result, so that nodes of one kind differ in their inputs only. Equal ones are one object with a
// number, by which nodes and whole graphs are compared. The tables outlive flushes: a training step meets the kinds of
// the step before, and asks no shape rule about operands that it has answered for.

import { type DType, dtypes, isFloat } from "./dtype.ts";
import { ForgetfulTable, type HashTable, mix, mixNumber, mixNumbers, mixText } from "./hash-table.ts";
import type { Node } from "./node.ts";
import { type Op, type OpAttributes, type ShapeAndDType, shapeRules } from "./ops.ts";
import { type Shape, sameShape } from "./shape.ts";

/** Numbers are never given twice: equal ones mean equal types or kinds, also after a table has forgotten some. */
let nextId = 1;

/** So many newer ones are met before one that is not met again is forgotten: those of a hundred models. */
export const rememberedKinds = 1 << 15;

/** A shape and a dtype. */
export class TensorType implements ShapeAndDType {
  readonly id = nextId++;
  readonly isFloat: boolean;

  constructor(
    readonly shape: Shape,
    readonly dtype: DType,
    readonly hash: number,
  ) {
    this.isFloat = isFloat(dtype);
  }

  toString(): string {
    return `${this.dtype}[${this.shape.join(",")}]`;
  }
}

/** Where a gradient ends: these ops carry `requiresGrad` themselves, whatever they are made of. */
const gradientLeaves: ReadonlySet<Op> = new Set<Op>(["data", "state", "detach"]);

/** An operation, its attributes and the type of its result. */
export class Kind<K extends Op = Op> {
  readonly id = nextId++;
  readonly isGradientLeaf: boolean;

  constructor(
    readonly op: K,
    readonly attributes: OpAttributes[K],
    readonly type: TensorType,
  ) {
    this.isGradientLeaf = gradientLeaves.has(op);
  }

  toString(): string {
    const attributes = Object.entries(this.attributes).map(([name, value]) => ` ${name}=${describeValue(value)}`);
    return `${this.op}:${this.type}${attributes.join("")}`;
  }
}

function describeValue(value: unknown): string {
  if (Array.isArray(value)) return value.join(",");
  return Object.is(value, -0) ? "-0" : String(value);
}

/** What a shape rule made of operands of these types and, where the op lets its result be chosen, of what was wanted. */
interface Inference {
  readonly operands: readonly TensorType[];
  readonly wanted: ShapeAndDType;
  readonly kind: Kind;
}

const types = new ForgetfulTable<TensorType>(rememberedKinds);
const kinds = new ForgetfulTable<Kind>(rememberedKinds);
const inferences = new ForgetfulTable<Inference>(rememberedKinds);

/** How many types, kinds and answers of shape rules are remembered. */
export const kindStatistics = () => ({ types: types.size, kinds: kinds.size, inferences: inferences.size });

/** The one type of this shape and dtype. */
export function typeOf(wanted: ShapeAndDType): TensorType {
  if (wanted instanceof TensorType) return wanted;
  const hash = hashOfType(wanted);
  const known = findType(types.recent, hash, wanted);
  if (known !== null) return known;
  const { shape, dtype } = wanted;
  const type = findType(types.earlier, hash, wanted) ?? new TensorType([...shape], dtype, hash);
  types.add(hash, type);
  return type;
}

/** The one kind of this operation, these attributes and this result. */
export function kindOf<K extends Op>(op: K, attributes: OpAttributes[K], result: ShapeAndDType): Kind<K> {
  const type = typeOf(result);
  const hash = mix(hashOfAttributes(mixText(type.hash, op), attributes), type.hash);
  const known = findKind(kinds.recent, hash, op, attributes, type);
  if (known !== null) return known as unknown as Kind<K>;
  const kind = findKind(kinds.earlier, hash, op, attributes, type) ?? new Kind(op, copyOf<K>(attributes), type);
  kinds.add(hash, kind as unknown as Kind);
  return kind as Kind<K>;
}

const anything: ShapeAndDType = { shape: [], dtype: "float32" };

/**
 * The kind of an operation on inputs. The shape rule is asked about every combination of attributes and types once.
 * @param wanted the result's shape and dtype, for ops that are free to choose them
 * @throws ShapeError, DTypeError as the op's shape rule says
 */
export function inferKind<K extends Op>(
  op: K,
  inputs: readonly Node[],
  attributes: OpAttributes[K],
  wanted: ShapeAndDType = anything,
): Kind<K> {
  let hash = hashOfAttributes(mixText(0, op), attributes);
  for (let i = 0; i < inputs.length; i++) hash = mix(hash, inputs[i].kind.type.hash);
  if (wanted !== anything) hash = mix(hash, hashOfType(wanted));
  const known = findInference(inferences.recent, hash, op, inputs, attributes, wanted);
  if (known !== null) return known.kind as unknown as Kind<K>;
  const inference = findInference(inferences.earlier, hash, op, inputs, attributes, wanted) ?? {
    operands: inputs.map(({ kind }) => kind.type),
    wanted: wanted === anything ? anything : typeOf(wanted),
    kind: kindOf(op, attributes, shapeRules[op](inputs, attributes, wanted)) as unknown as Kind,
  };
  inferences.add(hash, inference);
  return inference.kind as unknown as Kind<K>;
}

// Looking up --------------------------------------------------------------------------------------------------------

function findType(table: HashTable<TensorType>, hash: number, wanted: ShapeAndDType): TensorType | null {
  for (let place = table.first(hash); ; place = table.after(place)) {
    const found = table.at(place);
    if (found === null) return null;
    if (table.hashAt(place) === hash && sameType(found, wanted)) return found;
  }
}

function findKind(table: HashTable<Kind>, hash: number, op: Op, attributes: object, type: TensorType): Kind | null {
  for (let place = table.first(hash); ; place = table.after(place)) {
    const found = table.at(place);
    if (found === null) return null;
    if (
      table.hashAt(place) === hash &&
      found.op === op &&
      sameType(found.type, type) &&
      sameAttributes(found.attributes, attributes)
    )
      return found;
  }
}

function findInference(
  table: HashTable<Inference>,
  hash: number,
  op: Op,
  inputs: readonly Node[],
  attributes: object,
  wanted: ShapeAndDType,
): Inference | null {
  for (let place = table.first(hash); ; place = table.after(place)) {
    const found = table.at(place);
    if (found === null) return null;
    if (
      table.hashAt(place) === hash &&
      found.kind.op === op &&
      haveTypes(inputs, found.operands) &&
      sameType(found.wanted, wanted) &&
      sameAttributes(found.kind.attributes, attributes)
    )
      return found;
  }
}

function haveTypes(nodes: readonly Node[], types: readonly TensorType[]): boolean {
  if (nodes.length !== types.length) return false;
  for (let i = 0; i < nodes.length; i++) if (!sameType(nodes[i].kind.type, types[i])) return false;
  return true;
}

function sameType(a: ShapeAndDType, b: ShapeAndDType): boolean {
  return a === b || (a.dtype === b.dtype && sameShape(a.shape, b.shape));
}

function hashOfType(type: ShapeAndDType): number {
  return type instanceof TensorType ? type.hash : mixNumbers(dtypes[type.dtype].rank, type.shape);
}

// Attributes are numbers, lists of numbers, words and truth values.

type Attributes = Readonly<Record<string, number | readonly number[] | string | boolean>>;

function hashOfAttributes(hash: number, attributes: object): number {
  let result = hash;
  for (const name in attributes) {
    const value = (attributes as Attributes)[name];
    if (typeof value === "number") result = mixNumber(result, value);
    else if (typeof value === "string") result = mixText(result, value);
    else if (typeof value === "boolean") result = mix(result, value ? 1 : 0);
    else result = mixNumbers(result, value);
  }
  return result;
}

function sameAttributes(a: object, b: object): boolean {
  let surplus = 0;
  for (const name in a) {
    if (!sameAttribute((a as Attributes)[name], (b as Attributes)[name])) return false;
    surplus--;
  }
  for (const _ in b) surplus++;
  return surplus === 0;
}

function sameAttribute(a: Attributes[string], b: Attributes[string]): boolean {
  if (typeof a !== "object" || typeof b !== "object") return Object.is(a, b);
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (!Object.is(a[i], b[i])) return false;
  return true;
}

/** A kind outlives the caller's lists, which may be changed. */
function copyOf<K extends Op>(attributes: OpAttributes[K]): OpAttributes[K] {
  const copy = { ...attributes } as unknown as Record<string, Attributes[string]>;
  for (const name in copy) {
    const value = copy[name];
    if (typeof value === "object") copy[name] = [...value];
  }
  return copy as unknown as OpAttributes[K];
}
