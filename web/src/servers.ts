// What a server's record means to a person.
import { shortUuid } from "./format";
import type { DeviceModel, ServerModel } from "./models";

export interface ServerState {
  label: string;
  pill: string;
}

export function stateOf(server: ServerModel | undefined): ServerState {
  switch (server?.pending) {
    case "spawn": {
      const position = server.berth?.position;
      return { label: position ? `Waiting, position ${position}` : "Starting", pill: "pill-accent pill-busy" };
    }
    case "stop": return { label: "Stopping", pill: "pill-warn pill-busy" };
    case "check": return { label: "Checking", pill: "pill-accent pill-busy" };
    case "rename": return { label: "Renaming", pill: "pill-accent pill-busy" };
    default: break;
  }
  if (server?.ready) return { label: "Running", pill: "pill-ok" };
  if (server?.berth?.failure) return { label: "Failed", pill: "pill-danger" };
  return { label: "Stopped", pill: "" };
}

export const labelOf = (server: ServerModel): string =>
  server.display_name || server.name || "Default server";

export const isActive = (server: ServerModel | undefined): boolean =>
  server !== undefined && (server.ready || server.pending !== null);

// Devices that were named by hand have neither a model nor an index; the hub then says the UUID for a name.
export const modelOf = (device: DeviceModel): string => (device.name === device.uuid ? "" : device.name);
export const placeOf = (device: DeviceModel): string =>
  device.index === null ? shortUuid(device.uuid) : `GPU\u00a0${device.index}`;

// "GPU 0, GPU 1 · NVIDIA A100": the devices of a lease, as far as they are known.
export function deviceNames(uuids: readonly string[], devices: readonly DeviceModel[]): string {
  const byModel = new Map<string, string[]>();
  for (const uuid of uuids) {
    const device = devices.find((each) => each.uuid === uuid);
    const model = device === undefined ? "" : modelOf(device);
    byModel.set(model, [...(byModel.get(model) ?? []), device === undefined ? shortUuid(uuid) : placeOf(device)]);
  }
  return [...byModel].map(([model, places]) => places.join(", ") + (model === "" ? "" : ` · ${model}`)).join("; ");
}

// A failure's sentence, and the lines of the server's log that the hub put below it.
export function failureParts(failure: string): { sentence: string; log: string[] } {
  const [first = "", ...log] = failure.split("\n");
  const sentence = first.replace(/^Spawn failed: /, "").replace(/ Its last words:$/, "");
  return { sentence, log: log.filter((line) => line.trim() !== "") };
}

export const emptyServer = (name: string): ServerModel => ({
  name,
  last_activity: null,
  started: null,
  pending: null,
  ready: false,
  stopped: true,
  url: "",
  progress_url: "",
  user_options: null,
});
