// Unpacks gzip in Node, off the main thread, never beyond a limit the caller knows. For Node only.

import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import { damaged, isGzip, tooLong } from "./gunzip.ts";

/**
 * Unpacks data if they are gzip, and returns them as they are if not.
 *
 * @param bytes the data
 * @param limit the most bytes that the result may have; zlib stops there
 * @param file the file's name, for errors
 * @param content what the caller expects in the file, such as "20 images", for errors
 * @throws DatasetError if the result would be longer than `limit`, or the data are not whole
 */
export async function gunzipIfNeeded(
  bytes: Uint8Array,
  limit: number,
  file: string,
  content?: string,
): Promise<Uint8Array> {
  if (!isGzip(bytes)) {
    if (bytes.length > limit) throw tooLong(file, limit, content);
    return bytes;
  }
  return promisify(gunzip)(bytes, { maxOutputLength: limit }).catch((cause: NodeJS.ErrnoException) => {
    throw cause.code === "ERR_BUFFER_TOO_LARGE" ? tooLong(file, limit, content) : damaged(file, cause);
  });
}
