import { bytes, count, lasting } from "../format";
import { useNow } from "../live";
import type { DeviceModel, LeaseModel, ServerModel } from "../models";
import { Meter } from "../parts/parts";
import { labelOf, modelOf, placeOf } from "../servers";

interface MyGpuProps {
  devices: readonly DeviceModel[];
  servers: readonly ServerModel[];
}

function neighboursOf(device: DeviceModel): string {
  const others = device.leases.length - 1 + device.external.length;
  if (device.capacity === 1 && device.external.length === 0) return "Yours alone";
  return others === 0 ? "Nobody else is on it" : `Shared with ${count(others, "other")}`;
}

// Until when it is theirs: as announced, or else as it is known.
function TimeLeft({ lease, server, now }: { lease: LeaseModel; server: ServerModel | undefined; now: number }) {
  const end = server?.berth?.ending?.at ?? lease.until;
  if (!end) return <span>No end is set</span>;
  return <span class="num">{lasting(Date.parse(end) - now)} left</span>;
}

function Mine({ device, lease, server, now }: {
  device: DeviceModel; lease: LeaseModel; server: ServerModel | undefined; now: number;
}) {
  const { memory_bytes: total, used_memory_bytes: used, utilization_percent: load } = device;
  return (
    <li class="gpu-line">
      <div class="gpu-line-head">
        <span class="wrap"><span class="strong">{placeOf(device)}</span>{server !== undefined && <span class="muted"> · {labelOf(server)}</span>}</span>
        <span class="nowrap muted small"><TimeLeft lease={lease} server={server} now={now} /></span>
      </div>
      {modelOf(device) !== "" && <span class="muted small wrap">{modelOf(device)}</span>}
      {load !== null && (
        <div class="gauge">
          <div><span>Utilisation</span><span class="num">{Math.round(load)} %</span></div>
          <Meter label={`Utilisation of ${placeOf(device)}`} percent={load} full="is-fine" />
        </div>
      )}
      {total !== null && used !== null && (
        <div class="gauge">
          <div><span>Memory</span><span class="num">{bytes(used)} of {bytes(total)}</span></div>
          <Meter label={`Memory of ${placeOf(device)}`} percent={(100 * used) / Math.max(1, total)} />
        </div>
      )}
      <span class="muted small">{neighboursOf(device)}</span>
    </li>
  );
}

// The GPUs that are one's own now: how much time is left, how they are used, and who else is on them.
export function MyGpu({ devices, servers }: MyGpuProps) {
  const now = useNow(10000);
  const mine = devices.flatMap((device) => device.leases.filter((lease) => lease.own).map((lease) => ({ device, lease })));
  if (mine.length === 0) return null;
  return (
    <section class="card" aria-labelledby="my-gpus">
      <div class="side-head"><h2 id="my-gpus">{mine.length === 1 ? "My GPU" : "My GPUs"}</h2></div>
      <ul class="card-list">
        {mine.map(({ device, lease }) => (
          <Mine key={`${device.uuid}-${lease.id}`} device={device} lease={lease} now={now}
            server={servers.find((each) => each.name === (lease.server ?? ""))} />
        ))}
      </ul>
    </section>
  );
}
