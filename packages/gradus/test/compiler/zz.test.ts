import * as gd from "gradus";
import { test } from "vitest";
test("x", async () => { await gd.init({device:"cpu"}); console.log(JSON.stringify(gd.config())); });
