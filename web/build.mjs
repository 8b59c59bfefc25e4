// node build.mjs WEB DIST: the bundle and the minified styles. Run by web/embed.cmake, or by hand with no arguments.
import { readFileSync, readdirSync, writeFileSync, mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build, transformSync } from "esbuild";
import { sharedPreact } from "./shared_preact.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const web = process.argv[2] ?? here;
const dist = process.argv[3] ?? join(here, "dist");
const target = ["es2021", "chrome105", "firefox115", "safari16"];
mkdirSync(dist, { recursive: true });

const options = {
  bundle: true,
  minify: true,
  format: "iife",
  target,
  jsx: "automatic",
  jsxImportSource: "preact",
  nodePaths: [join(here, "node_modules")],
  legalComments: "none",
  logLevel: "warning",
};
await build({ ...options, entryPoints: [join(web, "src/main.tsx")], outfile: join(dist, "app.js") });
await build({ ...options, entryPoints: [join(web, "src/board/main.tsx")], outfile: join(dist, "board.js"), plugins: [sharedPreact] });

const styles = readdirSync(join(web, "styles")).filter((name) => name.endsWith(".css")).sort();
const plotCss = readFileSync(join(here, "node_modules/uplot/dist/uPlot.min.css"), "utf8");
const css = [plotCss, ...styles.map((name) => readFileSync(join(web, "styles", name), "utf8"))].join("\n");
writeFileSync(join(dist, "berth.css"), transformSync(css, { loader: "css", minify: true, target }).code);
const page = readFileSync(join(web, "static/page.js"), "utf8");
writeFileSync(join(dist, "page.js"), transformSync(page, { minify: true, target }).code);
writeFileSync(join(dist, "favicon.svg"), readFileSync(join(web, "static/favicon.svg")));
