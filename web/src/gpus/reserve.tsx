import { useState } from "preact/hooks";
import { api, messageOf } from "../api";
import type { DeviceModel } from "../models";
import { page } from "../page";
import { Dialog } from "../parts/dialog";
import { Note } from "../parts/parts";
import { tell } from "../parts/toast";

// As <input type="datetime-local"> wants it: local time to the minute.
function localTime(time: number): string {
  const at = new Date(time - new Date(time).getTimezoneOffset() * 60_000);
  return at.toISOString().slice(0, 16);
}

type Owner = "user" | "group" | "project";
const owners: readonly Owner[] = page.data.projects === true ? ["user", "group", "project"] : ["user", "group"];

const hour = 3_600_000;
const nextHour = (): number => Math.ceil(Date.now() / hour) * hour;

interface ReserveProps {
  devices: readonly DeviceModel[];
  onClose: () => void;
  onAdded: () => Promise<void>;
}

export function Reserve({ devices, onClose, onAdded }: ReserveProps) {
  const pools = [...new Set(devices.map((device) => device.pool))].sort();
  const [forWhom, setForWhom] = useState<Owner>("user");
  const [name, setName] = useState("");
  const [gpus, setGpus] = useState(1);
  const [pool, setPool] = useState(pools[0] ?? "");
  const [begin, setBegin] = useState(() => localTime(nextHour()));
  const [end, setEnd] = useState(() => localTime(nextHour() + 4 * hour));
  const [note, setNote] = useState("");
  const [error, setError] = useState<string>();
  const [busy, setBusy] = useState(false);
  const most = devices.filter((device) => device.pool === pool).length;

  const submit = async (event: Event) => {
    event.preventDefault();
    if (name.trim() === "") return setError(`Type the name of a ${forWhom}.`);
    if (begin === "" || end === "") return setError("Say from when until when.");
    setBusy(true);
    try {
      await api.reserve({
        [forWhom]: name.trim(), gpus, pool, note: note.trim(),
        begin: new Date(begin).toISOString(), end: new Date(end).toISOString(),
      });
      await onAdded();
      tell("Reserved.");
      onClose();
    } catch (failure) {
      setError(messageOf(failure));
      setBusy(false);
    }
  };

  return (
    <Dialog title="Reserve GPUs" onClose={onClose}>
      <form class="stack" onSubmit={submit}>
        {error !== undefined && <Note tone="danger">{error}</Note>}
        <fieldset class="segments" aria-label="For whom">
          {owners.map((kind) => (
            <label key={kind}>
              <input type="radio" name="for-whom" checked={forWhom === kind} onChange={() => setForWhom(kind)} />
              <span>A {kind}</span>
            </label>
          ))}
        </fieldset>
        <div class="field">
          <label for="reserve-name">Name</label>
          <input id="reserve-name" class="input" autofocus spellcheck={false} autocapitalize="off" value={name}
            onInput={(event) => { setName(event.currentTarget.value); setError(undefined); }} />
        </div>
        <div class="reserve-pair">
          <div class="field">
            <label for="reserve-gpus">GPUs</label>
            <input id="reserve-gpus" class="input" type="number" min={1} max={Math.max(1, most)} value={gpus}
              onInput={(event) => setGpus(Math.max(1, Number(event.currentTarget.value) || 1))} />
          </div>
          {pools.length > 1 && (
            <div class="field">
              <label for="reserve-pool">Pool</label>
              <select id="reserve-pool" class="input" value={pool} onChange={(event) => setPool(event.currentTarget.value)}>
                {pools.map((each) => <option key={each} value={each}>{each === "" ? "Default" : each}</option>)}
              </select>
            </div>
          )}
        </div>
        <div class="reserve-pair">
          <div class="field">
            <label for="reserve-begin">From</label>
            <input id="reserve-begin" class="input" type="datetime-local" value={begin}
              onInput={(event) => setBegin(event.currentTarget.value)} />
          </div>
          <div class="field">
            <label for="reserve-end">Until</label>
            <input id="reserve-end" class="input" type="datetime-local" value={end} min={begin}
              onInput={(event) => setEnd(event.currentTarget.value)} />
          </div>
        </div>
        <div class="field">
          <label for="reserve-note">Note</label>
          <input id="reserve-note" class="input" maxLength={200} value={note}
            onInput={(event) => setNote(event.currentTarget.value)} />
        </div>
        <div class="dialog-actions">
          <button type="button" class="btn" onClick={onClose}>Cancel</button>
          <button type="submit" class="btn btn-primary" disabled={busy}>Reserve</button>
        </div>
      </form>
    </Dialog>
  );
}
