// node dev/server.mjs [PORT] [WEB_RENDER]: the pages against dev/fake_hub.mjs, with the styles and the bundle as they are in
// the tree now (PLAIN=1: the plain script). WEB_RENDER is the CMake target web_render. The CSP is the hub's, so that a breach shows here.
import { execFileSync } from "node:child_process";
import { readFileSync, readdirSync } from "node:fs";
import { createServer } from "node:http";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { sharedPreact } from "../shared_preact.mjs";
import { answer } from "./fake_hub.mjs";

const web = fileURLToPath(new URL("..", import.meta.url));
const port = Number(process.argv[2] ?? 8123);
const renderer = process.argv[3] ?? `${web}../build/release/src/web_render`;
const banners = ["Trial: any user name signs in with the trial password. Do not use this for real work."];
const types = { js: "text/javascript", css: "text/css", svg: "image/svg+xml" };

const styles = () => [readFileSync(`${web}node_modules/uplot/dist/uPlot.min.css`),
  ...readdirSync(`${web}styles`).sort().map((name) => readFileSync(`${web}styles/${name}`))].join("\n");
const bundle = async (entry, plugins = []) => {
  const made = await build({ entryPoints: [`${web}src/${entry}`], bundle: true, write: false, format: "iife", jsx: "automatic",
    jsxImportSource: "preact", sourcemap: "inline", logLevel: "warning", plugins });
  return made.outputFiles[0].text;
};
const script = () => (process.env.PLAIN ? readFileSync(`${web}plain/app.js`) : bundle("main.tsx"));
const made = { "app.js": script, "board.js": () => bundle("board/main.tsx", [sharedPreact]), "berth.css": styles };
const asset = (name) => made[name]?.() ?? readFileSync(`${web}static/${name}`);

function pageFor(path, query) {
  const signedIn = { user: "ann", admin: !query.has("member"), gpus: true, banners: query.has("banner") ? banners : [] };
  const [name, user = "ann", server = ""] = path;
  const models = {
    login: { dummy: query.has("banner"), username: query.get("username") ?? "", error: query.get("error") ?? "" },
    invite: { first_administrator: query.has("first"), username: query.has("first") ? "" : "bob" },
    authorize: {},
    "not-running": { failure: query.get("failure") ?? "" },
    error: { status: Number(query.get("status") ?? 500), message: query.get("message") ?? "", error_id: query.get("id") ?? "" },
    "signed-out": {},
    home: { named_servers_allowed: true },
    spawn: { projects: ["thesis", "course"], user, server_name: server, error: query.get("error") ?? "", next: query.get("next") ?? "" },
    "spawn-pending": { user, server_name: server, next: query.get("next") ?? "", display_name: server },
    token: {},
    gpus: { projects: true },
    admin: { projects: true },
  };
  if (!(name in models)) return undefined;
  const context = ["login", "invite", "signed-out"].includes(name) ? { ...signedIn, user: null } : signedIn;
  return execFileSync(renderer, [name], { input: JSON.stringify({ context, model: models[name] }) });
}

async function handle(request, response) {
  const url = new URL(request.url, "http://localhost");
  const path = url.pathname.split("/").slice(1).map(decodeURIComponent);
  if (path[0] === "user") return response.end("<h1>JupyterLab</h1>");
  if (path[0] !== "hub") return response.writeHead(302, { Location: "/hub/home" }).end();
  if (path[1] === "static") {
    const [, stem, extension] = /^([a-z]+)-[0-9a-f]+\.([a-z]+)$/.exec(path[2]) ?? [];
    if (stem === undefined) return response.writeHead(404).end();
    return response.writeHead(200, { "Content-Type": types[extension] }).end(await asset(`${stem}.${extension}`));
  }
  if (path[1] === "api") {
    let text = "";
    for await (const piece of request) text += piece;
    const got = answer(request.method, path.slice(2), url.searchParams, text === "" ? undefined : JSON.parse(text), response);
    if (got === undefined || response.headersSent) return undefined;
    return response.writeHead(got.status, { "Content-Type": "application/json" }).end(got.body === undefined ? "" : JSON.stringify(got.body));
  }
  const html = pageFor(path.slice(1), url.searchParams);
  if (html === undefined) return response.writeHead(404).end();
  return response.writeHead(200, { "Content-Type": "text/html; charset=utf-8",
    "Content-Security-Policy": "default-src 'none'; script-src 'self' 'nonce-dev-nonce'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'" }).end(html);
}

createServer((request, response) => handle(request, response).catch((error) => {
  console.error(error);
  response.writeHead(500).end(String(error));
})).listen(port, "127.0.0.1", () => console.log(`http://127.0.0.1:${port}/hub/home`));
