// The error of every reader and writer of files: which file, where in it, what is wrong there, what to do.

/** A file whose bytes are not what its format promises, or content that its format cannot hold. */
export class FileFormatError extends Error {
  /** What stands before the message. */
  override readonly name: string = "FileFormatError";

  /**
   * The message is made of the parts.
   * @param file the name of the file, as the caller gave it
   * @param place where in the file: a tensor's name, a byte offset from the file's beginning, or both
   * @param problem one sentence without its full stop: what is wrong, with the numbers in it
   * @param remedy one sentence: what to do
   */
  constructor(
    readonly file: string,
    readonly place: string,
    problem: string,
    remedy: string,
  ) {
    super(`${file}, ${place}: ${problem}. ${remedy}`);
  }
}

/** A pickle that asks for more than plain data: a class or function that is not on the list of harmless ones. Nothing ran. */
export class UnsafePickleError extends FileFormatError {
  /** What stands before the message. */
  override readonly name = "UnsafePickleError";
}

/** The longest piece of a file's own text that an error message repeats. */
export const LONGEST_QUOTATION = 60;

/** Text from a file in quotation marks: shortened, and free of control characters that could act on a terminal. */
export function quoted(text: string): string {
  const short = text.length > LONGEST_QUOTATION ? `${text.slice(0, LONGEST_QUOTATION)}...` : text;
  return `"${short.replace(/[\p{C}"\\]/gu, (c) => (/["\\]/.test(c) ? `\\${c}` : `\\u{${c.codePointAt(0)!.toString(16)}}`))}"`;
}
