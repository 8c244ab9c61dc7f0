import type { InitOptions } from "../../tensor/device.ts";
import { ReferenceBackend } from "../reference/backend.ts";
export class CpuBackend {
  static async create(_options: InitOptions) {
    return new ReferenceBackend();
  }
}
