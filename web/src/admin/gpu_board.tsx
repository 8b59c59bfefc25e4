import { api } from "../api";
import { ago, bytes, count, lasting, soon } from "../format";
import { useLive, useNow } from "../live";
import type { DeviceModel, HistoryModel, LeaseModel, QueueEntryModel } from "../models";
import { Loading, Meter, Note } from "../parts/parts";
import { modelOf, placeOf } from "../servers";
import { GpuDay } from "./gpu_day";
import { Reservations } from "./reservations";

function statusOf(device: DeviceModel): { label: string; pill: string } {
  if (device.drain !== null) return { label: device.leases_count === 0 ? "Drained" : "Draining", pill: "pill-warn" };
  if (device.cordoned) return { label: "Cordoned", pill: "pill-warn" };
  if (!device.eligible) return { label: "Not usable", pill: "pill-danger" };
  if (device.free === 0) return { label: "Full", pill: "pill-accent" };
  if (device.leases_count === 0 && device.external.length > 0) return { label: "Used outside Berth", pill: "pill-warn" };
  return device.leases_count === 0 ? { label: "Free", pill: "pill-ok" } : { label: `${device.free} free`, pill: "pill-ok" };
}

const holder = (lease: LeaseModel): string =>
  lease.user === null ? "Somebody else" : lease.server ? `${lease.user} / ${lease.server}` : lease.user;

function Slots({ device, now }: { device: DeviceModel; now: number }) {
  const free = device.eligible && !device.cordoned ? device.free : 0;
  return (
    <ul class="slots" aria-label="Holders">
      {device.leases.map((lease) => (
        <li class="slot" key={lease.id} title={`${holder(lease)}, ${lease.state}`}>
          <span class="avatar" aria-hidden="true">{[...holder(lease)][0]}</span>
          <span><span class="strong">{holder(lease)}</span>{lease.exclusive && device.capacity > 1 ? " (alone)" : ""}</span>
          {lease.state !== "bound" && lease.state !== "active" && <span class="pill pill-accent pill-busy">{lease.state}</span>}
          {lease.sick && <span class="pill pill-danger" title={lease.sick_reason ?? ""}>sick GPU</span>}
          <span class="muted small num">{lasting(now - Date.parse(lease.since))}</span>
        </li>
      ))}
      {device.external.map((name, at) => (
        <li class="slot slot-external" key={`external-${at}`}
            title={`${name ?? "Something"} uses this GPU and was not started by Berth. It is left alone, and others are preferred.`}>
          <span class="pill pill-warn">Outside Berth</span>
          <span>{name ?? "Something else"}</span>
        </li>
      ))}
      {Array.from({ length: Math.min(free, 4) }, (_, slot) => <li class="slot slot-free" key={`free-${slot}`}>Free</li>)}
      {free > 4 && <li class="muted small">and {free - 4} more free</li>}
    </ul>
  );
}

function Gauges({ device }: { device: DeviceModel }) {
  const { memory_bytes: total, used_memory_bytes: used, utilization_percent: load } = device;
  return (
    <>
      {load !== null && (
        <div class="gauge">
          <div><span>Utilisation</span><span class="num">{Math.round(load)} %</span></div>
          <Meter label="Utilisation" percent={load} />
        </div>
      )}
      {total !== null && (
        <div class="gauge">
          <div><span>Memory</span>
            <span class="num">{used === null ? bytes(total) : `${bytes(used)} of ${bytes(total)}`}</span></div>
          {used !== null && <Meter label="Memory" percent={(100 * used) / Math.max(1, total)} />}
        </div>
      )}
    </>
  );
}

function Device({ device, history, now }: { device: DeviceModel; history: HistoryModel | undefined; now: number }) {
  const status = statusOf(device);
  return (
    <li class="card gpu">
      <div class="gpu-head">
        <div class="grow">
          <h2 class="wrap">{placeOf(device)}</h2>
          {modelOf(device) !== "" && <p class="wrap">{modelOf(device)}</p>}
          <code class="gpu-uuid" title={device.uuid}>{device.uuid}</code>
        </div>
        <span class={`pill ${status.pill}`}>{status.label}</span>
      </div>
      <Gauges device={device} />
      {history !== undefined && <GpuDay history={history} uuid={device.uuid} />}
      <Slots device={device} now={now} />
    </li>
  );
}

function startOf(entry: QueueEntryModel, now: number): string {
  const { likely_start: likely, latest_start: latest } = entry;
  if (entry.held_back_by !== null) return entry.held_back_by;
  if (likely === null) return latest === null ? "when somebody stops" : `${soon(latest, now)} at the latest`;
  return latest === null || latest === likely ? soon(likely, now) : `${soon(likely, now)}, ${soon(latest, now)} at the latest`;
}

// Who waits, first to be served first.
function Queue({ entries, now }: { entries: readonly QueueEntryModel[]; now: number }) {
  if (entries.length === 0) return null;
  return (
    <section class="stack-s" aria-labelledby="queue-title">
      <h2 id="queue-title">Waiting for a GPU</h2>
      <div class="card table-box">
        <table>
          <thead><tr><th>Place</th><th>Who</th><th>GPUs</th><th>Since</th><th>Starts</th></tr></thead>
          <tbody>
            {entries.map((entry) => (
              <tr key={entry.position}>
                <td class="num">{entry.position}</td>
                <td>{entry.user === null ? "Somebody else" : entry.server ? `${entry.user} / ${entry.server}` : entry.user}</td>
                <td class="num">{entry.gpus}</td>
                <td class="num nowrap">{ago(entry.since, now)}</td>
                <td>{startOf(entry, now)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

// Who holds what, who waits, and what the devices do: live.
export function GpuBoard() {
  const gpus = useLive(api.gpus, 3000);
  const queue = useLive(api.gpuQueue, 3000);
  const history = useLive(api.gpuHistory, 60000);
  const now = useNow(10000);
  if (gpus.value === undefined) return <Loading error={gpus.error} />;
  const { devices, simulated, stale, stale_since: since, oversubscription } = gpus.value;
  const free = devices.reduce((sum, device) => sum + (device.eligible && !device.cordoned ? device.free : 0), 0);
  const capacity = devices.reduce((sum, device) => sum + device.capacity, 0);
  return (
    <div class="stack">
      {gpus.error !== undefined && <Note tone="danger">{gpus.error}</Note>}
      {stale && (
        <Note tone="warning">
          The driver does not answer{since ? `; the numbers are from ${ago(since, now)}` : ""}. Leases stay as they are.
        </Note>
      )}
      {devices.length === 0 ? (
        <p class="card empty">No GPU was found. Install the driver, or name devices in the configuration.</p>
      ) : (
        <>
          <p class="lead num row">
            <span>
              {free} of {count(capacity, "place")} free on {count(devices.length, "GPU")}
              {oversubscription > 1 ? `, each shared by up to ${oversubscription}` : ""}.
            </span>
            {simulated && <span class="pill pill-plain pill-warn">Simulated</span>}
          </p>
          <ul class="board" aria-label="GPUs">
            {devices.map((device) => <Device key={device.uuid} device={device} history={history.value} now={now} />)}
          </ul>
          <Queue entries={queue.value?.waiting ?? []} now={now} />
          <Reservations devices={devices} />
        </>
      )}
    </div>
  );
}
