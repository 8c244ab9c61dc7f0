// The public face of @gradus/vision: what runs in browsers and in Node.

export { DatasetError } from "./datasets/errors.ts";
export { gunzipIfNeeded, isGzip } from "./datasets/gunzip.ts";
export { type IdxArray, type IdxDtype, parseIdx } from "./datasets/idx.ts";
export type { DatasetSplits, LabeledImages } from "./datasets/labeled-images.ts";
