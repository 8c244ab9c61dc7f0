// Initial values of parameters (`torch.nn.init`). The functions ending in an underscore assign to a tensor, outside of any
// gradient, and return it; random ones draw from the default generator unless they are given another.

export {
  applyInit,
  type GainOptions,
  type Initializer,
  type InitRules,
  type InitScheme,
  type InitSchemes,
  type LayerRules,
  type LayerSelection,
  type ModuleClass,
  type NormalOptions,
  type RangeOptions,
} from "./init/apply.ts";
export type { InitOptions } from "./init/assign.ts";
export { calculateFanInAndFanOut, calculateGain, type Fans, fans, type Nonlinearity } from "./init/fans.ts";
export { orthogonal_ } from "./init/orthogonal.ts";
export { constant_, dirac_, eye_, normal_, ones_, uniform_, zeros_ } from "./init/plain.ts";
export {
  defaultParameter,
  type KaimingOptions,
  kaimingNormal_,
  kaimingUniform_,
  xavierNormal_,
  xavierUniform_,
} from "./init/scaled.ts";
export { sparse_ } from "./init/sparse.ts";
export { truncNormal_ } from "./init/truncated.ts";
