import { useRef } from "preact/hooks";
import { api } from "../api";
import { useGpuEvents } from "../events";
import { ago, count, soon } from "../format";
import { useLive, useNow } from "../live";
import type { GpusModel, QueueEntryModel } from "../models";
import { Loading, Note } from "../parts/parts";
import { Legend } from "./day";
import { Device } from "./device";
import { Queue, startOf } from "./queue";
import { UsageByWeek } from "./usage";

function Figure({ value, of, label, hint }: { value: number | string; of?: string; label: string; hint: string }) {
  return (
    <div class="card figure">
      <dt>{label}</dt>
      <dd><span class="figure-value num">{value}</span>{of !== undefined && <span class="muted num"> {of}</span>}</dd>
      <dd class="hint">{hint}</dd>
    </div>
  );
}

// The whole at a glance.
function Figures({ gpus, waiting, now }: { gpus: GpusModel; waiting: readonly QueueEntryModel[]; now: number }) {
  const { devices, oversubscription } = gpus;
  const free = devices.reduce((sum, device) => sum + (device.eligible && !device.cordoned ? device.free : 0), 0);
  const capacity = devices.reduce((sum, device) => sum + device.capacity, 0);
  const held = devices.filter((device) => device.leases_count > 0);
  const busy = held.filter((device) => (device.utilization_percent ?? 0) >= 5);
  const read = devices.filter((device) => device.utilization_percent !== null);
  const load = read.reduce((sum, device) => sum + (device.utilization_percent ?? 0), 0) / Math.max(1, read.length);
  const first = waiting[0];
  return (
    <dl class="figures">
      <Figure label="Free" value={free} of={`of ${capacity}`}
        hint={oversubscription > 1 ? `places; up to ${oversubscription} share a GPU` : count(devices.length, "GPU")} />
      <Figure label="Computing" value={busy.length} of={`of ${held.length} held`}
        hint={held.length === busy.length ? "none is held and idle" : `${held.length - busy.length} held and idle`} />
      <Figure label="Utilisation" value={read.length === 0 ? "–" : `${Math.round(load)} %`}
        hint={read.length === 0 ? "not read" : "now, over all GPUs"} />
      <Figure label="Waiting" value={waiting.length} hint={first === undefined ? "nobody" : first.likely_start === null ? `next: ${startOf(first, now)}` : `next: ${soon(first.likely_start, now)}`} />
    </dl>
  );
}

// Who holds what, who waits, and what the devices do and did: live by the hub's word, or else by asking.
export function GpuBoard() {
  const told = useRef(false);
  const pace = (asking: number) => () => (told.current ? 60000 : asking);
  const gpus = useLive(api.gpus, pace(3000));
  const queue = useLive(api.gpuQueue, pace(3000));
  const history = useLive(api.gpuHistory, 60000);
  told.current = useGpuEvents((changed) => {
    if (changed.includes("devices") || changed.includes("leases")) void gpus.refresh();
    if (changed.includes("queue")) void queue.refresh();
    if (changed.includes("leases")) void history.refresh();
  });
  const now = useNow(10000);
  if (gpus.value === undefined) return <Loading error={gpus.error} />;
  const { devices, stale, stale_since: since } = gpus.value;
  const waiting = queue.value?.waiting ?? [];
  return (
    <div class="stack-l" data-live={told.current}>
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
          <Figures gpus={gpus.value} waiting={waiting} now={now} />
          <section class="stack-s" aria-labelledby="board-title">
            <div class="section-head">
              <h2 id="board-title">Now, and the last 24 hours</h2>
              {gpus.value.simulated && <span class="pill pill-plain pill-warn">Simulated</span>}
              <Legend />
            </div>
            <ul class="board" aria-label="GPUs">
              {devices.map((device) => <Device key={device.uuid} device={device} history={history.value} now={now} />)}
            </ul>
          </section>
          <Queue entries={waiting} now={now} />
          <UsageByWeek />
        </>
      )}
    </div>
  );
}
