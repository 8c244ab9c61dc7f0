// The errors of reading tensors.

import { formatShape, GradusError, type Node } from "../graph/index.ts";

/** A value was asked for whose inputs have been overwritten since. Raised instead of a wrong number. */
export class StaleTensorError extends GradusError {
  /**
   * @param wanted what was asked for
   * @param overwritten the version of state it depends on, which is gone
   */
  constructor(
    readonly wanted: Node,
    readonly overwritten: Node,
  ) {
    super(
      `This ${wanted.op} tensor of shape ${formatShape(wanted.shape)} depends on a ${formatShape(overwritten.shape)} ` +
        "parameter or buffer that has been updated more than once since. " +
        "Call `tensor.retain()` before the step that should keep its value, or read it right after that step.",
    );
  }
}

/** The device cannot answer at once, or the answer does not fit what was asked. */
export class ReadError extends GradusError {}
