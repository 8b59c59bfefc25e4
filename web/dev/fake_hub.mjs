// A hub that lives in memory, enough for every page: users, servers that take seconds to start, GPUs, tokens.
const minutes = (count) => new Date(Date.now() - count * 60000).toISOString();
const devices = ["GPU-5f0c3b1e-8a51-4a65-9d3d-1f3a5c0b7e21", "GPU-c7e2f4d8-10b9-4c0e-8f6a-92b4d1e05a33",
  "GPU-0a9d8c7b-6e5f-4d3c-b2a1-f0e9d8c7b6a5", "GPU-77aa1c2e-33bb-4f4f-9e8d-12ab34cd56ef"];

const server = (name, more = {}) => ({
  name, display_name: name, full_name: name, last_activity: null, started: null, pending: null, ready: false, stopped: true,
  url: `/user/ann/${name ? name + "/" : ""}`, progress_url: "", user_options: null, full_url: null,
  berth: { profile: null, devices: [], failure: null }, ...more });
const running = (profile, held, age) => ({ ready: true, stopped: false, started: minutes(age), last_activity: minutes(1),
  berth: { profile, devices: held, failure: null } });

export const users = new Map();
const add = (name, admin, servers = [], age = 3) => users.set(name, { kind: "user", name, admin, groups: [], created: minutes(90000),
  last_activity: age === null ? null : minutes(age), servers: Object.fromEntries(servers.map((each) => [each.name, each])) });
add("ann", true, [
  server("", running("PyTorch, one GPU", [devices[0]], 134)),
  server("sweep", { ...running("cpu", [], 700), display_name: "Parameter sweep", berth: { profile: "cpu", devices: [], failure: null,
    ending: { at: minutes(-9), because: "idle", seconds_left: 540, extensions_left: 2, extension_seconds: 3600 } } }),
  server("notes", { display_name: "Notes", last_activity: minutes(200), berth: { profile: "cpu", devices: [], failure: null,
    stopped_because: "Stopped after 60 min without activity. Your files are safe." } }),
  server("nightly-training", { display_name: "Nightly training", last_activity: minutes(1500), berth: { profile: "cpu", devices: [],
    failure: "The image “lab/torch:2.9” is not on this machine. Ask an administrator to pull it." } }),
  server("stuck", { pending: "stop", stopped: false, berth: { profile: "cpu", devices: [], failure: null,
    stop_delayed: "It is not stopped yet: The container did not go in time; the hub goes on trying. Your files are safe, and you need " +
      "not ask again. If this lasts longer than a few minutes, tell your administrator." } }),
  server("teaching", { display_name: "Teaching demo", pending: "spawn", stopped: false })]);
add("bob", false, [server("", running("PyTorch, one GPU", [devices[1]], 12)), server("sweep", running("Two GPUs", [devices[1]], 700))], 1);
add("chris.müller@physics.example.org", false, [], 60 * 30);
add("dana", false, [server("", { pending: "spawn", stopped: false })]);
add("eve", false, [], null);
for (let i = 1; i <= 60; ++i) add(`student${String(i).padStart(2, "0")}`, false, [], i * 700);

const device = (at, more) => ({ uuid: devices[at], index: at, name: at < 2 ? "NVIDIA A100-SXM4-40GB" : "NVIDIA RTX 6000 Ada",
  memory_bytes: (at < 2 ? 40 : 48) * 2 ** 30, used_memory_bytes: 0, utilization_percent: 0, capacity: 2, leases_count: 0, free: 2,
  cordoned: false, eligible: true, leases: [], external: [], ...more });
const lease = (id, user, name, age, more = {}) => ({ id, user, server: name, state: "bound", exclusive: false, since: minutes(age), ...more });
export const gpus = () => ({ simulated: true, stale: false, stale_since: null, oversubscription: 2, devices: [
  device(0, { used_memory_bytes: 31 * 2 ** 30, utilization_percent: 87, leases_count: 1, free: 1, leases: [lease(1, "ann", "", 134)] }),
  device(1, { used_memory_bytes: 38.5 * 2 ** 30, utilization_percent: 96, leases_count: 2, free: 0,
    leases: [lease(2, "bob", "", 12), lease(3, "bob", "sweep", 700)] }),
  device(2, { leases_count: 1, free: 1, leases: [lease(4, "dana", "", 0.3, { state: "reserved" })] }),
  device(3, { cordoned: true, index: null, name: devices[3], free: 2, memory_bytes: null, used_memory_bytes: null, utilization_percent: null,
    external: ["python3, process 4711 of dana"] })] });

