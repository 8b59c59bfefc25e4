import { count } from "../format";
import type { DeviceModel, GpusModel } from "../models";
import { page } from "../page";
import { Meter } from "../parts/parts";
import { modelOf } from "../servers";

interface Kind {
  name: string;
  total: number;
  free: number;
}

function kindsOf(devices: readonly DeviceModel[]): Kind[] {
  const kinds = new Map<string, Kind>();
  for (const device of devices) {
    const name = modelOf(device) || "GPU";
    const kind = kinds.get(name) ?? { name, total: 0, free: 0 };
    kind.total += device.capacity;
    if (device.eligible && !device.cordoned) kind.free += device.free;
    kinds.set(name, kind);
  }
  return [...kinds.values()];
}

// What is free, by kind of GPU: whether a start makes sense now.
export function GpuSummary({ gpus }: { gpus: GpusModel }) {
  return (
    <section class="card card-list" aria-labelledby="gpus-now">
      <div class="side-head">
        <h2 id="gpus-now">GPUs now</h2>
        {gpus.simulated ? <span class="pill pill-plain pill-warn">Simulated</span> : <a class="small" href={`${page.hub}gpus`}>All GPUs</a>}
      </div>
      {kindsOf(gpus.devices).map((kind) => (
        <div class="gpu-line" key={kind.name}>
          <div class="gpu-line-head">
            <span class="wrap">{kind.name}</span>
            <span class="nowrap num muted">{kind.free} of {kind.total} free</span>
          </div>
          <Meter label={`${kind.name} in use`} percent={(100 * (kind.total - kind.free)) / Math.max(1, kind.total)} />
        </div>
      ))}
      {gpus.oversubscription > 1 && (
        <p class="gpu-line hint">Up to {count(gpus.oversubscription, "server")} may share a GPU.</p>
      )}
      {gpus.stale && <p class="gpu-line hint">The GPUs have not been read for a while.</p>}
    </section>
  );
}
