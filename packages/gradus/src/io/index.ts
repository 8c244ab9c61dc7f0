// `io`: state dicts and checkpoints as bytes. What reads and writes files is in `gradus/node`.

export {
  type Checkpoint,
  CheckpointError,
  type CheckpointFacts,
  decodeCheckpoint,
  encodeCheckpoint,
  type Json,
} from "./checkpoint.ts";
export { FileFormatError } from "./errors.ts";
export {
  decodeSafetensors,
  encodeSafetensors,
  type RawData,
  type RawDtype,
  type RawTensor,
} from "./safetensors.ts";
export { decodeState, encodeState, type TensorMap } from "./state.ts";
