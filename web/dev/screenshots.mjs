// node --experimental-websocket dev/screenshots.mjs OUT [HUB]: pictures of the pages for the documentation, from a running
// dev/server.mjs (HUB, http://127.0.0.1:8123/hub/ when not given).
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { openBrowser } from "./browser.mjs";

const out = process.argv[2] ?? "../docs/screenshots";
const hub = process.argv[3] ?? "http://127.0.0.1:8123/hub/";
const desk = { width: 1280, height: 760 };
const shots = [
  ["sign-in", "login", desk],
  ["home", "home", desk],
  ["home-dark", "home", { ...desk, dark: true }],
  ["start", "spawn", desk],
  ["starting", "spawn-pending/ann/teaching", { ...desk, height: 560 }],
  ["tokens", "token", desk],
  ["admin-users", "admin", desk],
  ["admin-servers", "admin#servers", { ...desk, height: 600 }],
  ["admin-gpus", "gpus", { ...desk, height: 1180 }],
  ["admin-gpus-dark", "gpus", { ...desk, height: 1180, dark: true }],
  ["gpus-phone", "gpus", { width: 390, height: 1040, scale: 2 }],
  ["phone", "spawn", { width: 390, height: 780, scale: 2 }],
];

mkdirSync(out, { recursive: true });
const browser = await openBrowser();
const drawn = `!document.querySelector(".skeleton") && document.querySelector("main h1") !== null &&
  (!location.pathname.endsWith("/gpus") || document.querySelector(".board canvas") !== null)`;
for (const [name, path, view] of shots) {
  await browser.look(view);
  await browser.goto("about:blank", 50);
  await browser.goto(hub + path);
  for (let turn = 0; turn < 50 && !(await browser.evaluate(drawn)); ++turn) await browser.sleep(100);
  await browser.sleep(name === "starting" ? 900 : 400);
  await browser.shoot(join(out, `${name}.png`));
  console.log(`${name}.png`);
}
const { problems } = browser;
await browser.close();
if (problems.length > 0) {
  console.error(problems.join("\n"));
  process.exitCode = 1;
}
