// A contestant that computes nothing: what it does is told by the job's `backend`.

import { createInterface } from "node:readline";

const { backend, threads } = JSON.parse(process.argv[2]);
const say = (message) => console.log(JSON.stringify(message));

if (backend === "crashes at once") throw new TypeError("no such thing");
if (backend === "tells an error") {
  say({ error: "Kernel 'Conv' is missing\nfor this backend" });
  process.exit(1);
}
if (backend !== "is silent") {
  console.log("Hello! Welcome to the fake framework {");
  say({ hint: "not a message" });
  const codegen = backend === "tells its codegen" ? (process.env.GRADUS_CODEGEN ?? "its own choice") : undefined;
  say({ ready: true, version: "9.9", threads, first_ms: 12.5, check: [2.5, 2.25], codegen });
}
createInterface({ input: process.stdin })
  .on("line", (line) => {
    if (backend === "crashes when run") process.exit(7);
    if (backend === "says too little") return say({ times: [] });
    if (line === "memory") return say({ peak_mb: 321.5 });
    const steps = Number(line.split(" ")[1]);
    say({ times: Array.from({ length: steps }, (_, index) => 1 + index / 4) });
  })
  .on("close", () => process.exit(0));
