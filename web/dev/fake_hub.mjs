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

const hour = 60;
const models = ["NVIDIA H100 80GB HBM3", "NVIDIA H100 80GB HBM3", "NVIDIA A100-SXM4-40GB", "NVIDIA A100-SXM4-40GB"];
const device = (at, more) => ({ uuid: devices[at], index: at, name: models[at], memory_bytes: (at < 2 ? 80 : 40) * 2 ** 30,
  used_memory_bytes: 6e8, utilization_percent: 0, temperature_celsius: 34, power_watts: 71, capacity: 1, leases_count: 0, free: 1,
  pool: at < 2 ? "big" : "", cordoned: false, drain: null, eligible: true, health: "healthy", health_detail: "", leases: [], external: [], ...more });
const lease = (id, user, name, age, more = {}) => ({ id, user, server: name, state: "active", exclusive: true, since: minutes(age),
  sick: false, sick_reason: null, own: user === "ann", until: null, ...more });
export const gpus = () => ({ simulated: false, stale: false, stale_since: null, oversubscription: 1, devices: [
  device(0, { used_memory_bytes: 61 * 2 ** 30, utilization_percent: 94, temperature_celsius: 67, power_watts: 612, leases_count: 1, free: 0,
    leases: [lease(1, "ann", "", 134, { until: minutes(-250) })] }),
  device(1, { used_memory_bytes: 22.5 * 2 ** 30, utilization_percent: 0, temperature_celsius: 38, power_watts: 118, leases_count: 1, free: 0,
    leases: [lease(2, "bob", "sweep", 700, { until: minutes(-20) })] }),
  device(2, { used_memory_bytes: 9 * 2 ** 30, utilization_percent: 41, temperature_celsius: 52, power_watts: 214,
    external: ["python3, process 4711 of dana"] }),
  device(3, { eligible: false, free: 0, health: "unhealthy", health_detail: "GPU requires reset", used_memory_bytes: null,
    utilization_percent: null, temperature_celsius: null, power_watts: null })] });

// Days that look like days: [from, to, state] in minutes ago.
const days = [
  [[1440, 1260, "free"], [1260, 1256, "held"], [1256, 900, "busy"], [900, 790, "idle"], [790, 420, "free"], [420, 414, "held"],
    [414, 300, "busy"], [300, 240, "idle"], [240, 134, "free"], [134, 130, "held"], [130, 0, "busy"]],
  [[1440, 980, "busy"], [980, 930, "idle"], [930, 700, "free"], [700, 695, "held"], [695, 520, "busy"], [520, 0, "idle"]],
  [[1440, 1100, "free"], [1100, 1096, "held"], [1096, 760, "busy"], [760, 410, "free"], [410, 0, "external"]],
  [[1440, 1300, "cordoned"], [1300, 1000, "free"], [1000, 997, "held"], [997, 560, "busy"], [560, 500, "idle"], [500, 330, "free"], [330, 0, "sick"]]];
const loads = { free: [0, 0.01], held: [0, 0.03], busy: [0.9, 0.7], idle: [0.004, 0.28], external: [0.42, 0.22], cordoned: [0, 0.01], sick: [null, null] };
function seriesOf(day, seed, memory) {
  const points = { utilization: [], used_memory_bytes: [] };
  for (let at = 0; at < 288; ++at) {
    const ago = 1440 - at * 5;
    const [, , state] = day.find(([from, to]) => ago <= from && ago > to) ?? day.at(-1);
    const [load, used] = loads[state];
    const wave = Math.sin(at * 0.9 + seed) * 0.05 + Math.sin(at * 0.21 + seed * 2) * 0.06 - (Math.sin(at * 2.3 + seed) > 0.93 ? 0.45 : 0);
    points.utilization.push(load === null ? null : load < 0.1 ? load : Math.max(0, Math.min(1, load + wave)));
    points.used_memory_bytes.push(used === null ? null : memory * Math.max(0.01, used + (used > 0.1 ? Math.sin(at / 9 + seed) * 0.04 : 0)));
  }
  return points;
}
const held = (from, to, user) => ({ from: minutes(from), to: to === null ? null : minutes(to), user, own: user === "ann" });
const history = () => ({ from: minutes(1440), to: minutes(0), step_seconds: 300, series_from: minutes(1440),
  spans: Object.fromEntries(days.map((day, at) => [devices[at], day.map(([from, to, state]) => ({ from: minutes(from), to: minutes(to), state }))])),
  series: Object.fromEntries(days.map((day, at) => [devices[at], seriesOf(day, at * 3 + 1, (at < 2 ? 80 : 40) * 2 ** 30)])),
  devices: {
    [devices[0]]: [held(1260, 790, "dana"), held(420, 240, "chris"), held(134, null, "ann")],
    [devices[1]]: [held(1440, 930, "eve"), held(700, null, "bob")],
    [devices[2]]: [held(1100, 760, "ann")],
    [devices[3]]: [held(1000, 500, "student07")] } });

