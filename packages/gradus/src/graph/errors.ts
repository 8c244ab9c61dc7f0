// The errors a graph can raise. Each says what is wrong with the numbers in it, and then what to do.

/** The base of every error that Gradus raises on purpose. */
export class GradusError extends Error {
  /** The name of the class, as it stands before the message. */
  override get name(): string {
    return this.constructor.name;
  }
}

/** Shapes that do not fit an operation (PyTorch: `RuntimeError: shape mismatch`). */
export class ShapeError extends GradusError {
  /**
   * The message is made of the parts.
   * @param operation the name of the operation, as the user wrote it
   * @param shapes the shapes it was given
   * @param problem one sentence: what does not fit
   * @param remedy one sentence: what to do
   */
  constructor(
    readonly operation: string,
    readonly shapes: readonly (readonly number[])[],
    readonly problem: string,
    readonly remedy: string = "",
  ) {
    const given = shapes.length > 0 ? ` (given ${shapes.map(formatShape).join(" and ")})` : "";
    super(`${operation}: ${problem}${given}.${remedy ? ` ${remedy}` : ""}`);
  }
}

/** Element types that do not fit an operation. */
export class DTypeError extends GradusError {
  /**
   * The message is made of the parts.
   * @param operation the name of the operation, as the user wrote it
   * @param dtypes the dtypes it was given
   * @param problem one sentence: what does not fit
   * @param remedy one sentence: what to do
   */
  constructor(
    readonly operation: string,
    readonly dtypes: readonly string[],
    readonly problem: string,
    readonly remedy: string = "",
  ) {
    super(`${operation}: ${problem} (given ${dtypes.join(" and ")}).${remedy ? ` ${remedy}` : ""}`);
  }
}

/** An argument that is out of its range: an axis, an index, a probability. */
export class ArgumentError extends GradusError {
  /**
   * The message is made of the parts.
   * @param operation the name of the operation, as the user wrote it
   * @param problem one sentence: what is out of its range
   * @param remedy one sentence: what to do
   */
  constructor(
    readonly operation: string,
    readonly problem: string,
    readonly remedy: string = "",
  ) {
    super(`${operation}: ${problem}.${remedy ? ` ${remedy}` : ""}`);
  }
}

export function formatShape(shape: readonly number[]): string {
  return `[${shape.join(", ")}]`;
}
