// The C that stands beside these modules: what the runtime and emitted code agree on, the runtime, and the vocabulary of
// emitted code. It is read as text when it is needed; a package holds it in its source folder.

import { readFileSync } from "node:fs";

/** From this folder in src as well as from where it is compiled to, in dist. */
const read = (file: string): string =>
  readFileSync(new URL(`../../../../src/backends/cpu/native/${file}`, import.meta.url), "utf8");

/** The text that stands at the head of every translation unit of emitted code. */
export const abiHeader = (): string => read("abi.h");

/** The vocabulary of emitted code, which defines LANES before it. */
export const vectorsHeader = (): string => read("vectors.h");

/** The runtime's C source, one translation unit that includes no file of Gradus. To be compiled with `-pthread`. */
export const runtimeSource = (): string => read("runtime.c").replace('#include "abi.h"\n', abiHeader);