const people = [["bob", 96, 31], ["student07", 58, 20], ["dana", 71, 58], ["ann", 64, 55], ["eve", 33, 30], ["chris", 12, 9.5]];
const groups = [["students", 152, 96], ["vision", 118, 74], ["language", 64, 33.5]];
const projects = [["thesis", 140, 96], ["(none)", 118, 74], ["course", 76, 33.5]];
const usage = (by) => {
  const key = by.split(",")[0];
  const names = key === "group" ? groups : key === "project" ? projects : key === "user" ? people : key === "model" ? [["NVIDIA H100 80GB HBM3", 214, 140], ["NVIDIA A100-SXM4-40GB", 120, 63.5]]
    : [["pytorch", 301, 190], ["node", 33, 13.5]];
  const monday = Date.now() - ((new Date().getUTCDay() + 6) % 7) * 864e5;
  return { by, from: minutes(28 * 24 * hour), to: minutes(0), rows: names.flatMap(([name, all, used], line) => [0.18, 0.31, 0.27, 0.24].map((part, at) => {
    const share = [part, [0.24, 0.3, 0.16, 0.3][at], [0.33, 0.12, 0.35, 0.2][at]][line % 3];
    const worked = used * [0.28, 0.22, 0.26, 0.24][(at + line) % 4];
    const had = Math.max(all * share, worked);
    return { [key]: name, week: new Date(monday - (3 - at) * 7 * 864e5).toISOString().slice(0, 10), gpu_hours: had, used_hours: worked,
      wasted_hours: had - worked, energy_kwh: worked * 0.55 + (had - worked) * 0.1 };
  })) };
};

function events(response) {
  response.writeHead(200, { "Content-Type": "text/event-stream", "Cache-Control": "no-cache" });
  response.write('data: {"changed":["devices","leases","queue"]}\n\n');
  const timer = setInterval(() => response.write('data: {"changed":["devices"]}\n\n'), 5000);
  response.on("close", () => clearInterval(timer));
}

const reservation = (id, own, gpus, from, hours, more) => ({ id, user: null, group: null, own, gpus, pool: "", model: "", devices: [],
  begin: minutes(-60 * from), end: minutes(-60 * (from + hours)), running: from <= 0, note: "", ...more });
const reservations = { reservations: [
  reservation(1, false, 2, -30, 20, { user: "eve", pool: "big" }),
  reservation(2, false, 2, -3, 26, { group: "vision", pool: "big", note: "Deadline of the workshop paper" }),
  reservation(3, true, 1, 10, 8, { user: "ann", note: "Demo" })] };

const queue = { enabled: true, waiting: [
  { position: 1, user: "eve", server: "", own: false, gpus: 1, since: minutes(12), latest_start: minutes(-240), likely_start: minutes(-35), held_back_by: null },
  { position: 2, user: "dana", server: "sweep", own: false, gpus: 2, since: minutes(3), latest_start: null, likely_start: minutes(-130), held_back_by: null }] };

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
  if (kind === "berth" && who === "gpu" && what === "reservations") {
    if (method === "GET") return { status: 200, body: reservations };
    if (method === "DELETE") return { status: 204 };
    return { status: 403, body: { message: "It could not be kept: only 1 GPU would be free by its begin. In use by bob (lease 2, without an end). Reserve for later or fewer, or end those first." } };
  }
  if (kind === "berth" && who === "gpu" && what === "events") return events(response);
  if (kind === "berth" && who === "gpu") return { status: 200, body: { history, queue: () => queue, usage: () => usage(query.get("by")) }[what]() };
  if (kind === "berth" && who === "gpus") return { status: 200, body: gpus() };
  if (kind === "berth" && who === "profiles") return { status: 200, body: profiles };
  if (kind === "berth" && who === "users" && method === "GET") return { status: 200, body: { sessions: [
    { id: "s1", created: minutes(3000), client_address: "192.0.2.7", user_agent: "Firefox Linux", current: true }] } };
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
