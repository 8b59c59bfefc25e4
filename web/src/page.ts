// What the hub says about this page: the JSON block of app_page() in src/web/pages.hpp.
export interface PageData {
  named_servers_allowed?: boolean;
  user?: string;
  server_name?: string;
  display_name?: string;
  error?: string;
  next?: string;
  progress_url?: string;
  prefetch?: string[];
  projects?: string[] | boolean;  // of the start form: those one may name; of the board: whether there are any
}

export interface Page {
  page: string;
  base: string;
  hub: string;
  user: string | null;
  admin: boolean;
  xsrf: string;
  version: string;
  board: string;  // URL of the script that draws GPUs over time
  data: PageData;
}

const block = document.getElementById("berth-data");
export const page = JSON.parse(block?.textContent ?? "{}") as Page;
export const me = page.user ?? "";

// As JupyterHub escapes names in paths (hub-protocol §2.4).
export const segment = (name: string): string => encodeURIComponent(name).replace(/%40/g, "@");

export const serverPath = (user: string, server: string): string =>
  server === "" ? segment(user) : `${segment(user)}/${segment(server)}`;

export const spawnUrl = (user: string, server: string): string => `${page.hub}spawn/${serverPath(user, server)}`;
export const pendingUrl = (user: string, server: string): string =>
  `${page.hub}spawn-pending/${serverPath(user, server)}`;
