// Draws the page that the hub named into its frame (src/web/pages_app.cpp).
import { render } from "preact";
import type { ComponentType } from "preact";
import { Admin } from "./admin/admin";
import { GpuPage } from "./gpus/gpus";
import { Home } from "./home/home";
import { me, page } from "./page";
import { Toasts } from "./parts/toast";
import { Pending } from "./spawn/pending";
import { Spawn } from "./spawn/spawn";
import { Tokens } from "./token/tokens";

function SpawnPending() {
  const { user, server_name: name = "", display_name: title } = page.data;
  return <Pending owner={user ?? me} name={name} title={title || name} />;
}

const pages: Record<string, ComponentType> = {
  home: Home,
  spawn: Spawn,
  "spawn-pending": SpawnPending,
  token: Tokens,
  gpus: GpuPage,
  admin: Admin,
};

const root = document.getElementById("app");
const Body = pages[page.page];
if (root && Body) {
  root.textContent = "";
  render(<><Body /><Toasts /></>, root);
}
