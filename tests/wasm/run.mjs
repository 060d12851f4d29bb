// CPython as it is built for WebAssembly runs check.py there: node run.mjs FOLDER [TEST ...]
//
// FOLDER holds pyodide, as npm installs it, and "site" with what the tests need. There are no threads and no sockets.
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const [folder, ...tests] = process.argv.slice(2);
const { loadPyodide } = createRequire(join(resolve(folder), "here.js"))("pyodide");
const python = await loadPyodide({ stdout: console.log, stderr: console.error });
python.mountNodeFS("/site", join(resolve(folder), "site"));
python.mountNodeFS("/tree", fileURLToPath(new URL("../../", import.meta.url)));
python.globals.set("TESTS", python.toPy(tests));
process.exitCode = python.runPython(`
import runpy, sys
sys.dont_write_bytecode = True
sys.path[:0] = ["/site", "/tree/src", "/tree/adapters"]
runpy.run_path("/tree/tests/wasm/check.py")["main"](list(TESTS))
`);
