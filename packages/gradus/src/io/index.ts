// `io`: state dicts and checkpoints as bytes. What reads and writes files is in `gradus/node`.

export {
  type Checkpoint,
  CheckpointError,
  type CheckpointFacts,
  decodeCheckpoint,
  encodeCheckpoint,
  type Json,
} from "./checkpoint.ts";
export { FileFormatError, UnsafePickleError } from "./errors.ts";
export type { HalfDtype } from "./half.ts";
export { MemoryLimitError, type ReadLimits } from "./limits.ts";
export { decodeNpy, encodeNpy } from "./npy.ts";
export { decodeNpz, encodeNpz, type NpzOptions } from "./npz.ts";
export { decodePt, decodePtState, type PtStateOptions } from "./pt.ts";
export type { RawData, RawDtype, RawTensor } from "./raw.ts";
export { decodeSafetensors, encodeSafetensors, type SafetensorsContent } from "./safetensors.ts";
export {
  decodeState,
  encodeState,
  type NameFilter,
  type StoreOptions,
  type TensorMap,
} from "./state.ts";
export { renameKeys, stripPrefix } from "./state-keys.ts";
export type { PtRecord, PtValue } from "./torch-values.ts";
