// Whether native code can be made where the tests run: whether its tools are there, not whether they do their work.

import { importKoffi } from "../../src/backends/cpu/native/runtime.ts";
import { findToolchain } from "../../src/backends/cpu/native/toolchain.ts";

/** Where there is no compiler or no koffi, tests of native code are skipped. */
export const hasNative = typeof (await importKoffi()) !== "string" && !("missing" in (await findToolchain()));
