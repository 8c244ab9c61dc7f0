// The allow-list: every class and function that a PyTorch pickle may name here, and what it makes. A name that is not in the
// table is refused, with advice that depends on what it stands for. Nothing of the table runs anything of the file's.
// Names: torch/_utils.py, torch/storage.py and torch/_weights_only_unpickler.py, of PyTorch 1.6 to 2.

import { quoted, UnsafePickleError } from "./errors.ts";
import { type ContainerKind, PickleContainer, PickleGlobal, type PickleValue } from "./pickle-values.ts";
import type { RawDtype } from "./raw.ts";
import { countOf, StorageClass, TorchDtype, TorchTensor, tensorOf } from "./torch-objects.ts";

type Call = NonNullable<PickleGlobal["call"]>;
type Callable = readonly [name: string, call: Call];

const fits = (value: PickleValue | undefined, kinds: readonly ContainerKind[]): value is PickleContainer =>
  value instanceof PickleContainer && kinds.includes(value.kind);

/** A container of a kind, empty or with the items of another. */
const copying =
  (kind: ContainerKind, from: readonly ContainerKind[]): Call =>
  (args, site) => {
    const [source] = args;
    if (args.length > 1 || (source !== undefined && !fits(source, from))) {
      return site.fail(`a ${kind} is made of something else than a ${from.join(" or ")}`);
    }
    const items = source === undefined ? [] : source.items;
    site.spend(items.length);
    return new PickleContainer(kind, [...items]);
  };

const orderedDict: Call = (args, site) => {
  const [source] = args;
  if (!fits(source, ["list", "tuple"])) return copying("OrderedDict", ["dict", "OrderedDict"])(args, site);
  site.spend(2 * source.items.length);
  const pairs = source.items.flatMap((pair) => {
    if (!fits(pair, ["list", "tuple"]) || pair.items.length !== 2) {
      return site.fail("an OrderedDict is made of something else than pairs");
    }
    return pair.items;
  });
  return new PickleContainer("OrderedDict", pairs);
};

/** Its factory would be called for a key that is missing; here none is. */
const defaultDict: Call = ([factory, ...rest], site) => {
  if (factory !== undefined && factory !== null && !(factory instanceof PickleGlobal)) {
    return site.fail("the factory of a defaultdict is no class");
  }
  return copying("dict", ["dict"])(rest, site);
};

/** `bytes`, as protocol 2 writes them: text of which each character is a byte. */
const encode: Call = ([text, encoding], site) => {
  if (typeof text !== "string" || encoding !== "latin1")
    return site.fail("_codecs.encode is used for another end than bytes");
  const wrong = text.search(/[^\0-\xff]/);
  if (wrong >= 0) return site.fail(`character ${wrong} of a text of bytes is none`);
  site.spend(text.length);
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
};

/** `bytes()`, as protocol 2 writes those that are empty. */
const emptyBytes: Call = (args, site) =>
  args.length === 0 ? new Uint8Array(0) : site.fail("bytes are made of something else than text");

const size: Call = (args, site) => {
  const shape = copying("tuple", ["tuple", "list"])(args, site) as PickleContainer;
  if (!shape.items.every((item) => countOf(item) !== undefined))
    return site.fail("a torch.Size holds no whole numbers");
  return shape;
};

const device: Call = ([type, index], site) => {
  if (typeof type !== "string") return site.fail("a torch.device has no name");
  if (index === undefined || index === null) return type;
  return `${type}:${countOf(index) ?? site.fail("a torch.device has an index that is no whole number")}`;
};

// What follows these arguments says nothing of the values: requires_grad, hooks, metadata.

const rebuildTensor: Call = ([storage, offset, shape, strides], site) =>
  tensorOf(site, storage, offset, shape, strides);

const rebuildTensorOfDtype: Call = ([storage, offset, shape, strides, , , dtype], site) => {
  if (!(dtype instanceof TorchDtype)) return site.fail("a tensor's dtype is none");
  if (dtype.dtype === null) return site.fail(`a tensor's dtype is ${dtype.what}, which is not supported`);
  return tensorOf(site, storage, offset, shape, strides, dtype.dtype);
};

const rebuildParameter: Call = ([data], site) =>
  data instanceof TorchTensor ? data : site.fail("a parameter is made of something else than a tensor");

