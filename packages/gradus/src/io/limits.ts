// How much memory a file may ask for: whatever a header claims, what is made of it is counted before it is made. A plain
// file needs about its own size; one that expands (compressed entries, tensors of stride 0, overlapping views) needs more.

import { ArgumentError } from "../tensor/index.ts";
import { FileFormatError } from "./errors.ts";

/** How much memory a file may ask for. */
export interface ReadLimits {
  /**
   * The most bytes that may be made of the file: values of tensors after conversion, with 512 bytes beside for each tensor
   * of a PyTorch file, and what is decompressed.
   * Default 256 MiB or 16 times the size of the file, whichever is more.
   */
  readonly maxBytes?: number;
}

/** A file that claims more memory than is allowed; `maxBytes` allows more. */
export class MemoryLimitError extends FileFormatError {
  /** What stands before the message. */
  override readonly name = "MemoryLimitError";
}

const SMALLEST_LIMIT = 2 ** 28;
const TIMES_THE_FILE = 16;

/** Counts what is made of one file. */
export class MemoryBudget {
  /** Bytes counted so far. */
  spent = 0;
  readonly limit: number;

  /** @param fileBytes the size of the file */
  constructor(
    private readonly file: string,
    fileBytes: number,
    { maxBytes = Math.max(SMALLEST_LIMIT, TIMES_THE_FILE * fileBytes) }: ReadLimits,
  ) {
    if (!(maxBytes >= 0)) throw new ArgumentError("reading a file", `maxBytes is ${maxBytes}`, "Use 0 or more.");
    this.limit = maxBytes;
  }

  /**
   * Call it before the memory is allocated.
   * @throws MemoryLimitError if that is more than is left
   */
  spend(bytes: number, place: string): void {
    // Written so that NaN and what has no exact value are refused as well.
    if (!(this.spent + bytes <= this.limit)) {
      const problem = `${bytes} bytes are needed and ${this.limit - this.spent} of the allowed ${this.limit} are left`;
      throw new MemoryLimitError(
        this.file,
        place,
        problem,
        "If you trust the file, read it with a larger maxBytes; else do without it.",
      );
    }
    this.spent += bytes;
  }
}