const history = () => ({ from: minutes(1440), to: minutes(0), devices: {
  [devices[0]]: [{ from: minutes(1200), to: minutes(800), user: "bob", own: false }, { from: minutes(300), to: null, user: "ann", own: true }],
  [devices[1]]: [{ from: minutes(1440), to: minutes(200), user: "dana", own: false }, { from: minutes(190), to: null, user: "bob", own: false }] } });

const queue = { enabled: true, waiting: [
  { position: 1, user: "eve", server: "", gpus: 1, since: minutes(12), latest_start: minutes(-240), likely_start: minutes(-35), held_back_by: null },
  { position: 2, user: "dana", server: "sweep", gpus: 2, since: minutes(3), latest_start: null, likely_start: minutes(-130), held_back_by: null }] };

const profile = (name, title, text, gpus_, most, fits, reason, more = {}) => ({ name, display_name: title, description: text,
  image: `lab/${name}:2025.11`, gpus: gpus_, max_gpus: most, cpus: 8, memory_bytes: 32 * 2 ** 30, allowed: true,
  available: { fits, free_gpus: Math.min(2, most), total_gpus: 4, reason, wait: null }, ...more });
export const profiles = [
  profile("pytorch", "PyTorch", "JupyterLab with PyTorch 2.9 and CUDA 13. The usual choice.", 1, 4, true, null),
  profile("cpu", "No GPU", "For writing, plotting and preparing data.", 0, 0, true, null,
    { cpus: 4, memory_bytes: 8 * 2 ** 30, available: { fits: true, free_gpus: 0, total_gpus: 4, reason: null, wait: null } }),
  profile("node", "Whole machine", "All four GPUs, alone. For long runs at night.", 4, 4, false,
    "Only 2 of 4 GPUs are free; this needs 4.", { cpus: 64, memory_bytes: 512 * 2 ** 30,
    available: { fits: false, free_gpus: 2, total_gpus: 4, reason: "Only 2 of 4 GPUs are free; this needs 4.",
      wait: { position: 2, latest_start: null, likely_start: minutes(-95), held_back_by: null } } }),
  profile("licensed", "Simulation suite", "Licensed for the fluids group.", 1, 1, false, null, { allowed: false })];

let tokens = [
  { id: "a7", kind: "api_token", note: "Nightly training script", scopes: ["access:servers!user=ann", "servers!user=ann"], created: minutes(9000),
    last_activity: minutes(40), expires_at: new Date(Date.now() + 21 * 864e5).toISOString(), oauth_client: "JupyterHub" },
  { id: "a9", kind: "api_token", note: "Server at /user/bob/", scopes: ["access:servers!server=bob/"], created: minutes(3000),
    last_activity: minutes(2900), expires_at: new Date(Date.now() + 9 * 864e5).toISOString(), oauth_client: "Server at /user/bob/" }];

const starts = new Map();  // user/name -> time
const steps = [[0, 5, "Server requested"], [400, 15, "GPU-5f0c3b1e… (NVIDIA A100) is reserved"], [900, 30, "Creating the container"],
  [1700, 55, "Container is up; its devices are the ones reserved"], [2400, 80, "Waiting for JupyterLab to answer"]];

function start(user, name, options) {
  const record = (user.servers[name] ??= server(name));
  Object.assign(record, { pending: "spawn", stopped: false, user_options: options });
  record.berth.failure = null;
  const key = `${user.name}/${name}`;
  starts.set(key, Date.now());
  const fails = options?.profile === "cpu";
  setTimeout(() => {
    if (record.pending !== "spawn") return;
    if (fails) return Object.assign(record, { pending: null, stopped: true, berth: { ...record.berth, failure: "The container ended at once (exit code 1)." } });
    Object.assign(record, running(options?.profile ?? "pytorch", [devices[0]], 0), { pending: null });
  }, 4000);
}

