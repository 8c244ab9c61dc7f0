// The process in which Gradus takes part in the bench.

import { serve } from "../serve.ts";
import { builders } from "./workloads.ts";

await serve("Gradus", builders);
