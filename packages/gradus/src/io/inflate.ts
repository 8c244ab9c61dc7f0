// Decompression (DEFLATE, RFC 1951) by fflate, which is looked for when this module is loaded: a page without a bundler and without
// an import map for it goes without, and then reads only what is stored uncompressed, as PyTorch's files are.

type Inflate = (data: Uint8Array, options: { readonly out: Uint8Array }) => Uint8Array;

/** Null where fflate is not to be had. */
export const inflate: Inflate | null = await import("fflate").then(
  ({ inflateSync }) => inflateSync as Inflate,
  () => null,
);
