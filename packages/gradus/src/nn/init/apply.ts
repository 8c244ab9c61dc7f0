// Initializing a whole model at once: walking its layers and giving weights and biases values, by a named scheme or by
// functions, everywhere or only where one says.

import { ArgumentError, type Generator, type Tensor } from "../../tensor/index.ts";
import type { AnyModule } from "../module.ts";
import { calculateGain, type Nonlinearity } from "./fans.ts";
import { orthogonal_ } from "./orthogonal.ts";
import { constant_, normal_, uniform_ } from "./plain.ts";
import { type KaimingOptions, kaimingNormal_, kaimingUniform_, xavierNormal_, xavierUniform_ } from "./scaled.ts";
import { truncNormal_ } from "./truncated.ts";

/** Gives a tensor a value: `nn.init.zeros_`, `(w) => nn.init.normal_(w, 0, 0.02)`. */
export type Initializer = (tensor: Tensor) => unknown;

/** A class of modules: `nn.Linear`. */
export type ModuleClass = abstract new (...args: never[]) => AnyModule;

/**
 * Which layers are meant: those of a class, those at a path or below it ("features", "features.3"), or those whose path a
 * pattern matches. One of the list is enough.
 */
export type LayerSelection = readonly (ModuleClass | string | RegExp)[];

/** Which layers `applyInit` means, and what their biases get. */
export interface LayerRules {
  /** What biases get: a number or an initializer. Default: they stay as they are. */
  readonly bias?: Initializer | number;
  /** Only these layers. Those of a class that is named here are meant even if they are normalizations. Default: all layers. */
  readonly only?: LayerSelection;
  /** Not these layers. Default: none. */
  readonly skip?: LayerSelection;
}

/** What weights and biases get, and of which layers. */
export interface InitRules extends LayerRules {
  /** What weights get: an initializer or a number. Default: they stay as they are. */
  readonly weight?: Initializer | number;
}

/** The gain of `xavierUniform`, `xavierNormal` and `orthogonal`, or what to reckon it from. */
export interface GainOptions {
  /** Where random numbers come from. Default: the default generator. */
  readonly generator?: Generator;
  /** Default: that of the nonlinearity. */
  readonly gain?: number;
  /** What follows the layers. Default "linear", with a gain of 1. */
  readonly nonlinearity?: Nonlinearity;
  /** The slope of a leaky ReLU. Default 0.01. */
  readonly a?: number;
}

/** The bounds of `uniform` (default 0 and 1) and of `truncNormal` (default -2 and 2). */
export interface RangeOptions {
  /** Where random numbers come from. Default: the default generator. */
  readonly generator?: Generator;
  /** The lower bound. */
  readonly a?: number;
  /** The upper bound. */
  readonly b?: number;
}

/** The distribution of `normal` and `truncNormal`. */
export interface NormalOptions {
  /** Where random numbers come from. Default: the default generator. */
  readonly generator?: Generator;
  /** Default 0. */
  readonly mean?: number;
  /** Default 1. */
  readonly std?: number;
}

/** The options of each scheme. */
export interface InitSchemes {
  /** `xavierUniform_` */
  readonly xavierUniform: GainOptions;
  /** `xavierNormal_` */
  readonly xavierNormal: GainOptions;
  /** `kaimingUniform_` */
  readonly kaimingUniform: KaimingOptions;
  /** `kaimingNormal_` */
  readonly kaimingNormal: KaimingOptions;
  /** `orthogonal_` */
  readonly orthogonal: GainOptions;
  /** `truncNormal_` */
  readonly truncNormal: NormalOptions & RangeOptions;
  /** `normal_` */
  readonly normal: NormalOptions;
  /** `uniform_` */
  readonly uniform: RangeOptions;
}

/** The name of an initializer of weights. */
export type InitScheme = keyof InitSchemes;

const gainOf = ({ gain, nonlinearity = "linear", a }: GainOptions): number => gain ?? calculateGain(nonlinearity, a);

const schemes: { readonly [S in InitScheme]: (tensor: Tensor, options: InitSchemes[S]) => unknown } = {
  xavierUniform: (tensor, options) => xavierUniform_(tensor, gainOf(options), options),
  xavierNormal: (tensor, options) => xavierNormal_(tensor, gainOf(options), options),
  kaimingUniform: kaimingUniform_,
  kaimingNormal: kaimingNormal_,
  orthogonal: (tensor, options) => orthogonal_(tensor, gainOf(options), options),
  truncNormal: (tensor, { mean, std, a, b, ...options }) => truncNormal_(tensor, mean, std, a, b, options),
  normal: (tensor, { mean, std, ...options }) => normal_(tensor, mean, std, options),
  uniform: (tensor, { a, b, ...options }) => uniform_(tensor, a, b, options),
};

/** A layer with its path in the model. */
type Layer = readonly [path: string, module: AnyModule];

