import { bytes, exactly, lasting, soon } from "../format";
import type { DeviceModel, DeviceUse, HistoryModel, LeaseModel } from "../models";
import { Meter } from "../parts/parts";
import { modelOf, placeOf } from "../servers";
import { DayList, Strip } from "./day";
import { Plot } from "./plot";
import { dayOf } from "./uses";

function statusOf(device: DeviceModel, doing: DeviceUse | undefined): { label: string; pill: string } {
  if (device.health !== "healthy") return { label: device.health === "gone" ? "Gone" : "Sick", pill: "pill-danger" };
  if (device.drain !== null) return { label: device.leases_count === 0 ? "Drained" : "Draining", pill: "pill-warn" };
  if (device.cordoned) return { label: "Cordoned", pill: "pill-warn" };
  if (device.leases_count === 0 && device.external.length > 0) return { label: "Used outside Berth", pill: "pill-warn" };
  if (device.leases_count === 0) return { label: "Free", pill: "pill-ok" };
  if (device.free > 0) return { label: `${device.free} free`, pill: "pill-ok" };
  if (doing === "idle") return { label: "Held, idle", pill: "pill-warn" };
  return { label: doing === "busy" ? "Busy" : device.capacity > 1 ? "Full" : "Held", pill: "pill-accent" };
}

const holder = (lease: LeaseModel): string =>
  lease.user === null ? "Somebody else" : lease.server ? `${lease.user} / ${lease.server}` : lease.user;

function Held({ lease, alone, now }: { lease: LeaseModel; alone: boolean; now: number }) {
  const starting = lease.state === "reserved" || lease.state === "bound";
  return (
    <li class={`slot${lease.own ? " slot-own" : ""}`} title={`${holder(lease)}, ${lease.state}`}>
      <span class="avatar" aria-hidden="true">{[...holder(lease)][0]}</span>
      <span class="slot-who">
        <span class="strong">{holder(lease)}</span>{lease.own ? " (you)" : ""}{alone ? ", alone" : ""}
        <span class="muted small num">
          for <time dateTime={lease.since} title={exactly(lease.since)}>{lasting(now - Date.parse(lease.since))}</time>
          {lease.until !== null && <>, ends <time dateTime={lease.until} title={exactly(lease.until)}>{soon(lease.until, now)}</time></>}
        </span>
      </span>
      {lease.sick && <span class="pill pill-danger" title={lease.sick_reason ?? ""}>Sick GPU</span>}
      {starting && <span class="pill pill-accent pill-busy">Starting</span>}
      {lease.state === "draining" && <span class="pill pill-warn pill-busy">Ending</span>}
    </li>
  );
}

function Holders({ device, now }: { device: DeviceModel; now: number }) {
  const free = device.eligible && !device.cordoned ? device.free : 0;
  return (
    <ul class="slots" aria-label="Holders">
      {device.leases.map((lease) => <Held key={lease.id} lease={lease} alone={lease.exclusive && device.capacity > 1} now={now} />)}
      {device.external.map((name, at) => (
        <li class="slot slot-external" key={`external-${at}`}
          title={`${name ?? "Something"} uses this GPU and was not started by Berth. It is left alone, and others are preferred.`}>
          <span class="pill pill-warn">Outside Berth</span>
          <span>{name ?? "Something else"}</span>
        </li>
      ))}
      {free > 0 && <li class="slot slot-free">{device.capacity === 1 ? "Free" : `${free} of ${device.capacity} places free`}</li>}
    </ul>
  );
}

function Gauges({ device }: { device: DeviceModel }) {
  const { memory_bytes: total, used_memory_bytes: used, utilization_percent: load } = device;
  const rest = [device.temperature_celsius === null ? "" : `${device.temperature_celsius} °C`,
    device.power_watts === null ? "" : `${Math.round(device.power_watts)} W`].filter((each) => each !== "");
  return (
    <div class="gauges">
      {load !== null && (
        <div class="gauge">
          <div><span>Utilisation</span><span class="num">{Math.round(load)} %</span></div>
          <Meter label="Utilisation" percent={load} full="is-fine" />
        </div>
      )}
      {total !== null && (
        <div class="gauge">
          <div><span>Memory</span>
            <span class="num">{used === null ? bytes(total) : `${bytes(used)} of ${bytes(total)}`}</span></div>
          {used !== null && <Meter label="Memory" percent={(100 * used) / Math.max(1, total)} />}
        </div>
      )}
      {rest.length > 0 && <p class="muted small num">{rest.join(" · ")}</p>}
    </div>
  );
}

function Past({ device, history }: { device: DeviceModel; history: HistoryModel }) {
  const day = dayOf(history, device.uuid);
  const read = history.series[device.uuid]?.utilization.some((value) => value !== null) ?? false;
  return (
    <div class="gpu-past">
      <Strip day={day} />
      {read ? <Plot history={history} uuid={device.uuid} memory={device.memory_bytes} /> :
        <p class="hint gpu-unread">Utilisation and memory have not been read in the last 24 hours.</p>}
      <DayList day={day} />
    </div>
  );
}

export function Device({ device, history, now }: { device: DeviceModel; history: HistoryModel | undefined; now: number }) {
  const status = statusOf(device, history?.spans[device.uuid]?.at(-1)?.state);
  return (
    <li class="card gpu">
      <div class="gpu-now">
        <div class="gpu-head">
          <div class="grow">
            <h2 class="wrap">{placeOf(device)}</h2>
            {modelOf(device) !== "" && <p class="wrap small">{modelOf(device)}</p>}
            <code class="gpu-uuid" title={device.uuid}>{device.uuid}</code>
          </div>
          <span class={`pill ${status.pill}`}>{status.label}</span>
        </div>
        {device.health_detail !== "" && <p class="small error-text wrap">{device.health_detail}</p>}
        <Holders device={device} now={now} />
        <Gauges device={device} />
      </div>
      {history !== undefined && <Past device={device} history={history} />}
    </li>
  );
}
