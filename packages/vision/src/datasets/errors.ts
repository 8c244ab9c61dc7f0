// The error of everything that finds, fetches and reads datasets.

/** A dataset that is missing, damaged, or cannot be fetched. */
export class DatasetError extends Error {
  /** What stands before the message. */
  override readonly name = "DatasetError";

  /**
   * The message is made of the parts.
   * @param file the file, folder or address it is about
   * @param place where in it, such as "byte 4"; empty if all of it is meant
   * @param problem one sentence without its full stop: what is wrong, with the numbers in it
   * @param remedy one sentence: what to do
   */
  constructor(
    readonly file: string,
    readonly place: string,
    problem: string,
    remedy: string,
    options?: ErrorOptions,
  ) {
    super(`${place === "" ? file : `${file}, ${place}`}: ${problem}. ${remedy}`, options);
  }
}