function progress(response, user, name) {
  const record = user?.servers[name];
  const began = starts.get(`${user?.name}/${name}`) ?? Date.now() - (record?.pending ? 1800 : 0);
  if (!record?.pending && !record?.ready && !record?.berth.failure) return response.writeHead(400).end();
  response.writeHead(200, { "Content-Type": "text/event-stream", "Cache-Control": "no-cache" });
  let told = 0;
  const send = (event) => response.write(`data: ${JSON.stringify(event)}\n\n`);
  const timer = setInterval(() => {
    const age = Date.now() - began;
    while (told < steps.length && steps[told][0] <= age && record.pending) send({ progress: steps[told][1], message: steps[told++][2] });
    if (record.pending) return;
    clearInterval(timer);
    if (record.ready) send({ progress: 100, ready: true, url: record.url, message: "Server ready" });
    else send({ progress: 100, failed: true, message: `Spawn failed: ${record.berth.failure ?? "cancelled"}`,
      log: ["[I 12:00:01 ServerApp] Reading configuration", "Traceback (most recent call last):", '  File "/opt/start.py", line 3, in <module>',
        "ModuleNotFoundError: No module named 'jupyterlab'"] });
    response.end();
  }, 100);
  response.on("close", () => clearInterval(timer));
}

const refuse = (status, message) => ({ status, body: { status, message } });

function serverCall(method, user, name, body) {
  if (method === "POST") {
    if (body?.user_options?.profile === "node") return refuse(400, "Needs 4 GPUs, and 2 are free. Take fewer, or wait until others stop.");
    start(user, name, body?.user_options);
    return { status: 202 };
  }
  if (method === "PUT") return { status: 201, body: (user.servers[name] = server(name, { display_name: body.display_name })) };
  if (body?.remove) delete user.servers[name];
  else user.servers[name] = server(name, { display_name: user.servers[name]?.display_name, last_activity: minutes(0) });
  return { status: 204 };
}

function listUsers(query) {
  const state = query.get("state");
  const active = (user) => Object.values(user.servers).some((each) => each.ready || each.pending);
  const found = [...users.values()].filter((user) => user.name.includes((query.get("name_filter") ?? "").toLowerCase()))
    .filter((user) => !state || (state === "inactive" ? !active(user) : active(user)));
  const offset = Number(query.get("offset") ?? 0);
  const limit = Number(query.get("limit") ?? 50);
  return { status: 200, body: { items: found.slice(offset, offset + limit), _pagination: { offset, limit, total: found.length, next: null } } };
}

// {status, body?}, or nothing when the response was written to.
export function answer(method, parts, query, body, response) {
  const [kind, who, what, which = ""] = parts;
  const user = users.get(who);
  if (kind === "berth" && who === "gpu") return { status: 200, body: what === "history" ? history() : queue };
  if (kind === "berth" && who === "gpus") return { status: 200, body: gpus() };
  if (kind === "berth" && who === "profiles") return { status: 200, body: profiles };
  if (kind === "berth" && who === "users") {
    return { status: 201, body: { url: "/hub/invite?code=Zp3kT0-q9Xl2mVfA7RbY", expires_at: new Date(Date.now() + 3 * 864e5).toISOString() } };
  }
  if (kind !== "users") return refuse(404, "Not Found");
  if (who === undefined && method === "GET") return listUsers(query);
  if (who === undefined) {
    for (const name of body.usernames) add(name.toLowerCase(), body.admin, [], null);
    return { status: 201, body: body.usernames.map((name) => users.get(name.toLowerCase())) };
  }
  if (user === undefined) return refuse(404, `There is no user “${who}”.`);
  if (parts.at(-1) === "progress") return progress(response, user, what === "servers" ? which : "");
  if (what === "server") return serverCall(method, user, "", body);
  if (what === "servers") return serverCall(method, user, which, body);
  if (what === "tokens") {
    if (method === "GET") return { status: 200, body: { api_tokens: tokens } };
    if (method === "DELETE") return (tokens = tokens.filter((each) => each.id !== which)), { status: 204 };
    const made = { id: `a${Date.now() % 1000}`, kind: "api_token", note: body.note, scopes: body.scopes ?? ["inherit"], created: minutes(0),
      last_activity: null, expires_at: body.expires_in && new Date(Date.now() + body.expires_in * 1000).toISOString() };
    tokens = [made, ...tokens];
    return { status: 201, body: { ...made, token: "0f3b9c1de6a74f0fb2b85d3d5e1c9a7e" } };
  }
  if (method === "PATCH") return { status: 200, body: Object.assign(user, { admin: body.admin }) };
  if (method === "DELETE") return users.delete(who), { status: 204 };
  return { status: 200, body: user };
}