const callables: readonly Callable[] = [
  ["collections.OrderedDict", orderedDict],
  ["collections.defaultdict", defaultDict],
  ["collections.Counter", copying("dict", ["dict"])],
  ["builtins.bytes", emptyBytes],
  ["builtins.set", copying("set", ["list", "tuple"])],
  ["builtins.frozenset", copying("set", ["list", "tuple"])],
  ["_codecs.encode", encode],
  ["torch.Size", size],
  ["torch.device", device],
  ["torch._utils._rebuild_tensor", rebuildTensor],
  ["torch._utils._rebuild_tensor_v2", rebuildTensor],
  ["torch._utils._rebuild_tensor_v3", rebuildTensorOfDtype],
  ["torch._utils._rebuild_parameter", rebuildParameter],
];

/** Classes that are only named, as the factory of a defaultdict. */
const factories = ["list", "dict", "tuple", "int", "float", "str", "bool"];

const storages: Readonly<Record<string, RawDtype | null>> = {
  "torch.FloatStorage": "float32",
  "torch.DoubleStorage": "float64",
  "torch.HalfStorage": "float16",
  "torch.BFloat16Storage": "bfloat16",
  "torch.LongStorage": "int64",
  "torch.IntStorage": "int32",
  "torch.ShortStorage": "int16",
  "torch.CharStorage": "int8",
  "torch.ByteStorage": "uint8",
  "torch.BoolStorage": "bool",
  "torch.UntypedStorage": null,
  "torch.storage.UntypedStorage": null,
  "torch.storage._UntypedStorage": null,
  "torch.storage.TypedStorage": null,
};

const torchDtypes: Readonly<Record<string, RawDtype | null>> = {
  float32: "float32",
  float64: "float64",
  float16: "float16",
  bfloat16: "bfloat16",
  int8: "int8",
  int16: "int16",
  int32: "int32",
  int64: "int64",
  uint8: "uint8",
  uint16: "uint16",
  uint32: "uint32",
  uint64: "uint64",
  bool: "bool",
  complex32: null,
  complex64: null,
  complex128: null,
};

type Allowed = PickleGlobal | StorageClass | TorchDtype;

const allowed: ReadonlyMap<string, Allowed> = new Map<string, Allowed>([
  ...callables.map(([name, call]) => [name, new PickleGlobal(name, call)] as const),
  ...factories.map((name) => [`builtins.${name}`, new PickleGlobal(`builtins.${name}`)] as const),
  ...Object.entries(storages).map(([name, dtype]) => [name, new StorageClass(name, dtype)] as const),
  ...Object.entries(torchDtypes).map(
    ([name, dtype]) => [`torch.${name}`, new TorchDtype(`torch.${name}`, dtype)] as const,
  ),
]);

/** What to do about names that are not allowed: the first row that fits. */
const advice: readonly (readonly [name: RegExp, remedy: string])[] = [
  [
    /^torch\.Complex|_rebuild_.*complex/,
    "Complex numbers are not supported: save torch.view_as_real(tensor) in Python.",
  ],
  [/^torch\.Q|qtensor|quantized/, "Quantized tensors are not supported: save tensor.dequantize() in Python."],
  [/sparse/, "Sparse tensors are not supported: save tensor.to_dense() in Python."],
  [/^numpy\b/, "NumPy's values are not read from pickles: save float(value) or torch.from_numpy(array) in Python."],
  [
    /^(torch\.nn|torchvision|__main__|timm|transformers)\b/,
    "It holds a whole object, which only its own code can make: save torch.save(model.state_dict(), path) in Python.",
  ],
];
const usualAdvice =
  "Only plain data and tensors are read: save torch.save(model.state_dict(), path) in Python, and trust no file that asks for more.";

/**
 * The global of a name.
 * @throws UnsafePickleError if it is not on the list
 */
export function findTorchGlobal(module: string, name: string, file: string, place: string): Allowed {
  // Python 3 writes the names of Python 2 in protocol 2.
  const full = `${module === "__builtin__" ? "builtins" : module}.${name}`;
  const found = allowed.get(full);
  if (found !== undefined) return found;
  const remedy = advice.find(([pattern]) => pattern.test(full))?.[1] ?? usualAdvice;
  const problem = `it names ${quoted(full)}, which is not on the list of what may be read, and nothing was run`;
  throw new UnsafePickleError(file, place, problem, remedy);
}