function isSelected([path, module]: Layer, selection: LayerSelection): boolean {
  return selection.some((entry) => {
    if (typeof entry === "string") return path === entry || path.startsWith(`${entry}.`);
    return entry instanceof RegExp ? path.search(entry) >= 0 : module instanceof entry;
  });
}

/** Whether a module is named by its class. */
const isOfClass = (module: AnyModule, selection: LayerSelection): boolean =>
  selection.some((entry) => typeof entry === "function" && module instanceof entry);

/** What a layer's own parameter is: "weight", "weight_ih_l0" and "in_proj_weight" are weights, the same with bias biases. */
const roleOf = (name: string): "weight" | "bias" | null => {
  if (name.includes("weight")) return "weight";
  return name.includes("bias") ? "bias" : null;
};

/** Whether a layer maps its inputs by a matrix or kernels. A normalization's weight is a factor of the shape of its bias. */
function isMap(module: AnyModule): boolean {
  const own = new Map(module.ownParameters());
  const weight = own.get("weight");
  const bias = own.get("bias");
  const isFactor = weight !== undefined && bias !== undefined && weight.shape.join() === bias.shape.join();
  return !isFactor && !module.typeName.includes("Norm");
}

const initializerOf = (rule: Initializer | number | undefined): Initializer | undefined =>
  typeof rule === "number" ? (tensor) => constant_(tensor, rule) : rule;

/**
 * Initializes a model: gives the weights and biases of its layers values, in the order of its parameters. Weights are
 * parameters of two dimensions or more whose name says weight, of linear, convolutional, recurrent, attention and
 * embedding layers. Normalizations, and weights that are vectors, are left as they are unless `only` names their class.
 * @param model any module; one that stands in two places is initialized once
 * @param scheme what weights get: the name of an initializer, whose options stand beside those that say which layers; or
 *   rules with initializers of one's own
 * @returns the model
 * @throws ArgumentError for another scheme, and if nothing in the model is meant; GradusError if a lazy layer has seen no
 *   input yet
 *
 * @example
 * nn.init.applyInit(model, "kaimingNormal", { nonlinearity: "relu", bias: 0 });
 * nn.init.applyInit(model, "orthogonal", { only: [nn.Linear], skip: ["head"] });
 *
 * @example
 * // DCGAN's: Radford, Metz and Chintala (2016), section 3
 * nn.init.applyInit(model, { weight: (w) => nn.init.normal_(w, 0, 0.02), only: [nn.Conv2d, nn.ConvTranspose2d] });
 * nn.init.applyInit(model, { weight: (w) => nn.init.normal_(w, 1, 0.02), bias: 0, only: [nn.BatchNorm2d] });
 */
export function applyInit<M extends AnyModule, S extends InitScheme>(
  model: M,
  scheme: S,
  options?: InitSchemes[S] & LayerRules,
): M;
export function applyInit<M extends AnyModule>(model: M, rules: InitRules): M;
export function applyInit<M extends AnyModule>(
  model: M,
  how: InitScheme | InitRules,
  options: InitSchemes[InitScheme] & LayerRules = {},
): M {
  const rules = typeof how === "string" ? { ...options, weight: weightsBy(how, options) } : how;
  const { only, skip = [] } = rules;
  const initializers = { weight: initializerOf(rules.weight), bias: initializerOf(rules.bias) };
  // Asking for the parameters refuses lazy layers without any.
  const left = new Set(model.parameters());
  let assigned = 0;
  for (const layer of model.namedModules()) {
    const [, module] = layer;
    if ((only !== undefined && !isSelected(layer, only)) || isSelected(layer, skip)) continue;
    const wholly = only !== undefined && isOfClass(module, only);
    if (!wholly && !isMap(module)) continue;
    for (const [name, parameter] of module.ownParameters()) {
      const role = roleOf(name);
      const initializer = role === null ? undefined : initializers[role];
      if (initializer === undefined || (role === "weight" && !wholly && parameter.ndim < 2)) continue;
      // What two layers share is initialized with the first.
      if (left.delete(parameter)) initializer(parameter);
      assigned++;
    }
  }
  if (assigned === 0) {
    throw new ArgumentError(
      "applyInit",
      `no layer of this ${model.typeName} is meant by these rules`,
      "Give a weight or a bias, and look up paths with model.namedModules().",
    );
  }
  return model;
}

function weightsBy(scheme: InitScheme, options: InitSchemes[InitScheme]): Initializer {
  if (!Object.hasOwn(schemes, scheme)) {
    throw new ArgumentError(
      "applyInit",
      `there is no scheme "${scheme}"`,
      `Use one of ${Object.keys(schemes).join(", ")}.`,
    );
  }
  const initialize = schemes[scheme] as (tensor: Tensor, options: object) => unknown;
  return (tensor) => initialize(tensor, options);
}
