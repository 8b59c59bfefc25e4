import { useState } from "preact/hooks";
import { api } from "../api";
import { count, exactly } from "../format";
import { useLive } from "../live";
import type { DeviceModel, ReservationModel } from "../models";
import { page } from "../page";
import { Dialog } from "../parts/dialog";
import { Icon } from "../parts/icons";
import { Note } from "../parts/parts";
import { attempt } from "../parts/toast";
import { CalendarAddress } from "./calendar_address";
import { Reserve } from "./reserve";

const dayName = new Intl.DateTimeFormat(undefined, { weekday: "short", day: "numeric" });
const monthName = new Intl.DateTimeFormat(undefined, { month: "long", year: "numeric" });

// Midnight of that many days after the Monday of this week, by the local calendar (a day may have 23 hours).
function dayFrom(week: number, day: number): number {
  const today = new Date();
  const monday = today.getDate() - ((today.getDay() + 6) % 7);
  return new Date(today.getFullYear(), today.getMonth(), monday + 7 * week + day).getTime();
}

const ownerOf = ({ user, group, project }: ReservationModel): string =>
  user ?? (project !== null ? `project ${project}` : group !== null ? `group ${group}` : "somebody");
const titleOf = (one: ReservationModel): string =>
  `${count(one.gpus, "GPU")}${one.pool === "" ? "" : ` of ${one.pool}`} for ${ownerOf(one)}`;

// Each in the first lane that is free by its begin: what overlaps stands one below the other.
function lanesOf(list: readonly ReservationModel[]): ReservationModel[][] {
  const lanes: ReservationModel[][] = [];
  for (const one of [...list].sort((a, b) => Date.parse(a.begin) - Date.parse(b.begin))) {
    const lane = lanes.find((each) => Date.parse(each[each.length - 1]?.end ?? "") <= Date.parse(one.begin));
    if (lane === undefined) lanes.push([one]);
    else lane.push(one);
  }
  return lanes;
}

function Week({ week, list, onOpen }: { week: number; list: readonly ReservationModel[]; onOpen: (one: ReservationModel) => void }) {
  const days = Array.from({ length: 8 }, (_, day) => dayFrom(week, day));
  const begin = days[0] ?? 0;
  const end = days[7] ?? begin + 1;
  const now = Date.now();
  const at = (time: number): number => (100 * (Math.min(Math.max(time, begin), end) - begin)) / (end - begin);
  const here = list.filter((one) => Date.parse(one.begin) < end && Date.parse(one.end) > begin);
  return (
    <div class="week">
      <div class="week-days" aria-hidden="true">
        {days.slice(0, 7).map((day, number) => (
          <span key={day} class={now >= day && now < (days[number + 1] ?? 0) ? "is-today" : undefined}>{dayName.format(day)}</span>
        ))}
      </div>
      <div class="week-body">
        {now >= begin && now < end && <span class="week-now" aria-hidden="true" style={{ left: `${at(now)}%` }} />}
        {here.length === 0 && <p class="week-empty muted">Nothing is reserved this week.</p>}
        {lanesOf(here).map((lane, number) => (
          <ul class="week-lane" key={number}>
            {lane.map((one) => {
              const [from, to] = [at(Date.parse(one.begin)), at(Date.parse(one.end))];
              return (
                <li key={one.id} style={{ left: `${from}%`, width: `${Math.max(to - from, 0.6)}%` }}>
                  <button type="button" class={`week-bar${one.own ? " is-own" : ""}${Date.parse(one.end) < now ? " is-past" : ""}`}
                    title={`${titleOf(one)}\n${exactly(one.begin)} to ${exactly(one.end)}`} onClick={() => onOpen(one)}>
                    <strong>{titleOf(one)}</strong>
                    <span class="week-when">{exactly(one.begin)} to {exactly(one.end)}</span>
                  </button>
                </li>
              );
            })}
          </ul>
        ))}
      </div>
    </div>
  );
}

function Details({ one, onClose, refresh }: { one: ReservationModel; onClose: () => void; refresh: () => Promise<void> }) {
  const [busy, setBusy] = useState(false);
  const remove = async () => {
    setBusy(true);
    if (await attempt(() => api.unreserve(one.id), "The reservation is gone.")) onClose();
    await refresh();
    setBusy(false);
  };
  return (
    <Dialog title={titleOf(one)} onClose={onClose}>
      <p class="num">{exactly(one.begin)} to {exactly(one.end)}</p>
      {one.note !== "" && <p class="wrap">{one.note}</p>}
      {one.model !== "" && <p class="muted wrap">Only {one.model}</p>}
      {one.devices.length > 0 && <p class="muted wrap"><code>{one.devices.join(", ")}</code></p>}
      <div class="dialog-actions">
        {page.admin && <button type="button" class="btn btn-danger" disabled={busy} onClick={remove}>Remove</button>}
        <button type="button" class="btn" autofocus onClick={onClose}>Close</button>
      </div>
    </Dialog>
  );
}

// GPUs kept for a time to come, week by week.
export function Reservations({ devices }: { devices: readonly DeviceModel[] }) {
  const live = useLive(api.reservations, 15000);
  const [week, setWeek] = useState(0);
  const [adding, setAdding] = useState(false);
  const [open, setOpen] = useState<ReservationModel>();
  const onKeyDown = (event: KeyboardEvent) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (step !== undefined && !adding && open === undefined) setWeek(week + step);
  };
  return (
    <section class="stack-s" aria-labelledby="reservations-title" onKeyDown={onKeyDown}>
      <div class="week-head">
        <h2 id="reservations-title" class="grow">Reserved</h2>
        <span class="muted num" aria-live="polite">{monthName.format(dayFrom(week, 3))}</span>
        <div class="row">
          <button type="button" class="btn btn-icon" aria-label="The week before" onClick={() => setWeek(week - 1)}>‹</button>
          <button type="button" class="btn" disabled={week === 0} onClick={() => setWeek(0)}>Today</button>
          <button type="button" class="btn btn-icon" aria-label="The week after" onClick={() => setWeek(week + 1)}>›</button>
          {page.admin && (
            <button type="button" class="btn btn-primary" onClick={() => setAdding(true)}><Icon name="plus" />Reserve</button>
          )}
        </div>
      </div>
      {live.error !== undefined && <Note tone="danger">{live.error}</Note>}
      <div class="card"><Week week={week} list={live.value?.reservations ?? []} onOpen={setOpen} /></div>
      <CalendarAddress />
      {adding && <Reserve devices={devices} onClose={() => setAdding(false)} onAdded={live.refresh} />}
      {open !== undefined && <Details one={open} onClose={() => setOpen(undefined)} refresh={live.refresh} />}
    </section>
  );
}
