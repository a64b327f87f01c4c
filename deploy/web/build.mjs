// Builds the pages out of src/ into built/, which ships. Run it by `npm ci && npm run build`.
import { build } from "esbuild";
import { mkdir, readFile, readdir, writeFile } from "node:fs/promises";
import { gzipSync } from "node:zlib";

// Of LiteRT's builds the one that every browser with SIMD runs; relaxed SIMD was no faster in int8.
// The others are for the benchmark: browsers lend threads to isolated pages only, and WebGPU is waited
// for (JSPI).
const RUNTIMES = {
  "litert": "litert_wasm_compat_internal",
  "litert-threads": "litert_wasm_threaded_internal",
  "litert-gpu": "litert_wasm_jspi_internal",
};
const PACKAGE = "node_modules/@litertjs/core/wasm";

async function bundle(entry) {
  const { outputFiles } = await build({
    entryPoints: [entry],
    bundle: true,
    minify: true,
    format: "iife",
    target: "es2022",
    write: false,
    legalComments: "none",
    charset: "utf8",
  });
  // What would end the script element in the middle of it.
  return outputFiles[0].text.replaceAll("</script", "<\\/script");
}

async function minified(file, options) {
  const { outputFiles } = await build({ entryPoints: [file], minify: true, write: false, ...options });
  return outputFiles[0].contents;
}

async function buildPages() {
  await mkdir("built", { recursive: true });
  const css = new TextDecoder().decode(await minified("src/page.css", { charset: "utf8" }));
  for (const [name, entry] of [["page", "src/main.ts"], ["bench", "src/bench.ts"]]) {
    const script = await bundle(entry);
    const page = (await readFile(`src/${name}.html`, "utf8"))
      .replace("<!-- style -->", () => `<style>${css.trim()}</style>`)
      .replace("<!-- script -->", () => `<script>${script.trim()}</script>`);
    await writeFile(`built/${name}.html`, page);
  }
  for (const [name, source] of Object.entries(RUNTIMES)) {
    const loader = await minified(`${PACKAGE}/${source}.js`, { legalComments: "inline" });
    await writeFile(`built/${name}.js.gz`, gzipSync(loader, { level: 9 }));
    await writeFile(`built/${name}.wasm.gz`, gzipSync(await readFile(`${PACKAGE}/${source}.wasm`), { level: 9 }));
  }
}

async function buildTests() {
  const names = (await readdir("src")).filter((name) => name.endsWith(".test.ts"));
  await build({
    entryPoints: names.map((name) => `src/${name}`),
    bundle: true,
    platform: "node",
    format: "esm",
    outdir: ".tests",
    outExtension: { ".js": ".mjs" },
  });
}

await (process.argv.includes("--tests") ? buildTests() : buildPages());
