// Where there is no Node there is no native code either.

import type { NativeSupport } from "../choose.ts";

export const findNative = async (): Promise<NativeSupport> => ({ missing: undefined });
