// Unpacks gzip in browsers, and in anything else that has DecompressionStream, never beyond a limit the caller knows.
// Node's loaders use gunzip-node.ts, which does the same with zlib.

import { DatasetError } from "./errors.ts";

/** Packed bytes handed over at a time: one piece may unpack to a thousand times as much before the limit is looked at. */
const PIECE_BYTES = 16 * 1024;

/** Whether data begin with gzip's magic number (RFC 1952, section 2.3.1). */
export function isGzip(bytes: Uint8Array): boolean {
  return bytes.length >= 2 && bytes[0] === 0x1f && bytes[1] === 0x8b;
}

/**
 * Unpacks data if they are gzip, and returns them as they are if not.
 *
 * @param bytes the data
 * @param limit the most bytes that the result may have
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
  const chunks: Uint8Array[] = [];
  let total = 0;
  const reader = piecesOf(bytes).pipeThrough(new DecompressionStream("gzip")).getReader();
  try {
    for (let next = await reader.read(); !next.done; next = await reader.read()) {
      total += next.value.length;
      if (total > limit) break;
      chunks.push(next.value);
    }
  } catch (cause) {
    throw damaged(file, cause);
  }
  if (total > limit) {
    await reader.cancel();
    throw tooLong(file, limit, content);
  }
  const whole = new Uint8Array(total);
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return whole;
}

function piecesOf(bytes: Uint8Array): ReadableStream<Uint8Array<ArrayBuffer>> {
  let at = 0;
  return new ReadableStream({
    pull(controller) {
      if (at >= bytes.length) return controller.close();
      controller.enqueue(new Uint8Array(bytes.subarray(at, at + PIECE_BYTES)));
      at += PIECE_BYTES;
    },
  });
}

export function tooLong(file: string, limit: number, content?: string): DatasetError {
  const expected = content === undefined ? `${limit} bytes` : `${limit} bytes of ${content}`;
  const remedy = "It is not the file it should be: get it again from a source you trust.";
  return new DatasetError(file, "", `it holds more than the expected ${expected}`, remedy);
}

export function damaged(file: string, cause: unknown): DatasetError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  const remedy = "It is cut short or damaged: get it again.";
  return new DatasetError(file, "", `it cannot be unpacked as gzip (${reason})`, remedy, { cause });
}
